"""The Python source of a message: its classes and their imports, as ruff format would leave them."""

import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from local_extensions.fields.classes import LINE_LENGTH
from local_extensions.fields.faults import columns
from local_extensions.fields.kinds import kinds_of
from local_extensions.fields.limits import SIGNS, given
from local_extensions.fields.model import (
    Anything,
    Choice,
    DictOf,
    Field,
    Kinds,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Type,
    Union,
    parts,
)
from local_extensions.fields.names import camel_case, is_id, is_taken, pascal_case

_MODULES = {
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "Decimal": "decimal",
    "Annotated": "typing",
    "Any": "typing",
    "Literal": "typing",
    "UUID": "uuid",
    "assert_never": "typing",
}

# How msgspec derives names in JSON from names in Python, the shortest first.
_STYLES: dict[str, Callable[[str], str]] = {
    "": lambda name: name,
    "camel": lambda name: camel_case(name.rstrip("_")),
    "pascal": lambda name: pascal_case(name.rstrip("_")),
    "kebab": lambda name: name.rstrip("_").replace("_", "-"),
}
_STYLE_NAMES = {
    "": "",
    "camel": " In JSON its names are in camelCase.",
    "pascal": " In JSON its names are in PascalCase.",
    "kebab": " In JSON its names are in kebab-case.",
}

_OPPOSITE = {"ge": "<", "gt": "<=", "le": ">", "lt": ">="}


def imports(message: Message | Kinds, also: Sequence[str] = ()) -> list[str]:
    """Return the lines that import what the annotations use, and other names, from the standard library."""
    names: dict[str, set[str]] = {}
    for name in {*_imported(message), *also}:
        names.setdefault(_MODULES[name], set()).add(name)
    return [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]


def definitions(message: Message | Kinds) -> list[str]:
    """Return the source of each class, nested ones first, and of each type that is too long for its line."""
    docstrings = {class_.class_name: docstring for class_, docstring in documented_classes(message)}
    if isinstance(message, Message):
        return [*_Writer(docstrings).message(message)]
    writer = _Writer(docstrings)
    writer.taken.add(message.name)
    classes = [text for kind in message.kinds for text in writer.message(kind)]
    return [*classes, _union(message.name, " | ".join(map(annotation, message.kinds)))]


class Subject(NamedTuple):
    """An expression that `handle` can match on, such as "message.payload", and the classes it can have."""

    expression: str
    class_names: list[str]


def subject(message: Message | Kinds) -> Subject | None:
    """Return what `handle` can match on: the message, or a field of it; None if nothing has several kinds."""
    if isinstance(message, Kinds):
        return Subject("message", [kind.class_name for kind in message.kinds])
    for field in message.fields:
        if kinds := kinds_of(field.type):
            return Subject(f"message.{field.name}", [kind.class_name for kind in kinds])
    return None


def identifier(message: Message | Kinds) -> str | None:
    """Return the name of the field that tells messages apart in a log; None if none seems to."""
    for field in message.fields if isinstance(message, Message) else ():
        plain = isinstance(field.type, Scalar) and field.type.name in {"str", "int", "UUID"}
        if plain and is_id(field.name):
            return field.name
    return None


def documented_classes(message: Message | Kinds) -> list[tuple[Message, str]]:
    """Return each kind of message and every object in it once, with its docstring, before the objects in it."""
    found: dict[str, tuple[Message, str]] = {}
    for kind in message.kinds if isinstance(message, Kinds) else [message]:
        what = f"One kind of {message.name}." if isinstance(message, Kinds) else "One message."
        found[kind.class_name] = (kind, what + _naming(kind))
        _add_documented(kind, found)
    return list(found.values())


def _add_documented(message: Message, found: dict[str, tuple[Message, str]]) -> None:
    for field in message.fields:
        part = f"Part of {message.class_name}: {field.name}."
        if columns(f'    """{part}"""') > LINE_LENGTH:
            part = f"Part of {message.class_name}."
        for nested in _nested(field.type):
            if nested.class_name not in found:
                found[nested.class_name] = (nested, part)
                _add_documented(nested, found)


