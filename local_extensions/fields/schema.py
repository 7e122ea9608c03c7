"""A pasted JSON Schema -> a message.

Read are drafts 4 to 2020-12, and `nullable` and `discriminator` of OpenAPI:
https://json-schema.org/draft/2020-12/json-schema-validation
"""

import ast
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from local_extensions.fields.classes import ClassNames, with_own_names
from local_extensions.fields.expressions import Wrong
from local_extensions.fields.faults import FieldFaults, code, short
from local_extensions.fields.kinds import kind_name, kinds_of, tags_of, told_apart, with_tag
from local_extensions.fields.limits import SIGNS, allowed, given
from local_extensions.fields.model import (
    Anything,
    Bounds,
    Choice,
    Default,
    DictOf,
    Field,
    Kinds,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Tag,
    Type,
    Union,
)
from local_extensions.fields.names import can_be_wire_name, python_name, singular
from local_extensions.fields.source import MOST_FAULTS
from local_extensions.fields.types import LONGEST_VALUE, json_kind
from local_extensions.fields.values import as_number, read_default, unfit

DEEPEST_SCHEMA = 30

_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_FORMATS = {"date-time": "datetime", "date": "date", "time": "time", "uuid": "UUID", "decimal": "Decimal"}
_WHOLE: dict[str, Type] = {
    **{"string": Scalar("str"), "array": ListOf(Anything()), "object": DictOf(Anything())},
    **{"list": ListOf(Anything()), "dict": DictOf(Anything())},
}
_OBJECT = {"properties", "required", "additionalProperties", "patternProperties"}
_UNIONS = ("oneOf", "anyOf")

# The generated class checks nothing of these.
_NOT_CHECKED = (
    *("pattern", "multipleOf", "uniqueItems", "contains", "prefixItems", "additionalItems", "unevaluatedItems"),
    *("patternProperties", "propertyNames", "dependencies", "dependentRequired", "dependentSchemas"),
    *("unevaluatedProperties", "not", "if"),
)
_LIMITS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KEYWORDS = {
    *_OBJECT, *_UNIONS, *_NOT_CHECKED, *_LIMITS, *_NUMBERS,
    *("$schema", "$id", "id", "$ref", "$anchor", "$defs", "definitions", "$comment", "title", "description"),
    *("type", "enum", "const", "format", "items", "allOf", "nullable", "discriminator", "default"),
    *("examples", "example", "then", "else", "contentEncoding", "contentMediaType", "minContains", "maxContains"),
}  # fmt: skip

# What may stand beside a reference without changing what it means.
_ANNOTATIONS = {"$ref", "title", "description", "$comment", "default", "examples", "example", "deprecated", "readOnly"}


def is_schema(value: Any) -> bool:
    """Tell whether a JSON value is a JSON Schema, and not a sample of a message."""
    if not isinstance(value, dict):
        return False
    if "json-schema.org" in str(value.get("$schema")):
        return True
    inner = [value.get(key) for key in ("properties", "$defs", "definitions", "allOf", *_UNIONS)]
    described = any(isinstance(each, dict | list) for each in inner) or isinstance(value.get("$ref"), str)
    return described and all(key in _KEYWORDS or key.startswith("x-") for key in value)


def message_of_schema(schema: dict[str, Any], class_name: str) -> Message | Kinds:
    """Return the message that a JSON Schema describes.

    class_name: the name of the message's class, or for all of its kinds.
    Raises FieldFaults, with every fault and its place as a JSON pointer.
    """
    reader = _Reader(schema, class_name)
    try:
        message = reader.whole()
    except RecursionError:
        reader.fault("#", "the schema is nested too deeply")
    if reader.faults:
        more = [f"and {len(reader.faults) - MOST_FAULTS} more"] if len(reader.faults) > MOST_FAULTS else []
        raise FieldFaults(reader.faults[:MOST_FAULTS] + more)
    return message


