"""Objects that a constant tells apart: `{type: "placed", …} | {type: "cancelled", …}`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slugify import slugify

from local_extensions.fields.expressions import Code, constant
from local_extensions.fields.faults import Span
from local_extensions.fields.model import Message, Tag, Type, Union
from local_extensions.fields.names import python_name
from local_extensions.fields.source import Source

Constants = Mapping[str, str | int]

A_CONSTANT = 'give each its own, such as type: "a" and type: "b"'


def tags_of(objects: Sequence[Constants]) -> list[Tag] | None:
    """Return the tag of each object, if a field has a constant of its own in each of them.

    objects: the fields of each object that are constants, with their values.
    """
    # msgspec 0.22 does not find a tag in a field with another name.
    for name in filter(str.isascii, objects[0]):
        values = [each[name] for each in objects if name in each]
        if len(set(values)) == len(objects) and len(set(map(type, values))) == 1:
            return [Tag(name, value) for value in values]
    return None


def told_apart(objects: Sequence[Message]) -> bool:
    """Tell whether objects have tags that tell them apart."""
    return bool(tags_of([{each.tag.wire_name: each.tag.value} if each.tag else {} for each in objects]))


def why_not(objects: Sequence[Constants]) -> tuple[int, str]:
    """Say which object keeps a tag from being found, by its place, and why."""
    first = objects[0]
    names = {name for each in objects for name in each}
    name = max(names, key=lambda name: sum(name in each for each in objects), default=None)
    if name is None:
        return 1, f"nothing tells it from the other objects; {A_CONSTANT}"
    for place, each in enumerate(objects):
        if name not in each:
            return place, f"it has no constant `{name}` to tell it from the other objects; {A_CONSTANT}"
        if any(each[name] == other[name] for other in objects[:place]):
            return place, f"another object has the same constant `{name}`; {A_CONSTANT}"
        if type(each[name]) is not type(first[name]):
            return place, f"the constants `{name}` must all be strings, or all numbers"
    return 0, f"`{name}` must be ASCII if it tells objects apart"


def typed_constants(source: Source, braces: Span) -> Constants:
    """Return the fields in a pair of braces whose type is a constant, with their values."""
    found: dict[str, str | int] = {}
    for piece in source.split(Span(braces.start + 1, braces.end - 1), ","):
        name, *rest = source.split(piece, ":")
        node = Code(source, Span(rest[0].start, piece.end)).expression() if rest else None
        value = constant(node) if node else None
        if isinstance(value, str | int) and not isinstance(value, bool):
            found[wire_name(source.at(name).strip())] = value
    return found


def wire_name(typed: str) -> str:
    """Return the name in JSON that was typed, with or without quotes."""
    node = Code.of(typed).expression() if typed[:1] in {'"', "'"} else None
    value = node and constant(node)
    return value if isinstance(value, str) else typed


def kind_name(tag: Tag) -> str:
    """Return what the class of an object is named after: its constant, or a number with the name of its field."""
    own = str(tag.value)
    return python_name(own if slugify(own)[:1].isalpha() else f"{tag.wire_name} {own}")


def with_tag(message: Message, tag: Tag) -> Message:
    """Return an object whose class has the tag in place of the field with it."""
    fields = tuple(field for field in message.fields if field.wire_name != tag.wire_name)
    return replace(message, fields=fields, tag=tag)


def kinds_of(type_: Type) -> tuple[Message, ...] | None:
    """Return the objects of a union that has only objects; None for another type."""
    if isinstance(type_, Union):
        kinds = tuple(option for option in type_.options if isinstance(option, Message))
        if len(kinds) == len(type_.options):
            return kinds
    return None
