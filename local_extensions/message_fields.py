"""The field language: one line of text becomes the fields of a message.

The language is what stands between the parentheses of a Python signature: `name: type` or
`name: type = default`, separated by commas. A nested message is such a list in braces, so the same
rules hold inside it. This module finds names, types and defaults in the text; types and defaults are
then read by `type_expressions`, with `ast`, and nothing is ever evaluated.
"""

import keyword
import re
import unicodedata
from collections.abc import Iterator

from local_extensions.faults import Fault, Span, short, shown
from local_extensions.field_types import Field, Message, Type, camel_case, pascal_case, singular, snake_case
from local_extensions.message_module import is_taken
from local_extensions.type_expressions import TypeReader, read_default

# Bounds of what is read, so that hostile text ends in a line as quickly as any other.
LONGEST_TEXT = 20_000
DEEPEST_NESTING = 10
MOST_FAULTS = 20

# A field of 39 characters and the class named after another one still fit into one line of 100.
LONGEST_NAME = 39

# Samples are there to be read, and an event holds three of them.
LARGEST_EXAMPLE = 65_536

# Names that mean something inside the generated class, or read like a digit.
_TAKEN_NAMES = {"self", "msgspec", "l"}

# A last underscore sets a name off from a keyword or type, as usual in Python; JSON has it without.
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*_?")
_STRING = r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_TOKEN = re.compile(rf"""{_STRING}|(?P<operator>[<>=!:]=|=[<>])|(?P<mark>["'(){{}}\[\],:=#])""", re.DOTALL)
_OPENING = {")": "(", "]": "[", "}": "{"}


