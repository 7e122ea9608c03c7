"""The JSON Schema of a message, as `msgspec.json.schema` gives it for the generated class.

The generated project compares the texts, so the keys come in the same order.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from local_extensions.fields.limits import given
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
)
from local_extensions.output.python import documented_classes

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Decimal": {"type": "string", "format": "decimal"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string"},  # the format would require a zone
    "datetime": {"type": "string", "format": "date-time"},
    "UUID": {"type": "string", "format": "uuid"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
}

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema(message: Message | Kinds) -> dict[str, Any]:
    """Return the schema of a message, with a definition for each of its classes."""
    definitions = {
        class_.class_name: _definition(class_, docstring) for class_, docstring in documented_classes(message)
    }
    whole = _schema(message) if isinstance(message, Message) else _one_of(message.kinds)
    return {"$schema": DIALECT, **whole, "$defs": definitions}


def _definition(message: Message, docstring: str) -> dict[str, Any]:
    tag = {message.tag.wire_name: {"enum": [message.tag.value]}} if message.tag else {}
    return {
        "title": message.class_name,
        "description": docstring,
        "type": "object",
        "properties": {**tag, **{field.wire_name: _property(field) for field in message.fields}},
        "required": [*tag, *(field.wire_name for field in message.fields if not field.default)],
        **({"additionalProperties": False} if message.is_closed else {}),
    }


def _one_of(kinds: Sequence[Message]) -> dict[str, Any]:
    """Return the schema of objects that are told apart by their tags."""
    references = [{"$ref": f"#/$defs/{kind.class_name}"} for kind in kinds]
    if len(kinds) == 1:
        return references[0]
    mapping = {str(kind.tag.value): f"#/$defs/{kind.class_name}" for kind in kinds if kind.tag}
    (name,) = {kind.tag.wire_name for kind in kinds if kind.tag}
    return {"anyOf": references, "discriminator": {"propertyName": name, "mapping": mapping}}


def _property(field: Field) -> dict[str, Any]:
    schema = _schema(field.type)
    if not field.default:
        return schema
    value = field.default.value
    return {**schema, "default": str(value) if isinstance(value, Decimal) else value}


def _schema(type_: Type) -> dict[str, Any]:
    """Return the schema of a type; for a class, a reference to its definition."""
    match type_:
        case Message(class_name=name):
            return {"$ref": f"#/$defs/{name}"}
        case Nullable(item=item):
            schema = _schema(item)
            options = [schema] if "discriminator" in schema else schema.get("anyOf", [schema])
            return {"anyOf": [*options, {"type": "null"}]}
        case Union(options=options):  # msgspec puts classes last
            kinds = [each for each in options if isinstance(each, Message)]
            others = [_schema(each) for each in options if not isinstance(each, Message)]
            if not others:
                return _one_of(kinds)
            return {"anyOf": [*others, *([_one_of(kinds)] if kinds else [])]}
        case Anything():
            return {}
        case Choice(values=values):
            return {"enum": sorted(values)}
        case ListOf(item=item, length=length):
            items = {} if isinstance(item, Anything) else {"items": _schema(item)}
            return {"type": "array", **items, **_limits(length, "Items")}
        case DictOf(item=item, length=length):
            items = {} if isinstance(item, Anything) else {"additionalProperties": _schema(item)}
            return {"type": "object", **items, **_limits(length, "Properties")}
        case Scalar(name="Decimal"):  # msgspec does not know its bounds, which the class checks
            return _SCALARS["Decimal"]
        case Scalar(name="bytes", length=length):
            in_base64 = Length(*(limit and (limit + 2) // 3 * 4 for limit in (length.least, length.greatest)))
            return {**_SCALARS["bytes"], **_limits(in_base64, "Length")}
        case Scalar(name=name, bounds=bounds, length=length):
            limits = {_BOUNDS[sign]: limit for sign, limit in given(bounds)}
            return {**_SCALARS[name], **limits, **_limits(length, "Length")}


def _limits(length: Length, of_what: str) -> dict[str, int]:
    """Return the limits of a length, of "Length", "Items" or "Properties"."""
    limits = {f"max{of_what}": length.greatest, f"min{of_what}": length.least}
    return {name: limit for name, limit in limits.items() if limit is not None}
