"""What Jinja sees of this folder: the filters of the template."""

import functools
import json
import logging
import re
from collections.abc import Callable
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

from local_extensions import answers, json_schema, message_module, sample_events
from local_extensions.field_types import MISSING, Message, Times, snake_case


def _json(value: object, indent: int | None = None) -> str:
    """JSON as it also stands in YAML and TOML strings: `tojson` would escape more than they can read."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _markdown(text: str) -> str:
    """Plain text, so that Markdown shows it as it is."""
    return re.sub(r"[\\`*_{}\[\]<>#|~&]", r"\\\g<0>", text)


def _code(text: str) -> str:
    """A code span for the cell of a Markdown table."""
    escaped = text.replace("|", "\\|")
    return f"`` {escaped} ``" if "`" in text else f"`{escaped}`"


def _refusals(message: Message) -> list[dict[str, Any]]:
    """What breaks the example of a message, as JSON.

    `value` is put at `path`, or the first of what is there is repeated `times`, or what is there is
    removed; `at` is where msgspec then finds the fault.
    """
    rows = []
    for path, value, at in message.refusals():
        change = {"times": value.count} if isinstance(value, Times) else {} if value is MISSING else {"value": value}
        rows.append({"path": path, **change, "at": f"${at}"})
    return rows


def _reporting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn anything unforeseen into BadAnswers, the one exception that every caller prints as a line."""

    @functools.wraps(function)
    def filter_(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except answers.BadAnswers:
            raise
        except Exception as error:
            raise answers.BadAnswers(f"the template could not use these answers: {error!r}") from error

    return filter_


def _is_not_about_bad_answers(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], answers.BadAnswers))


class TemplateFilters(Extension):
    """The filters, as cookiecutter.json names them."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        filters: dict[str, Callable[..., Any]] = {
            "check": answers.check,
            "check_all": answers.check_all,
            "code": _code,
            "classes": message_module.classes,
            "definitions": message_module.definitions,
            "example": Message.example,
            "imports": message_module.imports,
            "json": _json,
            "json_schema": json_schema.json_schema,
            "markdown": _markdown,
            "message": answers.message,
            "project_slug": answers.project_slug,
            "refusals": _refusals,
            "snake_case": snake_case,
            "sqs_event": sample_events.sqs_event,
        }
        environment.filters.update({name: _reporting(function) for name, function in filters.items()})
        # Cookiecutter logs a traceback when a hook fails; a user needs the lines of BadAnswers alone.
        logging.getLogger("cookiecutter.hooks").addFilter(_is_not_about_bad_answers)
