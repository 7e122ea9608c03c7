"""The types of a message's fields: each knows its Python annotation, examples, and what it refuses.

Values are JSON values throughout: what `json.dumps` takes and a producer sends.
"""

import ast
import base64
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

# Objects and base64 of a wrong length are written out, if they are no longer than this.
_LONGEST_WRITTEN = 50


@dataclass(frozen=True)
class Times:
    """The first character or item of what stands in the example, so many times."""

    count: int


MISSING = object()

# The limits of Bounds, as they are typed.
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


class Refusal(NamedTuple):
    """A value that breaks a message: where to put it in the example, and where msgspec then points.

    path: object keys and array indexes from the top. value: a JSON value (None is null), or Times, or
    MISSING to remove the key. at: msgspec's path from the top without its "$", as in ".items[0].sku".
    """

    path: tuple[str | int, ...]
    value: Any
    at: str

    def below(self, key: str | int, at: str) -> "Refusal":
        """The same refusal, seen from an object or array that holds it under `key`."""
        return self._replace(path=(key, *self.path), at=at + self.at)


@dataclass(frozen=True)
class Length:
    """The least and the greatest length, both included; None is no limit."""

    least: int | None = None
    greatest: int | None = None

    def meta(self) -> list[str]:
        limits = {"min_length": self.least, "max_length": self.greatest}
        return [f"{name}={limit}" for name, limit in limits.items() if limit is not None]

    @property
    def typed(self) -> str:
        """The length in the field language, such as "[1:64]"; nothing where any will do."""
        least, greatest = self.least, self.greatest
        if least is None and greatest is None:
            return ""
        return f"[{least}]" if least == greatest else f"[{'' if least is None else least}:{greatest or ''}]"

    def nearest(self, length: int) -> int:
        """The allowed length that is nearest to the given one."""
        if self.least is not None:
            length = max(length, self.least)
        return length if self.greatest is None else min(length, self.greatest)

    def forbidden(self) -> list[int]:
        """Lengths that are just not allowed."""
        too_short = [self.least - 1] if self.least else []
        too_long = [self.greatest + 1] if self.greatest is not None else []
        return too_short + too_long


@dataclass(frozen=True)
class Bounds:
    """The limits of a number, as msgspec.Meta names them: ge is >=, gt is >, le is <=, lt is <."""

    ge: Any = None
    gt: Any = None
    le: Any = None
    lt: Any = None

    def items(self) -> list[tuple[str, Any]]:
        return [(name, limit) for name, limit in vars(self).items() if limit is not None]

    def typed(self, name: str) -> str:
        """A number of that type within these bounds, in the field language, such as "1 <= int <= 5"."""
        low = {"ge": "<=", "gt": "<"}
        before, after = "", ""
        for sign, limit in self.items():
            if sign in low and (self.le is not None or self.lt is not None):
                before = f"{limit} {low[sign]} "
            else:
                after = f" {SIGNS[sign]} {limit}"
        return f"{before}{name}{after}"

    def allow(self, number: Any) -> bool:
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )

    def allowed(self, wanted: Any) -> Any:
        """An allowed number, the wanted one if it is; None if there is none to be found."""
        low = self.ge if self.ge is not None else self.gt
        high = self.le if self.le is not None else self.lt
        candidates = [wanted]
        if low is not None:
            candidates += [low + wanted - 1, low + wanted, low + 1, low]
        if high is not None:
            candidates += [high - wanted, high - 1, high]
        if low is not None and high is not None and not isinstance(wanted, int):
            candidates.append(low + (high - low) / 2)
        if isinstance(wanted, float):
            candidates += [math.nextafter(limit, side) for limit in (low, high) if limit is not None
                           for side in (math.inf, -math.inf)]  # fmt: skip
            candidates = [number for number in candidates if math.isfinite(number)]
        return next((number for number in candidates if self.allow(number)), None)

    def forbidden(self, one: Any) -> list[Any]:
        """Numbers beyond the limits, by `one` where a limit itself is allowed."""
        numbers = [self.ge - one if self.ge is not None else self.gt, self.le + one if self.le is not None else self.lt]
        return [number for number in numbers if number is not None and not self.allow(number)]


