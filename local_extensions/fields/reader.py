"""One line of text -> the fields of a message.

The language is what is written between the parentheses of a Python signature: `name: type` or
`name: type = default`, separated by commas. A name is written as it is in JSON, in quotes if it is
not an identifier. An object is such a list in braces, and a message of several kinds is a union of
objects.
"""

import ast
import re
from typing import Any

from local_extensions.fields.classes import ClassNames, with_own_names
from local_extensions.fields.expressions import Code, Wrong
from local_extensions.fields.faults import FieldFaults, Span, code, short
from local_extensions.fields.kinds import kind_name, kinds_of, wire_name, with_tag
from local_extensions.fields.limits import size
from local_extensions.fields.model import Default, Field, Kinds, Message, Tag, Type
from local_extensions.fields.names import LONGEST_NAME, can_be_wire_name, python_name, singular
from local_extensions.fields.pasted import is_json, read_json
from local_extensions.fields.sample import fields_of_samples, samples_in
from local_extensions.fields.schema import is_schema, message_of_schema
from local_extensions.fields.source import Source
from local_extensions.fields.types import TypeReader, hint
from local_extensions.fields.values import read_default

LONGEST_TEXT = 20_000

# Examples are made to be read.
LARGEST_EXAMPLE = 65_536


def parse_message(text: str, class_name: str) -> Message | Kinds:
    """Read text such as `orderId: str, quantity: int >= 1`, and return the message with these fields.

    Objects in braces with | between them are the kinds of a message. The text can also be a JSON sample
    of the message, an array of samples, or a JSON Schema.

    class_name: the name of the message's class, or for all of its kinds.
    Raises FieldFaults, with every fault of the text.
    """
    if not text.strip():
        raise FieldFaults(["there is no field; write name: type, such as order_id: str"])
    if is_json(text):
        return _pasted(read_json(text), class_name)
    if len(text) > LONGEST_TEXT:
        raise FieldFaults([f"the answer has {len(text)} characters; the limit is {LONGEST_TEXT}"])
    source = Source(text)
    message: Message | Kinds = Message(class_name, ())
    try:
        source.check()
        if not source.faults:
            message = _Reader(source, class_name).whole()
            characters = size(message)
            if characters > LARGEST_EXAMPLE:
                source.fault(
                    source.whole, f"an example would have about {characters} characters; the limit is {LARGEST_EXAMPLE}"
                )
    except RecursionError:
        source.fault(source.whole, "this is nested too deeply")
    if source.faults:
        raise FieldFaults(source.report())
    return message


def _pasted(value: Any, class_name: str) -> Message | Kinds:
    """Return the message of a pasted JSON value: a schema, a sample, or an array of samples."""
    if not is_schema(value):
        return Message(class_name, fields_of_samples(samples_in(value), class_name))
    message = message_of_schema(value, class_name)
    if size(message) > LARGEST_EXAMPLE:
        raise FieldFaults([f"an example would have more than {LARGEST_EXAMPLE} characters"])
    return message