def source(value: Any) -> str:
    """Return a value as Python source, as ruff format would leave it."""
    if isinstance(value, Decimal):
        return f'Decimal("{value}")'
    if not isinstance(value, str):  # an empty list or dict too, which msgspec copies for each message
        return repr(value).replace("e+", "e")
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + value.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


def renaming(message: Message) -> str:
    """Return the style that gives most of the names in JSON; "" is no renaming."""
    return max(_STYLES, key=lambda style: sum(_is_derived(field, style) for field in message.fields))


def _is_derived(field: Field, style: str) -> bool:
    """Tell whether a style gives the field's name in JSON."""
    return _STYLES[style](field.name) == field.wire_name


def _naming(message: Message) -> str:
    """Return the sentence about the names in JSON, if it is true of each of them."""
    style = renaming(message)
    return _STYLE_NAMES[style] if all(_is_derived(field, style) for field in message.fields) else ""


# --- annotations -------------------------------------------------------------------------------


def annotation(type_: Type) -> str:
    """Return the annotation of a type, on one line."""
    match type_:
        case Message(class_name=name):
            return name
        case Nullable(item=item):
            return f"{annotation(item)} | None"
        case Union(options=options):
            return " | ".join(map(annotation, options))
        case Anything():
            return "Any"
        case Choice(values=values):
            return f"Literal[{', '.join(map(source, values))}]"
        case ListOf(item=item) | DictOf(item=item):
            base = f"{_opening(type_)}{annotation(item)}]"
        case Scalar(name=name):
            base = name
    meta = _meta(type_)
    return f"Annotated[{base}, {meta}]" if meta else base


def _meta(type_: Type | Kinds) -> str:
    """Return the msgspec.Meta that restricts a type; nothing if any value will do."""
    match type_:
        case Scalar(name="datetime"):
            arguments = ["tz=True"]
        case Scalar(name="Decimal"):
            arguments = []  # msgspec has no bounds for it; the class checks them
        case Scalar(bounds=bounds, length=length):
            arguments = [f"{name}={source(limit)}" for name, limit in given(bounds)] + _lengths(length)
        case ListOf(length=length) | DictOf(length=length):
            arguments = _lengths(length)
        case _:
            arguments = []
    return f"msgspec.Meta({', '.join(arguments)})" if arguments else ""


def _lengths(length: Length) -> list[str]:
    limits = {"min_length": length.least, "max_length": length.greatest}
    return [f"{name}={limit}" for name, limit in limits.items() if limit is not None]


def _opening(type_: ListOf | DictOf) -> str:
    """Return the annotation up to the item."""
    return "list[" if isinstance(type_, ListOf) else "dict[str, "


def _imported(type_: Type | Kinds) -> set[str]:
    """Return the names from the standard library that the classes of a type use."""
    own = {"Annotated"} if _meta(type_) else set()
    match type_:
        case Scalar(name=name) if name in _MODULES:
            own.add(name)
        case Choice():
            own.add("Literal")
        case Anything():
            own.add("Any")
    return own.union(*(_imported(part) for part in parts(type_)))


def _nested(type_: Type) -> Iterator[Message]:
    """Yield the objects directly in a type, but not those in them."""
    if isinstance(type_, Message):
        yield type_
    else:
        for part in parts(type_):
            yield from _nested(part)


# --- classes -----------------------------------------------------------------------------------