@dataclass(frozen=True)
class Type:
    """What all types share."""

    @property
    def annotation(self) -> str:
        """The type as Python source, on one line."""
        raise NotImplementedError

    @property
    def typed(self) -> str:
        """The type in the field language; a nested message by the name of its class."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple["Type", ...]:
        """The types this one is made of."""
        return ()

    @property
    def names(self) -> set[str]:
        """The names that the annotation uses, those of its parts aside."""
        return set()

    @property
    def names_in_class(self) -> set[str]:
        """The names that the annotation uses, those of its parts included."""
        return self.names.union(*(part.names_in_class for part in self.parts))

    def size(self) -> int:
        """About how many characters an example takes."""
        return 20

    def example(self, name: str, n: int) -> Any:
        """The n-th example (from 1) for a field of that name."""
        raise NotImplementedError

    def refusals(self, name: str) -> Iterator[Refusal]:
        """What breaks the type, seen from its first example."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scalar(Type):
    """A type that holds one value: `name` is its name in Python."""

    name: str
    bounds: Bounds = Bounds()
    length: Length = Length()

    @property
    def meta(self) -> list[str]:
        """The arguments of msgspec.Meta."""
        if self.name == "datetime":
            return ["tz=True"]
        if self.name == "Decimal":  # msgspec has no bounds for it; the class checks them itself
            return []
        return [f"{name}={source(limit)}" for name, limit in self.bounds.items()] + self.length.meta()

    @property
    def annotation(self) -> str:
        return f"Annotated[{self.name}, msgspec.Meta({', '.join(self.meta)})]" if self.meta else self.name

    @property
    def typed(self) -> str:
        return self.bounds.typed(self.name) + self.length.typed

    @property
    def names(self) -> set[str]:
        return {self.name, "Annotated"} if self.meta else {self.name}

    def size(self) -> int:
        return self.length.nearest(40)

    def example(self, name: str, n: int) -> Any:
        match self.name:
            case "str":
                return _stretched(_text(name, n), self.length)
            case "int":
                return self.bounds.allowed(n)
            case "float":
                return self.bounds.allowed(n + 0.5)
            case "Decimal":
                return str(self.bounds.allowed(Decimal(f"{n}.50")))
            case "bool":
                return n % 2 == 1
            case "date":
                return f"2026-01-{n:02}"
            case "time":
                return f"08:30:{n:02}"
            case "datetime":
                return f"2026-01-{n:02}T08:30:00Z"
            case "UUID":
                return f"00000000-0000-4000-8000-{n:012}"
            case "bytes":
                return base64.b64encode(_stretched(_text(name, n), self.length).encode()).decode()
        raise AssertionError(self.name)

    def refusals(self, name: str) -> Iterator[Refusal]:
        wrong = {
            "int": "one",
            "float": "one and a half",
            "Decimal": "one and a half",
            "bool": "yes",
            "date": "2026-13-01",
            "time": "25:00:00",
            "datetime": "2026-01-01T08:30:00",  # no zone
            "UUID": "1",
        }
        yield Refusal((), wrong.get(self.name, 1), "")
        if self.name == "datetime":
            yield Refusal((), "yesterday", "")
        yield Refusal((), None, "")
        for length in self.length.forbidden():
            if self.name == "str":
                yield Refusal((), Times(length), "")
            elif length <= _LONGEST_WRITTEN:
                yield Refusal((), base64.b64encode(b"x" * length).decode(), "")
        if self.name != "Decimal":
            yield from (Refusal((), number, "") for number in self.bounds.forbidden(1) if math.isfinite(number))

    def refused_by_class(self) -> list[str]:
        """The Decimals that only the class refuses, for one with bounds: they break the object, not the field."""
        return [str(number) for number in self.bounds.forbidden(Decimal(1))] + ["NaN"]


@dataclass(frozen=True)
class Choice(Type):
    """One of some strings, or one of some whole numbers."""

    values: tuple[str, ...] | tuple[int, ...]

    @property
    def annotation(self) -> str:
        return f"Literal[{', '.join(map(source, self.values))}]"

    @property
    def typed(self) -> str:
        return " | ".join(map(source, self.values))

    @property
    def names(self) -> set[str]:
        return {"Literal"}

    def example(self, name: str, n: int) -> Any:
        return self.values[(n - 1) % len(self.values)]

    def refusals(self, name: str) -> Iterator[Refusal]:
        if isinstance(self.values[0], str):
            yield Refusal((), "".join(map(str, self.values)) + "?", "")
            yield Refusal((), 1, "")
        else:
            numbers = [value for value in self.values if isinstance(value, int)]
            yield Refusal((), max(numbers) + 1, "")
            yield Refusal((), "one", "")
        yield Refusal((), None, "")


@dataclass(frozen=True)
class Container(Type):
    """A list of, or a dict from strings to, another type: `name` is "list" or "dict"."""

    name: str
    item: Type
    length: Length = Length()

    @property
    def bare(self) -> str:
        """The start of the annotation, before the item."""
        return "list[" if self.name == "list" else "dict[str, "

    @property
    def annotation(self) -> str:
        text = f"{self.bare}{self.item.annotation}]"
        return f"Annotated[{text}, msgspec.Meta({', '.join(self.length.meta())})]" if self.length.meta() else text

    @property
    def typed(self) -> str:
        return f"{self.bare}{self.item.typed}]{self.length.typed}"

    @property
    def parts(self) -> tuple[Type, ...]:
        return (self.item,)

    @property
    def names(self) -> set[str]:
        names = {self.name} if self.name == "list" else {self.name, "str"}
        return names | {"Annotated"} if self.length.meta() else names

    def size(self) -> int:
        return self.length.nearest(1) * (self.item.size() + 10)

    def example(self, name: str, n: int) -> Any:
        return self._filled(name, n, self.length.nearest(1))

    def _filled(self, name: str, n: int, length: int) -> Any:
        item = self.item.example(singular(name), n)
        return [item] * length if self.name == "list" else {f"key-{i}": item for i in range(1, length + 1)}

    def refusals(self, name: str) -> Iterator[Refusal]:
        yield Refusal((), 1, "")
        yield Refusal((), None, "")
        for length in self.length.forbidden():
            if self.name == "list":
                yield Refusal((), Times(length), "")
            elif length <= _LONGEST_WRITTEN:
                yield Refusal((), self._filled(name, 1, length), "")
        first, at = (0, "[0]") if self.name == "list" else ("key-1", "[...]")
        for refusal in self.item.refusals(singular(name)):
            yield refusal.below(first, at)


