"""Compare the limits of two schemas of the same JSON type: bounds, lengths, patterns."""

import math
from collections.abc import Iterator

from sqskit.compatibility.schemas import Schema, kind_of

# The end of a range. A narrower range has a greater one, because the upper ends are negated.
End = tuple[float, bool]  # the number, and whether the range leaves it out
UNLIMITED = (-math.inf, False)

BOUNDS = {1: ("minimum", "exclusiveMinimum"), -1: ("maximum", "exclusiveMaximum")}
UNITS = {"Length": " character", "Items": " item", "Properties": " key"}
WORDS = {
    1: ("lowest", "minimum", "rises", "less", "above "),
    -1: ("highest", "maximum", "falls", "more", "below "),
}


def narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Yield the limits that are narrower in the new schema. Fixed values have none."""
    if "enum" in old or "enum" in new:
        return
    for sign in (1, -1):
        if kind_of(new) in ("integer", "number"):
            bounds = _bound(old, sign), _bound(new, sign)
            yield from _of_ends(*bounds, sign, f"{WORDS[sign][0]} value", "", where)
        for name, unit in UNITS.items():
            lengths = _length(old, name, sign), _length(new, name, sign)
            yield from _of_ends(*lengths, sign, f"{WORDS[sign][1]} number of{unit}s", unit, where)
    for key, rule in (("pattern", "match the pattern"), ("multipleOf", "be a multiple of")):
        if key in new and key not in old:
            yield f"{where}: it must now {rule} {new[key]}"
        elif key in new and old[key] != new[key]:
            values = f"{old[key]} with {new[key]}"
            yield f"{where}: cannot compare its `{key}` {values}; look at it yourself"
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield f"{where}: the same item twice is no longer accepted"


def _bound(schema: Schema, sign: int) -> End:
    """Return the lowest number, or with the sign -1 the highest one, with its sign changed."""
    name, open_name = BOUNDS[sign]
    ends = [(sign * schema[key], key == open_name) for key in (name, open_name) if key in schema]
    value, is_open = max(ends, default=UNLIMITED)
    if schema["type"] == "number" or not ends:
        return value, is_open
    return math.floor(value) + 1 if is_open else math.ceil(value), False


def _length(schema: Schema, of_what: str, sign: int) -> End:
    """Return the lowest length, or with the sign -1 the highest one, with its sign changed."""
    if sign == 1:
        return schema.get(f"min{of_what}", 0), False
    return -schema.get(f"max{of_what}", math.inf), False


def _of_ends(old: End, new: End, sign: int, what: str, unit: str, where: str) -> Iterator[str]:
    """Compare the lower ends of two ranges, or with the sign -1 the upper ones."""
    if new <= old:
        return
    *_, moves, beyond, open_ = WORDS[sign]
    before, now = (f"{open_ * is_open}{sign * value}" for value, is_open in (old, new))
    if old[0] == -math.inf:
        change, sent = f"is now {now}", beyond
    else:
        change = f"{moves} from {before} to {now}"
        sent = beyond if old[1] else f"{before}{unit}{'s' * bool(unit and old[0] != sign)}"
    yield f"{where}: the {what} {change}; producers that send {sent} today would fail"
