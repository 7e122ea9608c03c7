"""The values that bounds and lengths allow, and the size of an example."""

import math
from typing import Any

from local_extensions.fields.model import (
    Bounds,
    DictOf,
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

# The operator of each bound.
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def given(bounds: Bounds) -> list[tuple[str, Any]]:
    """Return the bounds that are set, by their names."""
    return [(name, limit) for name, limit in vars(bounds).items() if limit is not None]


def allows(bounds: Bounds, number: Any) -> bool:
    """Tell whether a number is within the bounds."""
    return (
        (bounds.ge is None or number >= bounds.ge)
        and (bounds.gt is None or number > bounds.gt)
        and (bounds.le is None or number <= bounds.le)
        and (bounds.lt is None or number < bounds.lt)
    )


def allowed(bounds: Bounds, wanted: Any) -> Any:
    """Return an allowed number of the type of `wanted`, that one if possible; None if there is none."""
    low = bounds.ge if bounds.ge is not None else bounds.gt
    high = bounds.le if bounds.le is not None else bounds.lt
    candidates = [wanted]
    if low is not None:
        candidates += [low + wanted - 1, low + wanted, low + 1, low]
    if high is not None:
        candidates += [high - wanted, high - 1, high]
    if low is not None and high is not None and not isinstance(wanted, int):
        candidates.append(low + (high - low) / 2)
    if isinstance(wanted, float):
        limits = [limit for limit in (low, high) if limit is not None]
        candidates += [math.nextafter(limit, side) for limit in limits for side in (math.inf, -math.inf)]
        candidates = [number for number in candidates if math.isfinite(number)]
    return next((number for number in candidates if allows(bounds, number)), None)


def nearest_length(length: Length, wanted: int) -> int:
    """Return the allowed length that is nearest to the wanted one."""
    if length.least is not None:
        wanted = max(wanted, length.least)
    return wanted if length.greatest is None else min(wanted, length.greatest)


def size(type_: Type | Kinds) -> int:
    """Return about how many characters the examples take, without making one."""
    return _size(type_, {})


def _size(type_: Type | Kinds, known: dict[int, int]) -> int:
    # An object that is used twice, in one that is used twice, and so on, is measured once.
    if id(type_) not in known:
        known[id(type_)] = _measured(type_, known)
    return known[id(type_)]


def _measured(type_: Type | Kinds, known: dict[int, int]) -> int:
    match type_:
        case Scalar(length=length):
            return nearest_length(length, 40)
        case ListOf(item=item, length=length) | DictOf(item=item, length=length):
            return nearest_length(length, 1) * (_size(item, known) + 10)
        case Message(fields=fields, tag=tag):
            own = len(tag.wire_name) + len(str(tag.value)) if tag else 0
            return 2 + own + sum(len(field.wire_name) + 6 + _size(field.type, known) for field in fields)
        case Nullable() | Union() | Kinds():
            return sum(_size(part, known) for part in parts(type_))
    return 20
