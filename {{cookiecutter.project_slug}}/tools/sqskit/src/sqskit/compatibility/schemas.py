"""Read the JSON Schemas that msgspec writes: references, unions, and their types in words."""

import json
from typing import Any

Schema = Any  # a dict, or the schemas True and False

KINDS = ("boolean", "number", "string", "array", "object", "null")
ANY = [{"type": kind} for kind in KINDS]

ANNOTATIONS = {
    *("$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples"),
    *("deprecated", "readOnly", "writeOnly", "discriminator"),
}

NAMES = {"boolean": "bool", "integer": "int", "number": "float", "string": "str", "null": "None"}
FORMATS = {"uuid": "UUID", "date-time": "datetime", "decimal": "Decimal", "duration": "timedelta"}
FORMATS |= {name: name for name in ("date", "time")}


def linked(document: Schema) -> Schema:
    """Return a schema with its definitions in place of the references; it can contain itself."""
    document = json.loads(json.dumps(document))
    definitions = {f"#/$defs/{name}": each for name, each in document.get("$defs", {}).items()}

    def follow(schema: Schema) -> Schema:
        if not isinstance(schema, dict):
            return schema
        if schema.get("$ref") in definitions and schema.keys() <= ANNOTATIONS | {"$ref"}:
            return definitions[schema["$ref"]]
        for key in schema.keys() & {"items", "additionalProperties"}:
            schema[key] = follow(schema[key])
        for key in schema.keys() & {"anyOf", "prefixItems"}:
            schema[key] = [follow(each) for each in schema[key]]
        for name, each in schema.get("properties", {}).items():
            schema["properties"][name] = follow(each)
        return schema

    for definition in definitions.values():
        follow(definition)
    return follow(document)


def alternatives(schema: Schema) -> list[Schema]:
    """Return the members of a union, or the schema itself; fixed values are grouped by type."""
    if schema is False:
        return []
    if schema is True or not (rules := schema.keys() - ANNOTATIONS):
        return ANY
    if rules == {"anyOf"}:
        return [each for option in schema["anyOf"] for each in alternatives(option)]
    if rules <= {"enum", "const", "type"} and len(rules - {"type"}) == 1:
        groups: dict[str, list[Any]] = {}
        for value in schema.get("enum", [schema.get("const")]):
            groups.setdefault(kind_of({"enum": [value]}), []).append(value)
        return [{"enum": values} for values in groups.values()]
    return [schema]


def kind_of(alternative: Schema) -> str:
    """Return the JSON type of an alternative; empty if that is not clear."""
    if alternative.keys() == {"enum"}:
        types = {
            bool: "boolean",
            int: "integer",
            float: "number",
            str: "string",
            type(None): "null",
        }
        return types.get(type(alternative["enum"][0]), "")
    kind = alternative.get("type")
    known = isinstance(kind, str) and not alternative.keys() & {"anyOf", "enum", "const", "$ref"}
    return str(kind) if known else ""


def of_kind(options: list[Schema], kind: str) -> list[Schema]:
    return [each for each in options if kind_of(each) == kind]


def constants(schema: Schema) -> dict[str, str]:
    """Return the fields of an object that must be there with one fixed value, and its JSON."""
    found = {}
    for name in schema.get("required", []):
        options = alternatives(schema.get("properties", {}).get(name, True))
        if len(options) == 1 and len(options[0].get("enum", [])) == 1:
            found[name] = in_json(options[0]["enum"][0])
    return found


def in_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def in_words(schema: Schema) -> str:
    """Return the type of a schema as an annotation, such as `list[str[1:32]] | None`."""
    options = alternatives(schema)
    return "any" if options is ANY else " | ".join(map(_annotation, options)) or "nothing"


def _annotation(schema: Schema) -> str:
    kind = kind_of(schema)
    if "enum" in schema:
        return " | ".join(map(in_json, schema["enum"]))
    if "title" in schema:
        return str(schema["title"])
    if kind in ("integer", "number"):
        return _bounded(schema, NAMES[kind])
    if kind == "string" and "contentEncoding" in schema:
        return "bytes"
    if kind == "string" and "format" in schema:
        return FORMATS.get(schema["format"], f'str in the format "{schema["format"]}"')
    if kind == "string":
        return "str" + _length(schema, "Length")
    if kind == "array":
        items = f"[{in_words(schema['items'])}]" if "items" in schema else ""
        return "list" + items + _length(schema, "Items")
    if kind == "object":
        values = schema.get("additionalProperties", True)
        items = "" if values in (True, False) else f"[str, {in_words(values)}]"
        return "dict" + items + _length(schema, "Properties")
    return NAMES.get(kind, "a custom schema")


def _bounded(schema: Schema, name: str) -> str:
    lower = {"minimum": ">=", "exclusiveMinimum": ">"}
    upper = {"maximum": "<=", "exclusiveMaximum": "<"}
    least, most = ([key for key in keys if key in schema] for keys in (lower, upper))
    if least and most:
        name = f"{schema[least[0]]} {lower[least[0]].replace('>', '<')} {name}"
    elif least:
        name += f" {lower[least[0]]} {schema[least[0]]}"
    return f"{name} {upper[most[0]]} {schema[most[0]]}" if most else name


def _length(schema: Schema, of_what: str) -> str:
    least, greatest = schema.get(f"min{of_what}", ""), schema.get(f"max{of_what}", "")
    if least == greatest:
        return f"[{least}]" if least != "" else ""
    return f"[{least}:{greatest}]"