class _Writer:
    def __init__(self, docstrings: dict[str, str]) -> None:
        self.docstrings = docstrings  # by class name
        self.taken = set(docstrings)
        self.written: set[str] = set()
        self.named: dict[str, str] = {}  # the aliases so far, by annotation

    def free(self, name: str) -> str:
        """Return the name, with a number after it if it is taken."""
        names = (f"{name}{n}" if n > 1 else name for n in itertools.count(1))
        found = next(each for each in names if each not in self.taken and not is_taken(each))
        self.taken.add(found)
        return found

    def message(self, message: Message) -> Iterator[str]:
        lines = []
        self.written.add(message.class_name)
        for field in message.fields:
            for nested in _nested(field.type):
                if nested.class_name not in self.written:  # a class can be used again by its name
                    yield from self.message(nested)
            aliases: list[str] = []
            lines.append(self.field(field, renaming(message), aliases))
            yield from aliases
        docstring = f'    """{self.docstrings[message.class_name]}"""'
        body = [*_not_checked(message), *lines]
        yield "\n".join([_header(message), docstring, *([""] if body else []), *body, *_post_init(message)])

    def field(self, field: Field, style: str, aliases: list[str]) -> str:
        """Return the line of a field. A type that is too long for it is added to `aliases`."""
        start, value = f"    {field.name}: ", _value(field, style)
        end = f" = {value[0]}" if value else ""
        line = start + annotation(field.type) + end
        if columns(line) <= LINE_LENGTH:
            return line
        broken_end = value[1] if value else ""
        room = LINE_LENGTH - columns(start) - columns(broken_end.partition("\n")[0])
        short = self.short(field.type, room, pascal_case(field.name)[: LINE_LENGTH - 30 - len(start)], aliases)
        line = start + short + end
        return line if columns(line) <= LINE_LENGTH else start + short + broken_end

    def short(self, type_: Type, room: int, name: str, aliases: list[str]) -> str:
        """Return the annotation if there is room for it, or else the name of an alias for it."""
        text = annotation(type_)
        if columns(text) <= room or isinstance(type_, Message):
            return text
        if isinstance(type_, Nullable):
            return f"{self.short(type_.item, room - len(' | None'), name, aliases)} | None"
        if isinstance(type_, Union):
            return self.short_union(type_, room, name, aliases)
        if text not in self.named:
            self.named[text] = name = self.free(name)
            aliases.append(self.alias(type_, name, aliases))
        return self.named[text]

    def short_union(self, union: Union, room: int, name: str, aliases: list[str]) -> str:
        """Return the union with names for its long types, or the name of an alias for all of it."""
        each = max(1, room // len(union.options) - len(" | "))
        text = " | ".join(self.short(option, each, f"{name}{n}", aliases) for n, option in enumerate(union.options, 1))
        if columns(text) <= room:
            return text
        if text not in self.named:
            self.named[text] = name = self.free(name)
            aliases.append(_union(name, text))
        return self.named[text]

    def alias(self, type_: Type, name: str, aliases: list[str]) -> str:
        line = f"{name} = {annotation(type_)}"
        if columns(line) <= LINE_LENGTH:
            return line
        meta = _meta(type_)
        match type_:
            case Choice(values=values):
                return _multiline(name, "Literal", [source(value) for value in values])
            case ListOf(item=item) | DictOf(item=item):
                opening = _opening(type_)
                around = f"    {opening}]," if meta else f"{name} = {opening}]"
                base = f"{opening}{self.short(item, LINE_LENGTH - len(around), f'{name}Item', aliases)}]"
                return _multiline(name, "Annotated", [base, meta]) if meta else f"{name} = {base}"
            case Scalar():
                return _multiline(name, "Annotated", [type_.name, meta])
        raise AssertionError(type_)


def _value(field: Field, style: str) -> tuple[str, str] | None:
    """Return what follows the annotation: on the same line, and broken into several; None for nothing."""
    default = source(field.default.value) if field.default else ""
    if _is_derived(field, style):
        return (default, f" = (\n        {default}\n    )") if default else None
    arguments = [f"default={default}"] if default else []
    arguments.append(f"name={source(field.wire_name)}")
    inside = f"        {', '.join(arguments)}\n"
    if columns(inside) > LINE_LENGTH:
        inside = "".join(f"        {argument},\n" for argument in arguments)
    return f"msgspec.field({', '.join(arguments)})", f" = msgspec.field(\n{inside}    )"


def _union(name: str, text: str) -> str:
    """Return an alias for a union, in parentheses if it needs more than one line."""
    if columns(f"{name} = {text}") <= LINE_LENGTH:
        return f"{name} = {text}"
    inside = text if columns(f"    {text}") <= LINE_LENGTH else text.replace(" | ", "\n    | ")
    return f"{name} = (\n    {inside}\n)"


def _multiline(name: str, generic: str, elements: list[str]) -> str:
    return "\n".join([f"{name} = {generic}[", *(f"    {element}," for element in elements), "]"])


def _header(message: Message) -> str:
    arguments = ["msgspec.Struct", "frozen=True"]
    optional = [field.default is not None for field in message.fields]
    if optional != sorted(optional):  # a required field follows an optional one
        arguments.append("kw_only=True")
    if message.tag and message.tag.wire_name != "type":  # msgspec's default
        arguments.append(f"tag_field={source(message.tag.wire_name)}")
    if message.tag:
        arguments.append(f"tag={source(message.tag.value)}")
    if message.is_closed:
        arguments.append("forbid_unknown_fields=True")
    if style := renaming(message):
        arguments.append(f'rename="{style}"')
    line = f"class {message.class_name}({', '.join(arguments)}):"
    if columns(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"class {message.class_name}(", *(f"    {argument}," for argument in arguments), "):"])