class FieldFaults(Exception):
    """The text is no list of fields. `faults` says why: one entry for each fault, at least one.

    An entry is one line, or three: what is wrong, the text, and carets under the exact spot.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def parse_fields(text: str, class_name: str = "") -> tuple[Field, ...]:
    """Read the field language.

    Takes for example `order_id: str, quantity: int >= 1` and returns its fields in that order.
    `class_name` is the class they are for; no nested message gets its name. Raises FieldFaults, with
    every fault of the text, when it is anything else.
    """
    if not text.strip():
        raise FieldFaults(["there is no field; write name: type, such as order_id: str"])
    if len(text) > LONGEST_TEXT:
        raise FieldFaults([f"{len(text)} characters are too many; allowed: {LONGEST_TEXT}"])
    whole = Span(0, len(text))
    reader = _Reader(text, class_name)
    fields: tuple[Field, ...] = ()
    try:
        reader.check_characters()
        if not reader.faults:
            fields = reader.fields(whole, class_name)
            size = Message(class_name, fields).size()
            if size > LARGEST_EXAMPLE:
                reader.fault(whole, f"an example would have about {size} characters; allowed: {LARGEST_EXAMPLE}")
    except RecursionError:
        reader.fault(whole, "this is nested too deeply")
    if reader.faults:
        raise FieldFaults(reader.report())
    return fields


class _Reader:
    """Reads one text and gathers its faults."""

    def __init__(self, text: str, class_name: str) -> None:
        self.text = text
        self.class_names = {class_name}  # each is given to one class
        self.faults: list[Fault] = []

    def fault(self, span: Span, what: str) -> None:
        self.faults.append(Fault(span, what))

    def report(self) -> list[str]:
        faults = sorted(set(self.faults))
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        return [shown(fault, self.text) for fault in faults[:MOST_FAULTS]] + more

    # The text and its structure

    def at(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def tokens(self, span: Span) -> Iterator[tuple[str, Span]]:
        """What structures a part of the text: "string", "operator" (of two characters) or a single mark."""
        for match in _TOKEN.finditer(self.text, *span):
            yield (match["mark"] or match.lastgroup or ""), Span(*match.span())

    def check_characters(self) -> None:
        """Refuse what makes it pointless to look for fields: odd characters, open quotes and brackets."""
        quoted: set[int] = set()
        opened: list[tuple[str, Span]] = []
        for token, span in self.tokens(Span(0, len(self.text))):
            if token == "string":
                quoted.update(range(*span))
            elif token in {'"', "'"}:
                return self.fault(span, "this quote is never closed")
            elif token == "#":
                return self.fault(span, "a comment cannot stand here")
            elif token in _OPENING.values():
                opened.append((token, span))
                if len(opened) > DEEPEST_NESTING:
                    return self.fault(span, f"brackets are nested too deeply; allowed: {DEEPEST_NESTING} levels")
            elif token in _OPENING:
                if not opened:
                    return self.fault(span, f"nothing opens this {token}")
                if opened[-1][0] != _OPENING[token]:
                    return self.fault(span, f"this {token} cannot close the {opened[-1][0]} before it")
                opened.pop()
        for token, span in opened:
            self.fault(span, f"this {token} is never closed")
        for place, character in enumerate(self.text):
            span = Span(place, place + 1)
            if not character.isprintable():
                self.fault(span, f"U+{ord(character):04X} cannot stand here; allowed: what can be printed")
            elif not character.isascii() and place not in quoted:
                name = unicodedata.name(character, f"U+{ord(character):04X}")
                self.fault(span, f"{character} ({name}) cannot stand here; allowed outside quotes: ASCII")
        return None

    def split(self, span: Span, mark: str) -> list[Span]:
        """Cut a part of the text at a mark, where that stands outside of all brackets."""
        pieces, start, depth = [], span.start, 0
        for token, place in self.tokens(span):
            depth += (token in _OPENING.values()) - (token in _OPENING)
            if token == mark and depth == 0:
                pieces.append(Span(start, place.start))
                start = place.end
        return [*pieces, Span(start, span.end)]

    def stripped(self, span: Span) -> Span:
        """The span without the space around its text."""
        text = self.at(span)
        start = span.start + len(text) - len(text.lstrip())
        return Span(start, start + len(text.strip()))

    def braces(self, span: Span) -> list[Span]:
        """The outermost pairs of braces in a part of the text."""
        pairs, depth, start = [], 0, 0
        for token, place in self.tokens(span):
            if token == "{":
                start = place.start if depth == 0 else start
                depth += 1
            elif token == "}":
                depth -= 1
                if depth == 0:
                    pairs.append(Span(start, place.end))
        return pairs

    # Fields

    def fields(self, span: Span, class_name: str) -> tuple[Field, ...]:
        """The fields in a part of the text: in all of it, or between a pair of braces."""
        pieces = self.split(span, ",")
        if len(pieces) > 1 and not self.at(pieces[-1]).strip():
            pieces.pop()  # a comma may follow the last field, as in Python
        fields: dict[str, Field] = {}  # by wire name
        places: dict[str, Span] = {}
        for piece in pieces:
            place = self.stripped(piece)
            if place.start < place.end:
                name_span, field = self.field(place, class_name)
                if field and self.is_new(field, name_span, fields):
                    fields[field.wire_name], places[field.name] = field, name_span
            elif piece.end < span.end:
                self.fault(Span(piece.end, piece.end + 1), "no field stands before this comma")
            else:
                self.fault(Span(piece.start - 1, piece.end + 1), "there is no field; write name: type")
        hidden = set().union(*(field.type.names_in_class for field in fields.values())) & places.keys()
        for name in hidden:
            self.fault(places[name], f"a field {name} hides the type {name}; write {name}_, which is {name} in JSON")
        return tuple(fields.values())

    def is_new(self, field: Field, name_span: Span, fields: dict[str, Field]) -> bool:
        other = fields.get(field.wire_name)
        if other and other.name == field.name:
            self.fault(name_span, f"{field.name} stands here twice")
        elif other:
            self.fault(name_span, f"{other.name} and {field.name} are both {field.wire_name} in JSON")
        return other is None

    def field(self, span: Span, class_name: str) -> tuple[Span, Field | None]:
        """One field, None where it has a fault, and where its name stands."""
        name_span, *typed = self.split(span, ":")
        if len(typed) > 1 and not self.at(typed[0]).lstrip().startswith("lambda"):
            self.fault(Span(typed[0].end, typed[0].end + 1), "a field has one colon, behind its name")
            return name_span, None
        if not typed:
            name_span = self.split(span, "=")[0]
        name_span = self.stripped(name_span)
        name = self.at(name_span)
        if fault := _name_fault(name):
            self.fault(name_span if name else span, fault)
        type_span, *defaults = self.split(Span(typed[0].start, span.end), "=") if typed else [Span(span.end, span.end)]
        type_span = self.stripped(type_span)
        if type_span.start == type_span.end:
            if not fault:
                self.fault(name_span, f"{name} has no type; write {name}: str")
            return name_span, None
        type_ = self.type(type_span, "" if fault else name, class_name)
        if not type_:
            return name_span, None
        default = None
        if len(defaults) > 1:
            self.fault(self.stripped(defaults[1]), "a field has one default")
        elif defaults:
            default_span = self.stripped(defaults[0])
            default, default_fault = read_default(self.at(default_span), type_)
            if default_fault:
                self.fault(default_span, default_fault)
        return name_span, None if fault else Field(name, type_, default)

    def type(self, span: Span, name: str, class_name: str) -> Type | None:
        """The type in a part of the text, for a field of that name in that class."""
        text, nested = self.at(span), self.braces(span)
        for braces in nested:  # ast is given a name of the same length in their place
            start, end = braces.start - span.start, braces.end - span.start
            text = text[:start] + "_" * (end - start) + text[end:]

        def nested_message(place: Span, many: bool) -> Message | None:
            return self.nested(place, singular(name) if many else name, class_name)

        return TypeReader(self.text, span, text, set(nested), self.fault, nested_message).read()

    def nested(self, braces: Span, name: str, parent: str) -> Message | None:
        """The message in a pair of braces. Its class is named after the field, else after the parent too."""
        before = len(self.faults)
        own = pascal_case(name)
        taken = own in self.class_names or is_taken(own)
        class_name = f"{parent}{own}" if taken else own
        if name and (class_name in self.class_names or is_taken(class_name) or len(class_name) > LONGEST_NAME):
            self.fault(braces, f"its class {class_name} would be taken or too long; give the field another name")
        self.class_names.add(class_name)
        inside = self.at(Span(braces.start + 1, braces.end - 1)).strip()
        if re.match(r"str\s*:", inside):
            self.fault(
                braces, f"a field called str? for an object of any keys write dict[{inside.replace(':', ',', 1)}]"
            )
            return None
        fields = self.fields(Span(braces.start + 1, braces.end - 1), class_name)
        return Message(class_name, fields) if len(self.faults) == before else None


def _name_fault(name: str) -> str | None:
    """Why a field cannot have that name, if it cannot."""
    words = re.sub(r"[_-]+", "_", snake_case(name)).strip("_")
    if not name:
        return "a name is missing; write name: type"
    if name[0] in "({[":
        return "no bracket can stand before a name; write name: type"
    if name[0] in "\"'":
        return f'{short(name)} is no name; write it without quotes, or for choices name: "a" | "b"'
    if typed := re.fullmatch(r"([A-Za-z_]\w*)\s+([^;]+)", name):
        return f"a colon is missing; write {short(typed[1])}: {short(typed[2])}"
    if name[0] in "*/":
        return f"{short(name)} cannot stand here; allowed: name: type"
    if keyword.iskeyword(name):
        return f"{name} is a Python keyword; write {name.lower()}_, which is {name.lower()} in JSON"
    if not _SNAKE_CASE.fullmatch(name):
        if _SNAKE_CASE.fullmatch(words) and not keyword.iskeyword(words):
            in_json = f", which is {camel_case(words)} in JSON" if camel_case(words) != words else ""
            return f"{short(name)} is not in snake_case; write {short(words)}{short(in_json)}"
        return f"{short(name)} is no name in snake_case; allowed: lower-case letters, digits and single _ between them"
    if name in _TAKEN_NAMES:
        return f"a field cannot be called {name}; write {name}_, which is {name} in JSON"
    if len(name) > LONGEST_NAME:
        return f"a name of {len(name)} characters is too long; allowed: {LONGEST_NAME}"
    return None
