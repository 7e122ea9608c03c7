"""Values that break the example of a message, and where msgspec then finds the fault."""

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from local_extensions.fields.limits import allows
from local_extensions.fields.model import (
    Anything,
    Bounds,
    Choice,
    DictOf,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Type,
    Union,
)
from local_extensions.fields.names import singular
from local_extensions.fields.types import json_kind
from local_extensions.output.example import example
from local_extensions.output.python import bounded_decimal

# Dicts and base64 of a wrong length are only written out up to this length.
LONGEST_WRITTEN = 50

MISSING = object()

WRONG = {
    "int": "one",
    "float": "one and a half",
    "Decimal": "one and a half",
    "bool": "yes",
    "date": "2026-13-01",
    "time": "25:00:00",
    "datetime": "2026-01-01T08:30:00",  # without a zone
    "UUID": "1",
}


@dataclass(frozen=True)
class Times:
    """The first character or item of the example, this many times."""

    count: int


class Refusal(NamedTuple):
    """A value that breaks a message.

    path: where to put it in the example. value: a JSON value, Times, or MISSING to remove the key.
    at: the path that msgspec names, without its "$", such as ".items[0].sku".
    """

    path: tuple[str | int, ...]
    value: Any
    at: str

    def below(self, key: str | int, at: str) -> "Refusal":
        """Return the same refusal for an object or array that has it under `key`."""
        return self._replace(path=(key, *self.path), at=at + self.at)


def refusals(type_: Type, name: str = "") -> Iterator[Refusal]:
    """Yield what breaks a type, for its first example; `name` is that of its field, if it has one."""
    match type_:
        case Message():
            yield from of_message(type_, name)
        case Nullable(item=item):
            yield from (each for each in refusals(item, name) if each.path or each.value is not None)
        case Union(options=options):
            kinds = {json_kind(option) for option in options}
            values = {"bool": True, "int": 1, "float": 1.5, "string": "x", "array": [], "object": {}}
            others = kinds | ({"int"} if "float" in kinds or "string" in kinds else set()) | {"float", "string"}
            yield from (Refusal((), value, "") for kind, value in values.items() if kind not in others)
            if isinstance(options[0], Message) and options[0].tag:
                yield from (each for each in of_message(options[0], "") if each.path)
        case Anything():
            return
        case Choice(values=values):
            numbers = [value for value in values if isinstance(value, int)]
            wrong = [max(numbers) + 1, "one"] if numbers else ["".join(map(str, values)) + "?", 1]
            yield from (Refusal((), value, "") for value in [*wrong, None])
        case ListOf(item=item, length=length):
            lengths = [Times(count) for count in forbidden_lengths(length)]
            yield from (Refusal((), value, "") for value in [1, None, *lengths])
            yield from (each.below(0, "[0]") for each in refusals(item, singular(name)))
        case DictOf(item=item, length=length):
            counts = [count for count in forbidden_lengths(length) if count <= LONGEST_WRITTEN]
            filled = [{f"key-{i}": example(item, singular(name)) for i in range(count)} for count in counts]
            yield from (Refusal((), value, "") for value in [1, None, *filled])
            yield from (each.below("key-1", "[...]") for each in refusals(item, singular(name)))
        case Scalar():
            yield from (Refusal((), value, "") for value in of_scalar(type_))


def of_message(message: Message, name: str) -> Iterator[Refusal]:
    if message.tag:  # alone, the class does not need the tag
        yield Refusal((message.tag.wire_name,), "no such tag", f".{message.tag.wire_name}")
    if name:  # a whole body that is not an object has no place in an object
        yield from (Refusal((), [], ""), Refusal((), None, ""))
    for field in message.fields:
        key = field.wire_name
        yield from (each.below(key, f".{key}") for each in refusals(field.type, field.name))
        if decimal := bounded_decimal(field):  # the class refuses these, so msgspec names the object
            numbers = [str(number) for number in forbidden_numbers(decimal.bounds, Decimal(1))]
            yield from (Refusal((key,), value, "") for value in [*numbers, "NaN"])
        if not field.default:
            yield Refusal((key,), MISSING, "")


def of_scalar(scalar: Scalar) -> Iterator[Any]:
    yield WRONG.get(scalar.name, 1)
    if scalar.name == "datetime":
        yield "yesterday"
    yield None
    for count in forbidden_lengths(scalar.length):
        if scalar.name == "str":
            yield Times(count)
        elif count <= LONGEST_WRITTEN:
            yield base64.b64encode(b"x" * count).decode()
    if scalar.name != "Decimal":
        yield from (number for number in forbidden_numbers(scalar.bounds, 1) if math.isfinite(number))


def forbidden_lengths(length: Length) -> list[int]:
    """Return the nearest lengths outside the limits."""
    too_short = [length.least - 1] if length.least else []
    too_long = [length.greatest + 1] if length.greatest is not None else []
    return too_short + too_long


def forbidden_numbers(bounds: Bounds, one: Any) -> list[Any]:
    """Return the nearest numbers outside the bounds."""
    low = bounds.ge - one if bounds.ge is not None else bounds.gt
    high = bounds.le + one if bounds.le is not None else bounds.lt
    return [number for number in (low, high) if number is not None and not allows(bounds, number)]


def broken(body: dict[str, Any], refusal: Refusal) -> dict[str, Any]:
    """Return the example with the value of a refusal in it."""
    copied: dict[str, Any] = json.loads(json.dumps(body))
    parent: Any = copied
    *parents, last = refusal.path
    for key in parents:
        parent = parent[key]
    if refusal.value is MISSING:
        del parent[last]
    else:
        parent[last] = parent[last][:1] * refusal.value.count if isinstance(refusal.value, Times) else refusal.value
    return copied