def _not_checked(message: Message) -> list[str]:
    """Return the comment that names the rules of a pasted schema that the class does not check."""
    if not message.not_checked:
        return []
    text = f"Rules of the schema that are not checked here: {', '.join(message.not_checked)}."
    return textwrap.wrap(text, LINE_LENGTH, initial_indent="    # ", subsequent_indent="    # ")


def _post_init(message: Message) -> Iterator[str]:
    """Yield the checks of bounded Decimals: msgspec has no bounds for them, but reports a ValueError."""
    decimals = [(field, found) for field in message.fields if (found := bounded_decimal(field))]
    if not decimals:
        return
    yield from ("", "    def __post_init__(self) -> None:")
    for field, decimal in decimals:
        value, indent = f"self.{field.name}", "        "
        if isinstance(field.type, Nullable):
            yield f"{indent}if {value} is not None:"
            indent += "    "
        yield f"{indent}if not {value}.is_finite():"
        yield _raising(indent, field.wire_name, "to be finite")
        for name, limit in given(decimal.bounds):
            number = str(limit) if limit == int(limit) and "E" not in str(limit) else source(limit)
            line = f"{indent}if {value} {_OPPOSITE[name]} {number}:"
            yield line if columns(line) <= LINE_LENGTH else _broken(line, indent)
            yield _raising(indent, field.wire_name, f"{SIGNS[name]} {limit}")


def _broken(line: str, indent: str) -> str:
    """Break a line inside the parentheses at its end."""
    start, argument, end = re.split(r"(?<=\()(.*)(?=\))", line)
    return f"{start}\n{indent}    {argument}\n{indent}{end}"


def _raising(indent: str, wire_name: str, expected: str) -> str:
    """Return the statement that refuses a value. A long text has a line of its own, or two."""
    start = f"Expected `{wire_name}` "
    line = f"{indent}    raise ValueError({source(start + expected)})"
    if columns(line) <= LINE_LENGTH:
        return line
    text = f"{indent}        {source(start + expected)}"
    if columns(text) > LINE_LENGTH:
        text = f"{indent}        {source(start)}\n{indent}        {source(expected)}"
    return f"{indent}    raise ValueError(\n{text}\n{indent}    )"


def bounded_decimal(field: Field) -> Scalar | None:
    """Return the type of a field if it is a Decimal with bounds."""
    type_ = field.type.item if isinstance(field.type, Nullable) else field.type
    return type_ if isinstance(type_, Scalar) and type_.name == "Decimal" and given(type_.bounds) else None