class _Reader:
    def __init__(self, schema: dict[str, Any], class_name: str) -> None:
        self.schema = schema
        self.class_name = class_name
        self.class_names = ClassNames(class_name)
        self.faults: list[str] = []
        self.opened: list[str] = []  # the pointers of the schemas around this one
        self.read: dict[str, tuple[Type, list[str]]] = {}  # by pointer: the type, and what it does not check
        self.not_checked: list[str] = []  # so far, of the class that is being read
        self.tags: dict[str, Tag] = {}  # by pointer
        for pointer, node in _nodes(schema, "#"):
            for keyword in _UNIONS:
                self.find_tags(node, pointer, keyword)

    def fault(self, pointer: str, what: str) -> None:
        fault = f"at {short(pointer)}: {what}"
        if fault not in self.faults:
            self.faults.append(fault)

    def whole(self) -> Message | Kinds:
        node, pointer = self.resolved(self.schema, "#")
        if self.is_message(node):
            self.opened.append(pointer)
            return self.message(node, pointer, self.class_name)
        type_ = self.type(self.schema, "#", "", self.class_name)
        kinds = kinds_of(type_)
        if isinstance(type_, Message):
            return replace(type_, class_name=self.class_name)
        if not kinds and not self.faults:
            union = next((keyword for keyword in _UNIONS if keyword in node), None)
            if union:
                self.fault(
                    f"#/{union}", "each option must be an object with a constant of its own in the same property"
                )
            else:
                self.fault("#", "a message is an object with properties")
        return Kinds(self.class_name, kinds or ())

    # --- references ---

    def target(self, reference: Any, pointer: str) -> str:
        """Return the pointer that a reference means; that of the reference itself if it has a fault."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            self.fault(f"{pointer}/$ref", "only a reference within this schema can be followed, such as #/$defs/Order")
            return pointer
        if "/" not in reference and reference != "#":
            anchors = (
                place
                for place, node in _nodes(self.schema, "#")
                if node.get("$anchor") == reference[1:] or node.get("$id") == reference
            )
            found = next(anchors, None)
        else:
            found = reference if isinstance(self.at(reference), dict | bool) else None
        if found is None:
            self.fault(f"{pointer}/$ref", f"there is no schema at {code(reference)}")
        return pointer if found is None else found

    def at(self, pointer: str) -> Any:
        """Return what a pointer points at; None if there is nothing."""
        value: Any = self.schema
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                value = value.get(key) if isinstance(value, dict) else None
        return value

    def resolved(self, node: Any, pointer: str, seen: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
        """Return a schema with the parts it refers to in it, and where it really is."""
        if not isinstance(node, dict):
            if node is not True:
                self.fault(pointer, "a schema is an object or true")
            return {}, pointer
        if "$ref" in node:
            target = self.target(node["$ref"], pointer)
            if target in seen or target == pointer:
                return {}, pointer
            found, place = self.resolved(self.at(target), target, (*seen, target))
            own = {key: value for key, value in node.items() if key != "$ref"}
            if own.keys() <= _ANNOTATIONS:
                return {**found, **own}, place
            node = {**own, "allOf": [found, *own.get("allOf", [])]}
        if not isinstance(node.get("allOf", []), list):
            self.fault(f"{pointer}/allOf", "this must be an array of schemas")
            return {}, pointer
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for n, part in enumerate(node.get("allOf", [])):
            inner, _ = self.resolved(part, f"{pointer}/allOf/{n}", seen)
            merged = _merged(merged, inner)
        return merged, pointer

    # --- objects that a constant tells apart ---

    def find_tags(self, node: dict[str, Any], pointer: str, keyword: str) -> None:
        """Find the constant that tells each option of a union from the others."""
        options = node.get(keyword)
        if not isinstance(options, list):
            return
        before = len(self.faults)
        objects = {}
        for n, option in enumerate(options):
            inner, place = self.resolved(option, f"{pointer}/{keyword}/{n}")
            if self.is_message(inner):
                objects[place] = _constants(inner) | self.named_kind(node.get("discriminator"), option, inner)
        del self.faults[before:]  # they are found again when the options are read
        tags = tags_of(list(objects.values())) if len(objects) > 1 else None
        for place, tag in zip(objects, tags or (), strict=False):
            self.tags.setdefault(place, tag)

    def named_kind(self, discriminator: Any, option: Any, inner: dict[str, Any]) -> dict[str, str | int]:
        """Return the value of OpenAPI's discriminator for an option that is a reference."""
        if not isinstance(discriminator, dict) or not isinstance(option, dict) or "$ref" not in option:
            return {}
        name, mapping = str(discriminator.get("propertyName")), discriminator.get("mapping", {})
        if name not in inner.get("properties", {}) or name in _constants(inner) or not isinstance(mapping, dict):
            return {}
        last = str(option["$ref"]).rpartition("/")[2]
        return {name: next((key for key, value in mapping.items() if value in (option["$ref"], last)), last)}

    def is_message(self, node: dict[str, Any]) -> bool:
        """Tell whether a schema becomes a class."""
        types = node.get("type", "object")
        has_fields = bool(node.get("properties") or node.get("required"))
        return has_fields and (types == "object" or types == ["object"])

    # --- types ---

    def type(self, node: Any, pointer: str, name: str, parent: str) -> Type:
        """Return the type that a schema describes, for a field of this name in this class."""
        resolved, place = self.resolved(node, pointer)
        if place in self.read:
            type_, not_checked = self.read[place]
            self.not_checked += not_checked
            return type_
        if place in self.opened or len(self.opened) > DEEPEST_SCHEMA:
            self.not_checked.append("recursion" if place in self.opened else "depth")
            return DictOf(Anything()) if self.is_message(resolved) else Anything()
        self.opened.append(place)
        before = len(self.not_checked)
        own_name = python_name(place.rpartition("/")[2]) if place != pointer and place != "#" else name
        type_ = self.of_node(resolved, place, own_name, parent)
        self.opened.pop()
        if isinstance(node, dict) and "$ref" in node and place != pointer:
            self.read[place] = type_, self.not_checked[before:]
        return type_

    def of_node(self, node: dict[str, Any], pointer: str, name: str, parent: str) -> Type:
        types = node.get("type", [])
        types = types if isinstance(types, list) else [types]
        if unknown := next((each for each in types if each not in _TYPES), None):
            self.fault(f"{pointer}/type", f"unknown type {code(str(unknown))}; use {', '.join(_TYPES)}")
            return Anything()
        options: list[Type] = []
        nullable = "null" in types or node.get("nullable") is True
        union = next((keyword for keyword in _UNIONS if keyword in node), None)
        if "enum" in node or "const" in node:
            options = self.enum(node.get("enum", [node.get("const")]), pointer)
            nullable = node.get("nullable") is True or None in node.get("enum", [node.get("const")])
        elif union and not self.is_message(node):
            return self.union(node, pointer, name, parent, union, nullable)
        else:
            self.not_checked += [keyword for keyword in _UNIONS if keyword in node]
            types = types or (["object"] if _OBJECT & node.keys() else ["array"] if "items" in node else [])
            for kind in types:
                if kind != "null" and not (kind == "integer" and "number" in types):
                    options.append(self.of_type(kind, node, pointer, name, parent))
        if not self.is_message(node):
            self.not_checked += [keyword for keyword in _NOT_CHECKED if keyword in node]
        return self.combined(options, "type", nullable)

    def of_type(self, kind: str, node: dict[str, Any], pointer: str, name: str, parent: str) -> Type:
        match kind:
            case "string":
                return self.string(node, pointer)
            case "integer" | "number":
                return self.number(node, pointer, "int" if kind == "integer" else "float")
            case "boolean":
                return Scalar("bool")
            case "array":
                items = node.get("items", True)
                if isinstance(items, list):
                    self.not_checked.append("items")
                    items = True
                item = self.type(items, f"{pointer}/items", singular(name), parent)
                return ListOf(item, self.length(node, pointer, "Items"))
        if self.is_message(node):
            tag = self.tags.get(pointer)
            own_name = kind_name(tag) if tag and re.search("/(oneOf|anyOf)/[0-9]+$", pointer) else name
            message = self.message(node, pointer, self.class_names.give(own_name, parent))
            return with_tag(message, tag) if tag else message
        values = node.get("additionalProperties", True)
        item = self.type(values or True, f"{pointer}/additionalProperties", singular(name), parent)
        return DictOf(item, self.length(node, pointer, "Properties"))

    def string(self, node: dict[str, Any], pointer: str) -> Scalar:
        format_ = node.get("format")
        is_base64 = node.get("contentEncoding") == "base64" or format_ == "byte"
        name = "bytes" if is_base64 else _FORMATS.get(str(format_), "str")
        if name == "str":
            if format_ is not None:
                self.not_checked.append("format")
            return Scalar("str", length=self.length(node, pointer, "Length"))
        self.not_checked += [keyword for keyword in ("minLength", "maxLength") if keyword in node]
        return Scalar(name)

    def number(self, node: dict[str, Any], pointer: str, name: str) -> Scalar:
        least, above = _limits(node, "minimum", "exclusiveMinimum")
        most, below = _limits(node, "maximum", "exclusiveMaximum")
        if isinstance(least, int | float) and isinstance(above, int | float):
            least, above = (None, above) if above >= least else (least, None)
        if isinstance(most, int | float) and isinstance(below, int | float):
            most, below = (None, below) if below <= most else (most, None)
        limits = {"ge": least, "gt": above, "le": most, "lt": below}
        rounded = {"ge": math.ceil, "gt": math.floor, "le": math.floor, "lt": math.ceil}
        found: dict[str, Any] = {}
        for sign, limit in limits.items():
            if limit is None:
                continue
            if not isinstance(limit, int | float) or isinstance(limit, bool):
                self.fault(pointer, f"a limit must be a number, not {code(str(limit))}")
                continue
            number = rounded[sign](limit) if name == "int" else limit
            found[sign] = as_number(repr(number), number, name)
            if found[sign] is None:
                self.not_checked.append(SIGNS[sign])
        bounds = Bounds(**found)
        if allowed(bounds, 1 if name == "int" else 1.5) is None:
            asked = " and ".join(f"{SIGNS[sign]} {limit}" for sign, limit in given(bounds))
            self.fault(pointer, f"no number is {asked}")
            return Scalar(name)
        return Scalar(name, bounds)

    def length(self, node: dict[str, Any], pointer: str, of_what: str) -> Length:
        limits: list[int | None] = []
        for keyword in (f"min{of_what}", f"max{of_what}"):
            limit = node.get(keyword)
            if limit is not None and (not isinstance(limit, int | float) or limit < 0 or limit != int(limit)):
                self.fault(f"{pointer}/{keyword}", "a length must be a whole number from 0")
                limit = None
            limits.append(None if limit is None else int(limit))
        least, greatest = limits
        if greatest == 0 or (greatest or 0) > LONGEST_VALUE:
            self.not_checked.append(f"max{of_what}")
            greatest = None
        if (least or 0) > (LONGEST_VALUE if greatest is None else greatest):
            self.fault(pointer, f"min{of_what} is too large")
            return Length()
        return Length(least or None, greatest)

    def enum(self, values: Any, pointer: str) -> list[Type]:
        """Return the types of fixed values, without null."""
        if not isinstance(values, list) or not values:
            self.fault(f"{pointer}/enum", "this must be an array with at least one value")
            return []
        kinds: dict[str, list[Any]] = {}
        for value in values:
            if value is not None and value not in kinds.setdefault(type(value).__name__, []):
                kinds[type(value).__name__].append(value)
        options: list[Type] = []
        for kind, of_kind in kinds.items():
            if kind in {"str", "int"} and len(kinds) == 1 and not any(map(unfit, of_kind)):
                options.append(Choice(tuple(of_kind)))
                continue
            if not (kind == "bool" and len(of_kind) == 2):
                self.not_checked.append("enum")
            options.append(_WHOLE.get(kind, Scalar(kind)))
        return options

    def union(self, node: dict[str, Any], pointer: str, name: str, parent: str, keyword: str, nullable: bool) -> Type:
        if not isinstance(node[keyword], list) or not node[keyword]:
            self.fault(f"{pointer}/{keyword}", "this must be an array of schemas")
            return Anything()
        options = []
        for n, option in enumerate(node[keyword]):
            if isinstance(option, dict) and option.get("type") == "null":
                nullable = True
            else:
                options.append(self.type(option, f"{pointer}/{keyword}/{n}", name, parent))
        self.not_checked += [each for each in _NOT_CHECKED if each in node]
        return self.combined(options, keyword, nullable)

    def combined(self, options: list[Type], keyword: str, nullable: bool) -> Type:
        """Return the union of types. Those that JSON cannot tell apart become one that holds them all."""
        flat: list[Type] = []
        for option in options:
            if isinstance(option, Nullable):
                nullable, option = True, option.item
            flat += [each for each in (option.options if isinstance(option, Union) else [option]) if each not in flat]
        if not flat or any(isinstance(each, Anything) for each in flat):
            return Anything()
        groups: dict[str, list[Type]] = {}
        for each in flat:
            groups.setdefault(json_kind(each), []).append(each)
        found = [each for kind, group in groups.items() for each in self.as_one(kind, group, keyword)]
        only = found[0] if len(found) == 1 else Union(tuple(found))
        return Nullable(only) if nullable else only

    def as_one(self, kind: str, group: list[Type], keyword: str) -> list[Type]:
        """Return the types of a group that JSON cannot tell apart as one, if no tag tells them apart."""
        objects = [each for each in group if isinstance(each, Message)]
        if len(group) == 1 or (len(objects) == len(group) and told_apart(objects)):
            return group
        choices: Any = [value for each in group if isinstance(each, Choice) for value in each.values]
        if all(isinstance(each, Choice) for each in group):
            return [Choice(tuple(dict.fromkeys(choices)))]
        self.not_checked.append(keyword)
        return [_WHOLE.get(kind, Scalar(kind))]

    # --- classes ---

    def message(self, node: dict[str, Any], pointer: str, class_name: str) -> Message:
        around, self.not_checked = self.not_checked, []
        properties, required = node.get("properties", {}), node.get("required", [])
        if not isinstance(properties, dict):
            self.fault(f"{pointer}/properties", "this must be an object")
            properties = {}
        if not isinstance(required, list):
            self.fault(f"{pointer}/required", "this must be an array of names")
            required = []
        own = [keyword for keyword in (*_NOT_CHECKED, "minProperties", "maxProperties") if keyword in node]
        if isinstance(node.get("additionalProperties"), dict):
            own.append("additionalProperties")
        fields: list[Field] = []
        not_checked: list[list[str]] = []
        for key in dict.fromkeys([*properties, *map(str, required)]):
            place = _below(f"{pointer}/properties", key)
            if can_be_wire_name(key):
                self.not_checked = []
                fields.append(self.field(key, properties.get(key, True), place, key in required, class_name))
                not_checked.append(self.not_checked)
            else:
                self.fault(place, "this cannot be the name of a field; see docs/fields.md")
        named = with_own_names(fields)
        own += [f"{what} of {field.name}" for field, whats in zip(named, not_checked, strict=True) for what in whats]
        self.not_checked = around
        is_closed = node.get("additionalProperties") is False and "patternProperties" not in node
        return Message(class_name, named, None, is_closed, tuple(dict.fromkeys(own)))

    def field(self, key: str, node: Any, pointer: str, is_required: bool, class_name: str) -> Field:
        name = python_name(key)
        type_ = self.type(node, pointer, name, class_name)
        if is_required:
            return Field(name, key, type_)
        default = self.default(node, pointer, type_)
        if default and default.value is not None:
            return Field(name, key, type_, default)
        return Field(name, key, type_ if isinstance(type_, Nullable | Anything) else Nullable(type_), Default(None))

    def default(self, node: Any, pointer: str, type_: Type) -> Default | None:
        """Return the default in a schema if the generated class can have it."""
        value = self.resolved(node, pointer)[0].get("default")
        node_of_it = ast.List([]) if isinstance(value, list | dict) else ast.Constant(value)
        with suppress(Wrong):
            return read_default(node_of_it, repr(value), type_)
        return None


