"""The Python source of a message: its classes and what they import, as ruff format would leave them."""

import builtins
import itertools
import keyword
from collections.abc import Iterator

from local_extensions.faults import columns
from local_extensions.field_types import (
    SIGNS,
    Choice,
    Container,
    Field,
    Message,
    Nullable,
    Scalar,
    Type,
    pascal_case,
    source,
)

LINE_LENGTH = 100

# Names that the generated modules import or define beside the message: no class may take them.
TAKEN_CLASS_NAMES = frozenset({"Annotated", "Any", "Decimal", "EXAMPLE", "EVENTS", "FAILING", "HERE", "Literal"})
TAKEN_CLASS_NAMES |= {"MESSAGES", "Path", "REFUSALS", "SCHEMA", "UUID"}

# Names that read like digits, which linters refuse.
_AMBIGUOUS = {"I", "O"}

_MODULES = {
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "Decimal": "decimal",
    "Annotated": "typing",
    "Literal": "typing",
    "UUID": "uuid",
}


def is_taken(class_name: str) -> bool:
    """Whether a class of that name would hide something in the generated modules, or read like a digit."""
    taken = class_name in TAKEN_CLASS_NAMES or class_name in _AMBIGUOUS
    return taken or keyword.iskeyword(class_name) or hasattr(builtins, class_name)


def imports(message: Message) -> list[str]:
    """The lines that import what the annotations use from the standard library."""
    names: dict[str, set[str]] = {}
    for type_ in _all_types(message):
        for name in type_.names & _MODULES.keys():
            names.setdefault(_MODULES[name], set()).add(name)
    return [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]


def definitions(message: Message) -> list[str]:
    """The source of each class, nested ones first, and of each type that is too long for its line."""
    docstrings = {class_.class_name: docstring for class_, docstring in documented_classes(message)}
    return [*_Writer(docstrings).message(message)]


def classes(message: Message) -> list[Message]:
    """The message and all that are nested in it, in the order in which they are defined."""
    return [type_ for type_ in _all_types(message) if isinstance(type_, Message)]


def documented_classes(
    message: Message, docstring: str = "One message. In JSON its names are in camelCase."
) -> Iterator[tuple[Message, str]]:
    """The message and all that are nested in it, each before what is nested in it, with their docstrings."""
    yield message, docstring
    for field in message.fields:
        for nested in _nested(field.type):
            yield from documented_classes(nested, f"Part of {message.class_name}: {field.name}.")


def _all_types(type_: Type) -> Iterator[Type]:
    """A type and all that it is made of, the innermost first."""
    for part in type_.parts:
        yield from _all_types(part)
    yield type_


class _Writer:
    def __init__(self, docstrings: dict[str, str]) -> None:
        self.docstrings = docstrings  # by class name
        self.taken = set(docstrings)
        self.named: dict[str, str] = {}  # the aliases given so far, by annotation

    def free(self, name: str) -> str:
        """The name, with a number behind it where the name alone is taken."""
        names = (f"{name}{n}" if n > 1 else name for n in itertools.count(1))
        found = next(each for each in names if each not in self.taken and not is_taken(each))
        self.taken.add(found)
        return found

    def message(self, message: Message) -> Iterator[str]:
        lines = []
        for field in message.fields:
            for nested in _nested(field.type):
                yield from self.message(nested)
            aliases: list[str] = []
            lines.append(self.field(field, message, aliases))
            yield from aliases
        docstring = f'    """{self.docstrings[message.class_name]}"""'
        yield "\n".join([_header(message), docstring, "", *lines, *_post_init(message)])

    def field(self, field: Field, message: Message, aliases: list[str]) -> str:
        """The line of a field; what is too long for it is added to `aliases`."""
        start, default = f"    {field.name}: ", "" if field.default is None else f" = {field.default}"
        line = start + field.type.annotation + default
        if columns(line) <= LINE_LENGTH:
            return line
        room = LINE_LENGTH - columns(start) - len(" = (")
        annotation = self.short(field.type, room, pascal_case(field.name), aliases)
        line = start + annotation + default
        return line if columns(line) <= LINE_LENGTH else f"{start}{annotation} = (\n        {field.default}\n    )"

    def short(self, type_: Type, room: int, name: str, aliases: list[str]) -> str:
        """The annotation, if it has room; else the name of an alias for it."""
        if columns(type_.annotation) <= room or isinstance(type_, Message):
            return type_.annotation
        if isinstance(type_, Nullable):
            return f"{self.short(type_.item, room - len(' | None'), name, aliases)} | None"
        if type_.annotation not in self.named:
            self.named[type_.annotation] = name = self.free(name)
            aliases.append(self.alias(type_, name, aliases))
        return self.named[type_.annotation]

    def alias(self, type_: Type, name: str, aliases: list[str]) -> str:
        line = f"{name} = {type_.annotation}"
        if columns(line) <= LINE_LENGTH:
            return line
        match type_:
            case Choice(values=values):
                start, elements = "Literal", [source(value) for value in values]
            case Container():
                around = f"    {type_.bare}]," if type_.length.meta() else f"{name} = {type_.bare}]"
                item = self.short(type_.item, LINE_LENGTH - len(around), f"{name}Item", aliases)
                base = f"{type_.bare}{item}]"
                if not type_.length.meta():
                    return f"{name} = {base}"
                start, elements = "Annotated", [base, f"msgspec.Meta({', '.join(type_.length.meta())})"]
            case Scalar():
                start, elements = "Annotated", [type_.name, f"msgspec.Meta({', '.join(type_.meta)})"]
            case _:
                raise AssertionError(type_)
        return "\n".join([f"{name} = {start}[", *(f"    {element}," for element in elements), "]"])


def _nested(type_: Type) -> Iterator[Message]:
    """The messages nested right in a type, not those in them."""
    if isinstance(type_, Message):
        yield type_
    else:
        for part in type_.parts:
            yield from _nested(part)


def _header(message: Message) -> str:
    arguments = ["msgspec.Struct", "frozen=True"]
    optional = [field.default is not None for field in message.fields]
    if optional != sorted(optional):  # a required field follows an optional one
        arguments.append("kw_only=True")
    arguments.append('rename="camel"')
    line = f"class {message.class_name}({', '.join(arguments)}):"
    if columns(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"class {message.class_name}(", *(f"    {argument}," for argument in arguments), "):"])


def _post_init(message: Message) -> Iterator[str]:
    """msgspec has no bounds for Decimal: the class checks them, and msgspec reports its ValueError."""
    fields = [field for field in message.fields if field.decimal]
    if not fields:
        return
    yield from ("", "    def __post_init__(self) -> None:")
    for field in fields:
        decimal, value, indent = field.decimal, f"self.{field.name}", "        "
        assert decimal
        if isinstance(field.type, Nullable):
            yield f"{indent}if {value} is not None:"
            indent += "    "
        yield f"{indent}if not {value}.is_finite():"
        yield f'{indent}    raise ValueError("Expected `{field.wire_name}` to be finite")'
        for name, limit in decimal.bounds.items():
            number = str(limit) if limit == int(limit) and "E" not in str(limit) else f'Decimal("{limit}")'
            yield f"{indent}if {value} {_OPPOSITE[name]} {number}:"
            yield f'{indent}    raise ValueError("Expected `{field.wire_name}` {SIGNS[name]} {limit}")'


_OPPOSITE = {"ge": "<", "gt": "<=", "le": ">", "lt": ">="}
