"""The Jinja filters of the template."""

import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

from local_extensions import answers, current, questions
from local_extensions.output import entry_point, json_schema, python
from local_extensions.output.example import in_event, sqs_event

VERSION = current.version()  # of these modules


def _json(value: object, indent: int | None = None) -> str:
    """Return JSON that is also valid in YAML and TOML, which cannot read all escapes of `tojson`."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _markdown(text: str) -> str:
    """Escape plain text, so that Markdown shows it as it is, without links, formulas and emoji."""
    return re.sub(r"[\\`*_{}\[\]<>#|~&$@]|:(?=[\w/])|(?<=www)\.", r"\\\g<0>", text)


def _sqs_event(answers: Mapping[str, Any]) -> dict[str, Any]:
    name, fifo = answers["message_name"], answers["queue_type"] == "fifo"
    bodies = questions.examples(answers)
    if answers["source"] == "eventbridge":
        bodies = [in_event(body, n, answers["project_slug"], name) for n, body in enumerate(bodies, 1)]
    return sqs_event(bodies, name, fifo=fifo)


def _example(answers: Mapping[str, Any]) -> Any:
    """Return the content of the example file: a body, or an array of several."""
    examples = questions.examples(answers)
    return examples if len(examples) > 1 else examples[0]


def _batch_handler(answers: Mapping[str, Any]) -> str:
    """Return the call that makes the Lambda handler."""
    key = questions.idempotency_key(answers)
    return entry_point.batch_handler(answers["message_name"], key, in_event=answers["source"] == "eventbridge")


def _reporting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an unexpected error into BadAnswers, the only exception that every caller prints as a line."""

    @functools.wraps(function)
    def filter_(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except questions.BadAnswers:
            raise
        except Exception as error:
            raise questions.BadAnswers(f"the template could not use these answers: {error!r}") from error

    return filter_


def _is_not_about_bad_answers(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], questions.BadAnswers))


class TemplateFilters(Extension):
    """The filters. They report each unexpected error as a line."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        answers.leave_unrendered(environment)
        filters: dict[str, Callable[..., Any]] = {
            "batch_handler": _batch_handler,
            "check": questions.check,
            "check_all": questions.check_all,
            "definitions": python.definitions,
            "example": _example,
            "folder": questions.folder,
            "identifier": python.identifier,
            "imports": python.imports,
            "json": _json,
            "json_schema": json_schema.json_schema,
            "markdown": _markdown,
            "message": questions.message,
            "message_module": questions.message_module,
            "project_slug": questions.project_slug,
            "sqs_event": _sqs_event,
            "subject": python.subject,
            "timeout": questions.timeout,
        }
        environment.filters.update({name: _reporting(function) for name, function in filters.items()})
        # Cookiecutter logs a traceback when a hook fails, but a user only needs the lines of BadAnswers.
        logging.getLogger("cookiecutter.hooks").addFilter(_is_not_about_bad_answers)