@dataclass(frozen=True)
class Nullable(Type):
    """Another type, or null."""

    item: Type

    @property
    def annotation(self) -> str:
        return f"{self.item.annotation} | None"

    @property
    def typed(self) -> str:
        return f"{self.item.typed} | None"

    @property
    def parts(self) -> tuple[Type, ...]:
        return (self.item,)

    def size(self) -> int:
        return self.item.size()

    def example(self, name: str, n: int) -> Any:
        return self.item.example(name, n)

    def refusals(self, name: str) -> Iterator[Refusal]:
        for refusal in self.item.refusals(name):
            if refusal.path or refusal.value is not None:
                yield refusal


@dataclass(frozen=True)
class Field:
    """One field of a message. `default` is Python source, None where the field is required."""

    name: str
    type: Type
    default: str | None = None

    @property
    def wire_name(self) -> str:
        """The name in JSON: camelCase, as msgspec's `rename="camel"` makes it."""
        return camel_case(self.name)

    @property
    def default_value(self) -> Any:
        """The default as a JSON value, None where there is none or where it is null."""
        # What is in the parentheses of a Decimal is its text, and that is how it is sent.
        return None if self.default is None else ast.literal_eval(self.default.removeprefix("Decimal"))

    @property
    def decimal(self) -> Scalar | None:
        """The field's type, if it is a Decimal with bounds."""
        type_ = self.type.item if isinstance(self.type, Nullable) else self.type
        return type_ if isinstance(type_, Scalar) and type_.name == "Decimal" and type_.bounds.items() else None


@dataclass(frozen=True)
class Message(Type):
    """A message, or an object nested in one: a class and its fields, in the order they were typed."""

    class_name: str
    fields: tuple[Field, ...]

    @property
    def annotation(self) -> str:
        return self.class_name

    @property
    def typed(self) -> str:
        return self.class_name

    @property
    def names_in_class(self) -> set[str]:
        return set()  # its fields are in a class of their own

    @property
    def parts(self) -> tuple[Type, ...]:
        return tuple(field.type for field in self.fields)

    def size(self) -> int:
        return sum(len(field.wire_name) + 6 + field.type.size() for field in self.fields)

    def example(self, name: str = "", n: int = 1) -> dict[str, Any]:
        return {field.wire_name: field.type.example(field.name, n) for field in self.fields}

    def broken_example(self, n: int = 1) -> dict[str, Any]:
        """The n-th example with a first field that the class refuses."""
        first = next(self.refusals())
        return {**self.example(n=n), str(first.path[0]): first.value}

    def refusals(self, name: str = "") -> Iterator[Refusal]:
        if name:  # nested; what is no object at all is no message either, but has no place in one
            yield Refusal((), [], "")
            yield Refusal((), None, "")
        for field in self.fields:
            key = field.wire_name
            for refusal in field.type.refusals(field.name):
                yield refusal.below(key, f".{key}")
            if field.decimal:
                yield from (Refusal((key,), value, "") for value in field.decimal.refused_by_class())
            if field.default is None:
                yield Refusal((key,), MISSING, "")


def source(value: str | int | float) -> str:
    """A value as Python source, as ruff format leaves it."""
    if not isinstance(value, str):
        return repr(value).replace("e+", "e")
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + value.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


def snake_case(name: str) -> str:
    """`NewMessage` gives `new_message`, `HTTPRequest` gives `http_request`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel_case(name: str) -> str:
    """`order_id` gives `orderId`."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def pascal_case(name: str) -> str:
    """`order_item` gives `OrderItem`."""
    return "".join(word.title() for word in name.split("_"))


def singular(name: str) -> str:
    """`items` gives `item`: what one of many is called."""
    name = name.rstrip("_")
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if name.endswith(("sses", "shes", "ches", "xes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 2 else name


def _text(name: str, n: int) -> str:
    """`order_id` gives `order-1`: what an identifier identifies, else the field's own name."""
    if name.rpartition("_")[2] == "email":
        return f"customer-{n}@example.com"
    if name.rpartition("_")[2] == "url":
        return f"https://example.com/{n}"
    return f"{name.rstrip('_').removesuffix('_id').replace('_', '-')}-{n}"


def _stretched(text: str, length: Length) -> str:
    """The text, cut or repeated to an allowed length."""
    wanted = length.nearest(len(text))
    return (text * (wanted // len(text) + 1))[:wanted]
