"""The parts of a message, as plain data without behaviour."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Length:
    """The least and the greatest length, both included; None is no limit."""

    least: int | None = None
    greatest: int | None = None


@dataclass(frozen=True)
class Bounds:
    """The limits of a number, named as in msgspec.Meta: ge is >=, gt is >, le is <=, lt is <."""

    ge: Any = None
    gt: Any = None
    le: Any = None
    lt: Any = None


@dataclass(frozen=True)
class Scalar:
    """A single value of the Python type `name`. int, float and Decimal have bounds, str and bytes a length."""

    name: str
    bounds: Bounds = Bounds()
    length: Length = Length()


@dataclass(frozen=True)
class Choice:
    """One of some strings, or one of some whole numbers."""

    values: tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True)
class ListOf:
    """A list of items of one type."""

    item: "Type"
    length: Length = Length()


@dataclass(frozen=True)
class DictOf:
    """A dict from strings to items of one type."""

    item: "Type"
    length: Length = Length()


@dataclass(frozen=True)
class Anything:
    """Any JSON value, null included."""


@dataclass(frozen=True)
class Union:
    """One of several types that JSON tells apart. If more than one is an object, each of these has a tag."""

    options: "tuple[Type, ...]"


@dataclass(frozen=True)
class Nullable:
    """Another type, or null."""

    item: "Type"


@dataclass(frozen=True)
class Default:
    """The value of a field that is left out: None, a bool, a number, a string, or an empty list or dict."""

    value: Any


@dataclass(frozen=True)
class Field:
    """A field of a message: its name in Python and in JSON. It is required if it has no default."""

    name: str
    wire_name: str
    type: "Type"
    default: Default | None = None


@dataclass(frozen=True)
class Tag:
    """The constant that tells an object from others: the name of its field in JSON, and its value."""

    wire_name: str
    value: str | int


@dataclass(frozen=True)
class Message:
    """A message, or an object in one: a class and its fields, in the order they were typed.

    is_closed: no other key is allowed. not_checked: rules of a pasted schema that the class does not check.
    """

    class_name: str
    fields: tuple[Field, ...]
    tag: Tag | None = None
    is_closed: bool = False
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kinds:
    """A message of several kinds: the name for all of them, and each of them, with its tag."""

    name: str
    kinds: tuple[Message, ...]


Type = Scalar | Choice | ListOf | DictOf | Anything | Union | Nullable | Message


def parts(type_: Type | Kinds) -> tuple[Type, ...]:
    """Return the types that a type is made of."""
    match type_:
        case ListOf(item=item) | DictOf(item=item) | Nullable(item=item):
            return (item,)
        case Union(options=options):
            return options
        case Kinds(kinds=kinds):
            return kinds
        case Message(fields=fields):
            return tuple(field.type for field in fields)
    return ()
