"""The typed text: its brackets, its pieces, and the faults found in it."""

import re
import unicodedata
from collections.abc import Iterator

from local_extensions.fields.faults import Fault, Span, code, shown

# Limits that keep the time short, whatever is typed.
DEEPEST_NESTING = 10
MOST_FAULTS = 20

_STRING = r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_TOKEN = re.compile(rf"""{_STRING}|(?P<operator>[<>=!:]=|=[<>])|(?P<mark>["'(){{}}\[\],.:=#|])""", re.DOTALL)
_OPENING = {")": "(", "]": "[", "}": "{"}


class Source:
    """A text, and the faults reported about it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.whole = Span(0, len(text))
        self.faults: list[Fault] = []

    def fault(self, span: Span, what: str) -> None:
        """Report a fault."""
        self.faults.append(Fault(span, what))

    def report(self) -> list[str]:
        """Return the faults as they are shown, in the order of the text."""
        faults = sorted(set(self.faults))
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        return [shown(fault, self.text) for fault in faults[:MOST_FAULTS]] + more

    def at(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def stripped(self, span: Span) -> Span:
        """Return the span without the spaces around its text."""
        text = self.at(span)
        start = span.start + len(text) - len(text.lstrip())
        return Span(start, start + len(text.strip()))

    def split(self, span: Span, mark: str) -> list[Span]:
        """Cut a part of the text at each mark that is outside all brackets."""
        pieces, start, depth = [], span.start, 0
        for token, place in self._tokens(span):
            depth += (token in _OPENING.values()) - (token in _OPENING)
            if token == mark and depth == 0:
                pieces.append(Span(start, place.start))
                start = place.end
        return [*pieces, Span(start, span.end)]

    def braces(self, span: Span) -> list[Span]:
        """Return the outermost pairs of braces in a part of the text."""
        pairs, depth, start = [], 0, 0
        for token, place in self._tokens(span):
            if token == "{":
                start = place.start if depth == 0 else start
                depth += 1
            elif token == "}":
                depth -= 1
                if depth == 0:
                    pairs.append(Span(start, place.end))
        return pairs

    def check(self) -> None:
        """Report what makes it pointless to look for fields: odd characters, open quotes and brackets."""
        quoted: set[int] = set()
        opened: list[tuple[str, Span]] = []
        for token, span in self._tokens(self.whole):
            if token == "string":
                quoted.update(range(*span))
            elif token in {'"', "'"}:
                return self.fault(span, "this quote is never closed")
            elif token == "#":
                return self.fault(span, "comments are not allowed here")
            elif token in _OPENING.values():
                opened.append((token, span))
                if len(opened) > DEEPEST_NESTING:
                    return self.fault(span, f"brackets are nested too deeply; the limit is {DEEPEST_NESTING} levels")
            elif token in _OPENING:
                if not opened:
                    return self.fault(span, f"nothing opens this {token}")
                if opened[-1][0] != _OPENING[token]:
                    return self.fault(span, f"this {token} cannot close the {opened[-1][0]} before it")
                opened.pop()
        for token, span in opened:
            self.fault(span, f"this {token} is never closed")
        self._check_characters(quoted)
        return None

    def _check_characters(self, quoted: set[int]) -> None:
        for place, character in enumerate(self.text):
            span = Span(place, place + 1)
            if not character.isprintable():
                hexadecimal = f"U+{ord(character):04X}"
                self.fault(span, f"line breaks and control characters are not allowed here ({hexadecimal})")
            elif not character.isascii() and place not in quoted:
                name = unicodedata.name(character, f"U+{ord(character):04X}")
                self.fault(span, f"{code(character)} ({name}) is only allowed inside quotes")

    def _tokens(self, span: Span) -> Iterator[tuple[str, Span]]:
        """Yield what structures a part of the text: "string", "operator" (of two characters) or a single mark."""
        for match in _TOKEN.finditer(self.text, *span):
            yield (match["mark"] or match.lastgroup or ""), Span(*match.span())
