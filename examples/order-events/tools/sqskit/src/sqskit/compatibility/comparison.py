"""Find out whether every body that one JSON Schema accepts is accepted by another one.

The schemas are those of msgspec: its unions have each JSON type once, or objects that a constant
tells apart.
"""

import math
from collections.abc import Iterator
from typing import Any

from sqskit.compatibility.limits import narrowed
from sqskit.compatibility.schemas import (
    ANNOTATIONS,
    ANY,
    Schema,
    alternatives,
    constants,
    in_json,
    in_words,
    kind_of,
    linked,
    of_kind,
)

Seen = set[tuple[int, int]]  # the pairs of schemas that were compared, by their id()

NEW = "a new required field; give it a default, such as None"
NOW_REQUIRED = "it could be left out and is now required; give it a default"
LOOK = "look at it yourself"

FORMATS = ("format", "contentEncoding")
COMPARED = {
    *("type", "enum", "pattern", "multipleOf", "uniqueItems", *FORMATS),
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("items", "prefixItems", "properties", "required", "additionalProperties"),
}


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return what would fail under the new schema and did not under the old one, one per line."""
    return list(dict.fromkeys(_of_any(linked(old), linked(new), "$", set())))


def _of_any(old: Schema, new: Schema, where: str, seen: Seen) -> Iterator[str]:
    """Compare two schemas."""
    olds, news = alternatives(old), alternatives(new)
    if news is ANY:
        return
    unclear, unclear_now = (repr(of_kind(options, "")) for options in (olds, news))
    if unclear != unclear_now or "$ref" in unclear:
        yield _undecided(old, new, where)
        return
    if not of_kind(olds, "integer") and of_kind(news, "integer"):  # whole numbers are floats, too
        olds = olds + [{**each, "type": "integer"} for each in of_kind(olds, "number")]
    found: list[str] = []
    for each in filter(kind_of, olds):
        kind = kind_of(each)
        partners = of_kind(news, kind) or of_kind(news, "number") * (kind == "integer")
        if not partners:
            found.append(_changed(old, new, where))
        elif len(partners) == len(of_kind(olds, kind)) == 1:
            found += _of_one_kind(each, partners[0], where, seen)
        else:
            found += _of_kinds(each, partners, where, seen)
    yield from [_changed(old, new, where)] if found and alternatives(old) is ANY else found


def _of_kinds(old: Schema, news: list[Schema], where: str, seen: Seen) -> Iterator[str]:
    """Compare an object with the one that has the same constants."""
    tags = constants(old)
    common = set.intersection(*(set(constants(new)) for new in news))
    for name in sorted(common & tags.keys()):
        if all(constants(new)[name] != tags[name] for new in news):
            yield f"{where}.{name}: {tags[name]} is no longer accepted"
            return
    same = [
        new
        for new in news
        if all(tags.get(name, value) == value for name, value in constants(new).items())
    ]
    if common and common.isdisjoint(old.get("properties", {})):
        yield f"{where}.{min(common)}: a new required field"
    elif len(same) == 1:
        yield from _of_one_kind(old, same[0], where, seen)
    else:
        yield _undecided(old, {"anyOf": news}, where)


def _of_one_kind(old: Schema, new: Schema, where: str, seen: Seen) -> Iterator[str]:
    """Compare two schemas of the same JSON type, each pair once."""
    if (id(old), id(new)) in seen:
        return
    for keyword in sorted((old.keys() | new.keys()) - ANNOTATIONS - COMPARED):
        if old.get(keyword) != new.get(keyword) or "$ref" in repr(new.get(keyword)):
            yield f"{where}: cannot compare its `{keyword}`; {LOOK}"
    limits = list(narrowed(old, new, where))
    if "enum" in old:
        yield from _of_values(old, new, where)
    elif "enum" in new and {"minimum", "maximum"} <= old.keys():
        yield _undecided(old, new, where)
    elif "enum" in new or any(new.get(key) not in (None, old.get(key)) for key in FORMATS):
        yield _changed(old, new, where)
    elif limits and "format" in old and "format" not in new:  # a UUID has 36 characters
        yield _undecided(old, new, where)
    else:
        yield from limits
    if kind_of(old) == "array":
        seen.add((id(old), id(new)))
        yield from _of_items(old, new, where, seen)
    if kind_of(old) == "object":
        seen.add((id(old), id(new)))
        found = list(_of_fields(old, new, where, seen))
        if found and ("properties" in old) != ("properties" in new):
            found = [_changed(old, new, where)]
        yield from found


def _of_values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Compare fixed values with the values that are accepted now."""
    if new.keys() & {*FORMATS, "pattern", "multipleOf"}:
        yield _undecided(old, new, where)
        return
    lost = [value for value in old["enum"] if not _accepts(new, value)]
    if lost:
        values = ", ".join(map(in_json, lost))
        yield f"{where}: {values} {'is' if len(lost) == 1 else 'are'} no longer accepted"


def _accepts(schema: Schema, value: Any) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, str):
        limits = {"type": "string", "minLength": len(value), "maxLength": len(value)}
    else:
        limits = {"type": "integer", "minimum": value, "maximum": value}
    return not list(narrowed(limits, schema, ""))


def _of_items(old: Schema, new: Schema, where: str, seen: Seen) -> Iterator[str]:
    """Compare the items of two arrays; the first ones may have a schema each."""
    firsts, firsts_now = old.get("prefixItems", []), new.get("prefixItems", [])
    most = min(schema.get("maxItems", math.inf) for schema in (old, new))
    for n in range(max(len(firsts), len(firsts_now)) + 1):
        was, is_ = (
            first[n] if n < len(first) else schema.get("items", True)
            for first, schema in ((firsts, old), (firsts_now, new))
        )
        is_new = firsts and n >= len(firsts) and "items" not in old
        if n < most and not is_new:
            index = n if n < max(len(firsts), len(firsts_now)) else ""
            yield from _of_any(was, is_, f"{where}[{index}]", seen)


def _of_fields(old: Schema, new: Schema, where: str, seen: Seen) -> Iterator[str]:
    """Compare the fields of two objects. An object without fields of its own is a dict."""
    fields, fields_now = old.get("properties", {}), new.get("properties", {})
    others, others_now = (each.get("additionalProperties", True) for each in (old, new))
    for name, was in fields.items():
        if name in fields_now:
            yield from _of_any(was, fields_now[name], f"{where}.{name}", seen)
        elif others_now is False:
            yield f"{where}.{name}: it is gone, and unknown keys are refused"
        else:
            yield from _of_any(was, others_now, f"{where}.{name}", seen)
    required = [name for name in new.get("required", []) if name not in old.get("required", [])]
    for name in required:
        yield f"{where}.{name}: {NOW_REQUIRED if name in fields else NEW}"
    for name in sorted(fields_now.keys() - fields.keys() - {*required}):
        if "properties" not in old or others is not True:  # else it is ignored today
            yield from _of_any(others, fields_now[name], f"{where}.{name}", seen)
    if others_now is not False:
        yield from _of_any(others, others_now, f"{where}.*", seen)
    elif others is not False:
        yield f"{where}: unknown keys are now refused; producers that send some today would fail"


def _changed(old: Schema, new: Schema, where: str) -> str:
    return f"{where}: it was {in_words(old)} and is now {in_words(new)}"


def _undecided(old: Schema, new: Schema, where: str) -> str:
    return f"{where}: cannot compare {in_words(old)} with {in_words(new)}; {LOOK}"
