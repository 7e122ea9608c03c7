"""Faults of a typed text, shown as a compiler shows them: what is wrong, the text, a caret under the spot."""

import unicodedata
from typing import NamedTuple

# An endless text is shown around the fault only.
_WINDOW = 72
_BEFORE = 30


class Span(NamedTuple):
    """A part of a text: from `start` up to, not including, `end`."""

    start: int
    end: int


class Fault(NamedTuple):
    """What is wrong with a part of a text, in one line."""

    span: Span
    what: str


def shown(fault: Fault, text: str) -> str:
    """The fault in three lines: what is wrong, the text around it, and carets under it."""
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
    """The text, without its middle where it is long."""
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


def quoted(value: object) -> str:
    """The value in quotes, as it was typed."""
    return short(repr(value))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def columns(text: str) -> int:
    """How many columns a terminal takes for the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
