"""The JSON Schema of a message, as `msgspec.json.schema` gives it for the generated class.

The generated project writes its schema with msgspec and compares the texts: the keys have to come in
the same order.
"""

from typing import Any

from local_extensions.field_types import Choice, Container, Field, Length, Message, Nullable, Scalar, Type
from local_extensions.message_module import documented_classes

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Decimal": {"type": "string", "format": "decimal"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string"},  # the format would ask for a zone
    "datetime": {"type": "string", "format": "date-time"},
    "UUID": {"type": "string", "format": "uuid"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
}

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema(message: Message) -> dict[str, Any]:
    """The schema of a message, with a definition for each of its classes."""
    definitions = {
        class_.class_name: _definition(class_, docstring) for class_, docstring in documented_classes(message)
    }
    return {"$schema": DIALECT, **_schema(message), "$defs": definitions}


def _definition(message: Message, docstring: str) -> dict[str, Any]:
    return {
        "title": message.class_name,
        "description": docstring,
        "type": "object",
        "properties": {field.wire_name: _property(field) for field in message.fields},
        "required": [field.wire_name for field in message.fields if field.default is None],
    }


def _property(field: Field) -> dict[str, Any]:
    schema = _schema(field.type)
    return schema if field.default is None else {**schema, "default": field.default_value}


def _schema(type_: Type) -> dict[str, Any]:
    """The schema of a type; of a class, where its definition is."""
    match type_:
        case Message(class_name=name):
            return {"$ref": f"#/$defs/{name}"}
        case Nullable(item=item):
            return {"anyOf": [_schema(item), {"type": "null"}]}
        case Choice(values=values):
            return {"enum": sorted(values)}
        case Container(name="list", item=item, length=length):
            return {"type": "array", "items": _schema(item), **_limits(length, "Items")}
        case Container(name="dict", item=item, length=length):
            return {"type": "object", "additionalProperties": _schema(item), **_limits(length, "Properties")}
        case Scalar(name="Decimal"):  # the class checks its bounds, msgspec does not know of them
            return _SCALARS["Decimal"]
        case Scalar(name="bytes", length=length):
            in_base64 = Length(*(limit and (limit + 2) // 3 * 4 for limit in (length.least, length.greatest)))
            return {**_SCALARS["bytes"], **_limits(in_base64, "Length")}
        case Scalar(name=name, bounds=bounds, length=length):
            limits = {_BOUNDS[sign]: limit for sign, limit in bounds.items()}
            return {**_SCALARS[name], **limits, **_limits(length, "Length")}
    raise AssertionError(type_)


def _limits(length: Length, of_what: str) -> dict[str, int]:
    """The limits of a length, of "Length", "Items" or "Properties"."""
    limits = {f"max{of_what}": length.greatest, f"min{of_what}": length.least}
    return {name: limit for name, limit in limits.items() if limit is not None}
