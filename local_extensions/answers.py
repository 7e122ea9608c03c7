"""Answers are text: nothing in them is rendered, and so nothing in them can run.

Cookiecutter renders an answer given on the command line, in a user's default_context or by `sam init` as a Jinja
template, in which any Python code can run. At the prompt and in a replay file, an answer is text.
"""

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template

# These modules of cookiecutter render what is in the template's folder: the names of files, and hooks.
_RENDERING_FILES = {"cookiecutter.generate", "cookiecutter.hooks"}


def leave_unrendered(environment: Environment) -> None:
    """Make an environment render the template's own strings only, and leave every other one as it is."""
    render = environment.from_string

    def from_string(source: Any, *args: Any, **kwargs: Any) -> Template:
        caller = sys._getframe(1).f_globals.get("__name__")
        if caller in _RENDERING_FILES or source in _defaults():
            return render(source, *args, **kwargs)
        return render("{{ answer }}", globals={"answer": source})

    environment.from_string = from_string  # type: ignore[method-assign]


@functools.cache
def _defaults() -> frozenset[str]:
    """Return the strings in cookiecutter.json."""
    path = Path(__file__).parents[1] / "cookiecutter.json"
    return frozenset(_strings(json.loads(path.read_text(encoding="utf-8"))))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
