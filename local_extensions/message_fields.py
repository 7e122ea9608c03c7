"""The field language: one line of text becomes the model of a message.

The language is what stands between the parentheses of a Python signature, `name: type`
separated by commas. It is read with `ast` and never evaluated.
"""

import ast
import keyword
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass

# The line of the generated handle() that logs the first field then fits into 100 characters.
LONGEST_NAME = 50

# How an error line shows what was typed: in quotes, and an endless text without its middle.
_quote = reprlib.Repr()
_quote.maxstring = 100
quoted = _quote.repr

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class FieldType:
    """A type of the language: how its n-th example (from 1) looks, and a JSON value it refuses."""

    example: Callable[[str, int], object]
    refused: object


def _text(field_name: str, n: int) -> str:
    """`order_id` gives `order-1`: what an identifier identifies, else the field's own name."""
    return f"{field_name.removesuffix('_id').replace('_', '-')}-{n}"


TYPES: dict[str, FieldType] = {
    "str": FieldType(example=_text, refused=1),
    "int": FieldType(example=lambda _, n: n, refused="one"),
    "float": FieldType(example=lambda _, n: n + 0.5, refused="one and a half"),
    "bool": FieldType(example=lambda _, n: n % 2 == 1, refused="yes"),
}


class FieldFaults(Exception):
    """The text is no list of fields. `faults` says why: one line for each fault, at least one."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Field:
    """One field of a message: its name in Python (snake_case) and the name of its type."""

    name: str
    type: str

    @property
    def wire_name(self) -> str:
        """The name in JSON: camelCase, as msgspec's `rename="camel"` makes it."""
        first, *rest = self.name.split("_")
        return first + "".join(word.title() for word in rest)

    @property
    def refused(self) -> object:
        """A JSON value that the field's type refuses."""
        return TYPES[self.type].refused

    def example(self, n: int = 1) -> object:
        """The n-th example of the field, as it stands in JSON."""
        return TYPES[self.type].example(self.name, n)


@dataclass(frozen=True)
class Message:
    """A message: the name of its class and its fields, in the order they were typed."""

    class_name: str
    fields: tuple[Field, ...]

    def example(self, n: int = 1) -> dict[str, object]:
        """The n-th example of the message, as it goes over the wire."""
        return {field.wire_name: field.example(n) for field in self.fields}

    def broken_example(self, n: int = 1) -> dict[str, object]:
        """The n-th example with a first field that the class refuses."""
        first = self.fields[0]
        return {**self.example(n), first.wire_name: first.refused}


def parse_fields(text: str) -> tuple[Field, ...]:
    """Read the field language.

    Takes for example `order_id: str, quantity: int` and returns its fields in that order.
    Raises FieldFaults, with every fault of the text, when it is anything else.
    """
    fields: dict[str, Field] = {}  # by wire name
    faults: list[str] = []
    for argument in _arguments(text):
        field = Field(argument.arg, ast.unparse(argument.annotation) if argument.annotation else "")
        if fault := _fault(field, fields.get(field.wire_name)):
            faults.append(fault)
        else:
            fields[field.wire_name] = field
    if faults:
        raise FieldFaults(faults)
    return tuple(fields.values())


def _arguments(text: str) -> list[ast.arg]:
    """The arguments of the signature that `text` is the inside of."""
    # Keyword-only, because Python lets those stand in any order; the line breaks fence off comments.
    source = f"def signature(*,\n{text}\n): pass"
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FieldFaults(
            [f"not the inside of a Python signature: {quoted(text)}; write name: type, name: type"]
        ) from error
    match tree.body:
        case [
            ast.FunctionDef(
                args=ast.arguments(
                    posonlyargs=[], args=[], vararg=None, kwarg=None, kwonlyargs=arguments, kw_defaults=defaults
                ),
                body=[ast.Pass()],
                returns=None,
            )
        ] if not any(defaults):
            return arguments
    raise FieldFaults([f"only fields may stand here, without default: {quoted(text)}; write name: type, name: type"])


def _fault(field: Field, same_on_the_wire: Field | None) -> str | None:
    """What is wrong with a field, if anything, beside an earlier one of the same wire name."""
    name = field.name
    if keyword.iskeyword(name):
        return f"field {name} has the name of a Python keyword"
    if name in TYPES:
        return f"field {name} has the name of a type"
    if not _SNAKE_CASE.fullmatch(name):
        return f"field {name} is not snake_case: lower-case letters and digits, words joined by one underscore"
    if name == "l":
        return "field l reads like the digit 1; choose a longer name"
    if len(name) > LONGEST_NAME:
        return f"field {name} is {len(name)} characters long; allowed: at most {LONGEST_NAME}"
    if same_on_the_wire and same_on_the_wire.name == name:
        return f"field {name} stands there twice"
    if same_on_the_wire:
        return f"fields {same_on_the_wire.name} and {name} are both {field.wire_name} in JSON"
    if not field.type:
        return f"field {name} has no type: write {name}: str"
    if field.type not in TYPES:
        return f"field {name} is of unknown type {field.type}; allowed: {', '.join(TYPES)}"
    return None
