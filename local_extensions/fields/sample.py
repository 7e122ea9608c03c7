"""A pasted JSON message -> the fields of a message.

Several samples in an array are merged: a key that is missing in one of them is optional.
"""

import re
import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from local_extensions.fields.classes import ClassNames, with_own_names
from local_extensions.fields.faults import FieldFaults, quoted
from local_extensions.fields.model import (
    Anything,
    Default,
    DictOf,
    Field,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Type,
    Union,
)
from local_extensions.fields.names import can_be_wire_name, python_name, singular

DEEPEST_SAMPLE = 30

# RFC 3339 with a time zone.
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def fields_of_samples(samples: list[dict[str, Any]], class_name: str) -> tuple[Field, ...]:
    """Return the fields of a message of which one or more samples are given.

    class_name: the class of the message; no object in it gets the same name.
    """
    return _Inference(class_name).fields(samples, class_name)


def samples_in(value: Any) -> list[dict[str, Any]]:
    """Return the messages in a JSON value: one, or an array of them. Raises FieldFaults."""
    samples = value if isinstance(value, list) else [value]
    if not samples or not all(isinstance(each, dict) and each for each in samples):
        raise FieldFaults(["a sample must be a JSON object with at least one key, or an array of such objects"])
    for sample in samples:
        if bad := next((key for key in sample if not can_be_wire_name(key)), None):
            raise FieldFaults([f"{quoted(bad)} cannot be the name of a field; see docs/fields.md"])
    if _depth(value) > DEEPEST_SAMPLE:
        raise FieldFaults([f"the sample is nested too deeply; the limit is {DEEPEST_SAMPLE} levels"])
    return samples


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        children = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, children), default=0)
    return 0


class _Inference:
    def __init__(self, class_name: str) -> None:
        self.class_names = ClassNames(class_name)

    def fields(self, objects: list[dict[str, Any]], class_name: str) -> tuple[Field, ...]:
        """Return the fields that some objects have."""
        keys = dict.fromkeys(key for each in objects for key in each)
        return with_own_names(self.field(key, objects, class_name) for key in keys)

    def field(self, key: str, objects: list[dict[str, Any]], class_name: str) -> Field:
        name = python_name(key)
        values = [each[key] for each in objects if key in each]
        type_ = self.type(values, name, class_name)
        if len(values) == len(objects):
            return Field(name, key, type_)
        optional = type_ if isinstance(type_, Nullable | Anything) else Nullable(type_)
        return Field(name, key, optional, Default(None))

    def type(self, values: list[Any], name: str, parent: str) -> Type:
        """Return the narrowest type that has all values."""
        kinds: dict[str, list[Any]] = {}
        for value in values:
            kinds.setdefault(_kind(value), []).append(value)
        has_null = bool(kinds.pop("null", None))
        if {"int", "float"} <= kinds.keys():
            kinds["float"] += kinds.pop("int")
        if not kinds:
            return Anything()
        options = [self.of_kind(kind, each, name, parent) for kind, each in kinds.items()]
        found = options[0] if len(options) == 1 else Union(tuple(options))
        return Nullable(found) if has_null else found

    def of_kind(self, kind: str, values: list[Any], name: str, parent: str) -> Type:
        match kind:
            case "object":
                return self.object(values, name, parent)
            case "array":
                items = [item for each in values for item in each]
                return ListOf(self.type(items, singular(name), parent) if items else Anything())
            case "string":
                return Scalar(_string_type(values))
        return Scalar(kind)

    def object(self, objects: list[dict[str, Any]], name: str, parent: str) -> Type:
        keys = {key for each in objects for key in each}
        if not keys:
            return DictOf(Anything())
        if not all(map(can_be_wire_name, keys)):
            return DictOf(self.type([value for each in objects for value in each.values()], singular(name), parent))
        class_name = self.class_names.give(name, parent)
        return Message(class_name, self.fields(objects, class_name))


def _kind(value: Any) -> str:
    """Return what JSON tells a value apart by."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _string_type(values: Iterable[str]) -> str:
    """Return the type of texts: UUID, datetime, date or str."""
    checks = {"UUID": (_UUID, uuid.UUID), "datetime": (_DATETIME, _datetime), "date": (_DATE, date.fromisoformat)}
    for name, (pattern, parse) in checks.items():
        if all(pattern.fullmatch(value) and _parses(parse, value) for value in values):
            return name
    return "str"


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text.upper())


def _parses(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
