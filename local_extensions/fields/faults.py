"""Faults of a typed text, shown as a compiler shows them: what is wrong, the text, and carets under the spot."""

import re
import unicodedata
from typing import NamedTuple

# A long text is only shown around the fault.
_WINDOW = 72
_BEFORE = 30

# Python 3.13 and older do not know that these are wide.
_WIDE_SINCE_UNICODE_16 = re.compile("[\u2630-\u2637\u268a-\u268f\u4dc0-\u4dff\U0001d300-\U0001d376]")


class Span(NamedTuple):
    """A part of a text: from `start` up to, but not including, `end`."""

    start: int
    end: int


class Fault(NamedTuple):
    """A part of a text, and one line that says what is wrong with it and what to write instead."""

    span: Span
    what: str


class FieldFaults(Exception):
    """The text is not a list of fields. `faults` has an entry for each fault, and at least one.

    An entry is one line, or three: what is wrong, the text, and carets under the spot.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def shown(fault: Fault, text: str) -> str:
    """Return three lines: what is wrong, the text around it, and carets under it."""
    start, end = 0, len(text)
    if len(text) > _WINDOW:
        start = max(0, min(fault.span.start - _BEFORE, len(text) - _WINDOW))
        end = start + _WINDOW
    left, right = "…" if start else "", "…" if end < len(text) else ""
    before = _printable(left + text[start : fault.span.start])
    under = _printable(text[fault.span.start : min(fault.span.end, end)])
    line = left + _printable(text[start:end]) + right
    return f"{fault.what}\n    {line}\n    {' ' * columns(before)}{'^' * max(1, columns(under))}"


def short(text: str) -> str:
    """Return the text, without its middle if it is long."""
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


def code(text: str) -> str:
    """Return a part of the typed text in backticks."""
    return f"`{short(text)}`"


def quoted(value: object) -> str:
    """Return a whole answer in quotes."""
    return short(repr(value))


def columns(text: str) -> int:
    """Return how many columns a terminal needs for the text, which is also what ruff format counts."""
    return sum(0 if unicodedata.combining(c) else 2 if _is_wide(c) else 1 for c in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" or bool(_WIDE_SINCE_UNICODE_16.match(character))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