def _nodes(value: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object in a schema with its pointer."""
    if isinstance(value, dict):
        yield pointer, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _nodes(child, _below(pointer, key))


def _below(pointer: str, key: str | int) -> str:
    """Return the pointer to a key of what a pointer points at."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _merged(node: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return two parts of an allOf as one schema. If both have a keyword, that of the first part is used."""
    merged = {**other, **node}
    properties, others = node.get("properties"), other.get("properties")
    if isinstance(properties, dict) and isinstance(others, dict):
        both = {key: {"allOf": [properties[key], others[key]]} for key in properties if key in others}
        merged["properties"] = {**properties, **others, **both}
    required = [part["required"] for part in (node, other) if isinstance(part.get("required"), list)]
    if required:
        merged["required"] = [name for names in required for name in names]
    return merged


def _constants(node: dict[str, Any]) -> dict[str, str | int]:
    """Return the properties of an object that have one value, with their values."""
    properties = node.get("properties", {})
    found = {}
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        values = inner.get("enum", [inner.get("const")]) if isinstance(inner, dict) else []
        if isinstance(values, list) and len(values) == 1 and type(values[0]) in (str, int) and not unfit(values[0]):
            found[name] = values[0]
    return found


def _limits(node: dict[str, Any], keyword: str, exclusive: str) -> tuple[Any, Any]:
    """Return a limit of a number, and one that excludes the number itself. In draft 4, the second is a bool."""
    limit, excluded = node.get(keyword), node.get(exclusive)
    if isinstance(excluded, bool):
        return (None, limit) if excluded else (limit, None)
    return limit, excluded