class _Reader:
    def __init__(self, source: Source, class_name: str) -> None:
        self.source = source
        self.class_name = class_name
        self.class_names = ClassNames(class_name)
        self.messages: dict[str, Message] = {}  # the objects so far, which may be used again by name

    def whole(self) -> Message | Kinds:
        """Read the whole text: the fields of the message, or its kinds. Faults are reported."""
        if self.source.text.lstrip()[0] != "{":
            return Message(self.class_name, self.fields(self.source.whole, self.class_name))
        place = self.source.stripped(self.source.whole)
        if fault := self.fault_of_kinds(place):
            self.source.fault(*fault)
            return Kinds(self.class_name, ())
        piece = Code(self.source, place)
        node = piece.expression()
        type_ = self.type(piece, node, "", self.class_name) if node else None
        if not node:
            self.explain(place, self.class_name)
        return Kinds(self.class_name, (type_ and kinds_of(type_)) or ())

    def fault_of_kinds(self, place: Span) -> tuple[Span, str] | None:
        """Say where a text that begins with a brace is not one of several objects, and why."""
        if len(self.source.split(place, ",")) > 1:
            comma = self.source.split(place, ",")[0].end
            return Span(comma, comma + 1), "the kinds of a message have | between them, not a comma"
        if len(halves := self.source.split(place, "=")) > 1:
            return Span(halves[0].end, place.end), "a message has no default"
        options = [self.source.stripped(option) for option in self.source.split(place, "|")]
        if len(options) == 1 and options[0] in self.source.braces(place):
            return Span(place.start, place.start + 1), "the fields of a message need no braces around them"
        for option in options:
            typed = self.source.at(option)
            if not typed:
                return Span(option.start - 1, option.end + 1), "there is nothing between two |"
            if typed[0] != "{":
                return option, f'{code(typed)} is not a kind of message; write each kind as {{type: "a", ...}}'
        return None

    def fields(self, span: Span, class_name: str, tag: Tag | None = None) -> tuple[Field, ...]:
        """Read the fields in the whole text or between a pair of braces, that of the tag included."""
        pieces = self.source.split(span, ",")
        if len(pieces) > 1 and not self.source.at(pieces[-1]).strip():
            pieces.pop()  # a comma may follow the last field, as in Python
        fields: dict[str, Field] = {}  # by their names in JSON
        for piece in pieces:
            place = self.source.stripped(piece)
            if place.start < place.end:
                name_span, rest = self.halves(place)
                field = self.field(place, name_span, rest, class_name, tag)
                if field and field.wire_name in fields:
                    self.source.fault(name_span, f"{code(field.wire_name)} appears twice")
                elif field:
                    fields[field.wire_name] = field
            elif piece.end < span.end:
                self.source.fault(Span(piece.end, piece.end + 1), "there is no field before this comma")
            else:
                self.source.fault(Span(piece.start - 1, piece.end + 1), "there is no field; write name: type")
        return with_own_names(fields.values())

    def halves(self, span: Span) -> tuple[Span, Span | None]:
        """Return the name of a field, and what follows its colon; None if there is no colon."""
        before, *after = self.source.split(span, ":")
        if not after:
            return self.source.stripped(self.source.split(span, "=")[0]), None
        return self.source.stripped(before), self.source.stripped(Span(after[0].start, span.end))

    def field(self, span: Span, name_span: Span, rest: Span | None, class_name: str, tag: Tag | None) -> Field | None:
        """Read one field; None if it has a fault."""
        typed = self.source.at(name_span)
        name, fault = wire_name(typed), name_fault(typed, has_colon=rest is not None)
        if fault:
            self.source.fault(name_span if typed else span, fault)
        if rest is None or not self.source.at(rest).partition("=")[0].strip():
            if not fault:
                self.source.fault(name_span, f"{code(typed)} has no type; write `{typed}: str`")
            return None
        piece = Code(self.source, span)
        parameter = piece.parameter(name_span)
        if not parameter:
            self.explain(rest, class_name)
            return None
        is_tag = tag is not None and tag.wire_name == name
        type_ = self.type(piece, parameter.annotation, "" if fault else python_name(name), class_name, is_tag)
        if not type_ or fault:
            return None
        faults = len(self.source.faults)
        default = self.default(piece, parameter.default, type_) if parameter.default else None
        return None if len(self.source.faults) > faults else Field(python_name(name), name, type_, default)

    def explain(self, span: Span, class_name: str) -> None:
        """Report why a type, and the default that may follow it, cannot be parsed."""
        colons = self.source.split(span, ":")
        if len(colons) > 1 and ";" in self.source.at(colons[0]):
            place = colons[0].start + self.source.at(colons[0]).index(";")
            self.source.fault(Span(place, place + 1), "fields are separated by commas")
            return
        if len(colons) > 1:
            self.source.fault(Span(colons[0].end, colons[0].end + 1), "a field has one colon, after its name")
            return
        type_span, *defaults = (self.source.stripped(part) for part in self.source.split(span, "="))
        if not defaults or not Code(self.source, type_span).expression():
            text = self.source.at(type_span)
            self.source.fault(type_span, f"{code(text)} is not a type; {hint(text)}")
            for braces in self.source.braces(type_span):
                self.message(braces, "", class_name)
        elif len(defaults) > 1:
            self.source.fault(defaults[1], "a field has one default")
        elif not self.source.at(defaults[0]):
            self.source.fault(defaults[0], "a default is missing after =")
        else:
            shown = code(self.source.at(defaults[0]))
            self.source.fault(defaults[0], f"{shown} cannot be a default; use a number, a string, True, False or None")

    def type(self, piece: Code, node: ast.expr, name: str, class_name: str, is_tag: bool = False) -> Type | None:
        """Read the type of a field with that name in that class; None if it has a fault."""

        def nested(braces: Span, many: bool, tag: Tag | None) -> Message | None:
            own_name = kind_name(tag) if tag else singular(name) if many else name
            return self.message(braces, own_name, class_name, tag)

        return TypeReader(piece, nested, self.messages, is_tag).read(node)

    def default(self, piece: Code, node: ast.expr, type_: Type) -> Default | None:
        try:
            return read_default(node, piece.typed(node), type_)
        except Wrong as wrong:
            self.source.fault(piece.span(node), wrong.what)
            return None

    def message(self, braces: Span, name: str, parent: str, tag: Tag | None = None) -> Message | None:
        """Read the object in a pair of braces. Its class is named after the field, or after the parent too."""
        before = len(self.source.faults)
        class_name = self.class_names.give(name, parent)
        inside = Span(braces.start + 1, braces.end - 1)
        if re.match(r"\s*str\s*:", self.source.at(inside)):
            better = f"dict[{self.source.at(inside).strip().replace(':', ',', 1)}]"
            self.source.fault(braces, f"a field named str? for an object with any keys, write {code(better)}")
            return None
        fields = self.fields(inside, class_name, tag)
        if len(self.source.faults) > before:
            return None
        message = Message(class_name, fields)
        self.messages[class_name] = with_tag(message, tag) if tag else message
        return self.messages[class_name]


def name_fault(typed: str, *, has_colon: bool) -> str | None:
    """Say why a field cannot have this name; None if it can."""
    name = wire_name(typed)
    if not typed:
        return "a name is missing; write name: type"
    if typed[0] in "({[":
        return "a field begins with its name, not with a bracket; write name: type"
    if found := re.fullmatch(r"([A-Za-z_]\w*)\s+([^;]+)", typed) if not has_colon else None:
        return f"a colon is missing; write {code(f'{found[1]}: {found[2]}')}"
    if typed[-1] == "?":
        return f"{code(typed)} is not a name; write {code(f'{typed[:-1].strip()}: str | None = None')}"
    if typed[0] in "*/":
        return f"{code(typed)} is not allowed here; write name: type"
    if name == typed and not typed.isidentifier():
        return f'{code(typed)} needs quotes: "{short(typed)}"'
    if len(name) > LONGEST_NAME:
        return f"the name has {len(name)} characters; the limit is {LONGEST_NAME}"
    if not can_be_wire_name(name):
        return f'{code(typed)} cannot be a name; it contains ", \\ or a character that cannot be printed'
    return None
