"""A pasted JSON Schema: what its class checks, what it leaves out, and faults with their place."""

import importlib.resources
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from local_extensions.fields import FieldFaults
from local_extensions.fields.model import Kinds, Message
from local_extensions.output.example import example, examples
from local_extensions.output.json_schema import json_schema
from local_extensions.output.python import annotation, definitions, source
from tests.support.field_lines import DEFAULTED, lines
from tests.support.messages import class_of, kinds_in, message_of, parsed

ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}


def schema(properties: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, **more})


def annotation_of(node: object, **more: Any) -> str:
    (field,) = message_of(schema({"field": node}, required=["field"], **more)).fields
    class_of(message_of(schema({"field": node}, required=["field"], **more)))
    return annotation(field.type)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (True, "Any"),
        ({}, "Any"),
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({"type": "string", "format": "uuid"}, "UUID"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "time"}, "time"),
        ({"type": "string", "format": "date-time"}, "Annotated[datetime, msgspec.Meta(tz=True)]"),
        ({"type": "string", "format": "decimal"}, "Decimal"),
        ({"type": "string", "contentEncoding": "base64"}, "bytes"),
        ({"type": ["string", "null"]}, "str | None"),
        ({"type": "string", "nullable": True}, "str | None"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "str | None"),
        ({"type": ["integer", "string"]}, "int | str"),
        ({"type": ["integer", "number"]}, "float"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "str | list[str]"),
        ({"enum": ["a", "b", "a"]}, 'Literal["a", "b"]'),
        ({"enum": [1, 2, None]}, "Literal[1, 2] | None"),
        ({"const": "a"}, 'Literal["a"]'),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, 'Literal["a", "b"]'),
        ({"enum": [True, False]}, "bool"),
        ({"type": "string", "minLength": 1, "maxLength": 64.0},
         "Annotated[str, msgspec.Meta(min_length=1, max_length=64)]"),
        ({"type": "integer", "minimum": 0.5, "maximum": 5}, "Annotated[int, msgspec.Meta(ge=1, le=5)]"),
        ({"type": "integer", "exclusiveMinimum": 2.5}, "Annotated[int, msgspec.Meta(gt=2)]"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, "Annotated[float, msgspec.Meta(gt=0.0)]"),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": 0}, "Annotated[float, msgspec.Meta(ge=1.0)]"),
        ({"type": "array"}, "list[Any]"),
        ({"items": {"type": "integer"}, "minItems": 1}, "Annotated[list[int], msgspec.Meta(min_length=1)]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 9},
         "Annotated[dict[str, int], msgspec.Meta(max_length=9)]"),
        (ADDRESS, "Field"),
        ({"type": "array", "items": ADDRESS}, "list[Field]"),
        ({"allOf": [{"type": "string"}, {"maxLength": 5}]}, "Annotated[str, msgspec.Meta(max_length=5)]"),
        ({"allOf": [ADDRESS, {"properties": {"city": {"type": "string"}}}]}, "Field"),
    ],
)  # fmt: skip
def test_node_gives_its_annotation(node: object, expected: str) -> None:
    assert annotation_of(node) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"type": "string"}, "str | None = None"),
        ({"type": "string", "default": "x"}, 'str = "x"'),
        ({"type": ["string", "null"], "default": "x"}, 'str | None = "x"'),
        ({"type": "string", "default": 1}, "str | None = None"),  # which would not be valid itself
        ({"type": "string", "maxLength": 1, "default": "xyz"},
         "Annotated[str, msgspec.Meta(max_length=1)] | None = None"),
        ({"type": "integer", "default": -1}, "int = -1"),
        ({"type": "array", "items": {"type": "integer"}, "default": []}, "list[int] = []"),
        ({"type": "array", "items": {"type": "integer"}, "default": [1]}, "list[int] | None = None"),
    ],
)  # fmt: skip
def test_property_that_is_not_required_has_a_default(node: object, expected: str) -> None:
    (field,) = message_of(schema({"field": node})).fields
    assert field.default
    assert f"{annotation(field.type)} = {source(field.default.value)}" == expected
    assert msgspec.json.decode("{}", type=class_of(message_of(schema({"field": node}))))


@pytest.mark.parametrize("place", ["$defs", "definitions"])
def test_reference_used_twice_is_one_class(place: str) -> None:
    reference = {"$ref": f"#/{place}/PostalAddress"}
    text = schema(
        {"shipping": reference, "billing": {"anyOf": [reference, {"type": "null"}]}},
        **{place: {"PostalAddress": ADDRESS}},
    )
    assert [annotation(field.type) for field in message_of(text).fields] == ["PostalAddress | None"] * 2
    assert len(definitions(message_of(text))) == 2


def test_root_can_be_a_reference() -> None:
    text = json.dumps({"$ref": "#/$defs/Something", "$defs": {"Something": ADDRESS}})
    assert definitions(message_of(text))[0].startswith("class Order(")


def test_recursion_ends_in_a_free_form_field() -> None:
    text = schema({"name": {"type": "string"}, "child": {"$ref": "#"}})
    assert (
        "    # Rules of the schema that are not checked here: recursion of child.\n" in definitions(message_of(text))[0]
    )
    msgspec.json.decode('{"child": {"child": {"name": "x"}}}', type=class_of(message_of(text)))


@pytest.mark.parametrize(
    "options",
    [
        [{"$ref": "#/$defs/Placed"}, {"$ref": "#/$defs/Cancelled"}],
        [{"allOf": [{"$ref": "#/$defs/Placed"}]}, {"$ref": "#/$defs/Cancelled"}],
    ],
)
def test_one_of_objects_with_a_constant_gives_kinds(options: list[Any]) -> None:
    text = json.dumps(
        {
            "oneOf": options,
            "$defs": {
                "Placed": schema_of_kind("order.placed"),
                "Cancelled": {"allOf": [schema_of_kind("order.cancelled"), {"required": ["reason"]}]},
            },
        }
    )
    message = parsed(text)
    assert isinstance(message, Kinds)
    assert [kind.tag and kind.tag.value for kind in message.kinds] == ["order.placed", "order.cancelled"]
    decoded = msgspec.json.decode('{"type": "order.cancelled", "id": "1", "reason": null}', type=class_of(message))
    assert type(decoded).__name__ == "Cancelled"
    assert len(examples(message)) == 2


def schema_of_kind(type_: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": type_}, "id": {"type": "string"}},
        "required": ["type", "id"],
    }


def test_discriminator_of_openapi_gives_kinds() -> None:
    kinds = {
        name: {"type": "object", "properties": {"kind": {"type": "string"}, name.lower(): {"type": "integer"}}}
        for name in ("Cat", "Dog")
    }
    pet = {
        "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": {"meow": "#/$defs/Cat"}},
    }
    text = schema({"pet": pet}, required=["pet"], **{"$defs": kinds})
    assert type(msgspec.json.decode('{"pet": {"kind": "meow"}}', type=class_of(message_of(text))).pet).__name__ == "Cat"
    assert type(msgspec.json.decode('{"pet": {"kind": "Dog"}}', type=class_of(message_of(text))).pet).__name__ == "Dog"


def test_objects_that_nothing_tells_apart_give_a_dict() -> None:
    node = {"anyOf": [ADDRESS, {"type": "object", "properties": {"x": {"type": "integer"}}}]}
    assert annotation_of(node) == "dict[str, Any]"


def test_other_keys_are_refused_only_if_the_schema_says_so() -> None:
    class_ = class_of(message_of(schema({"a": {"type": "integer"}}, additionalProperties=False)))
    with pytest.raises(msgspec.ValidationError, match="unknown field `b`"):
        msgspec.json.decode('{"b": 1}', type=class_)
    msgspec.json.decode('{"b": 1}', type=class_of(message_of(schema({"a": {"type": "integer"}}))))


def test_class_names_the_rules_it_does_not_check() -> None:
    text = schema(
        {"sku": {"type": "string", "pattern": "^[A-Z]+$"}, "email": {"type": "string", "format": "email"},
         "mixed": {"enum": ["a", 1]}, "tags": {"type": "array", "items": {"type": "string", "pattern": "x"}}},
        **{"not": {"required": ["x"]}, "if": {}, "then": {}},
    )  # fmt: skip
    assert "\n".join(
        [
            "    # Rules of the schema that are not checked here: not, if, pattern of sku, format of email, enum",
            "    # of mixed, pattern of tags.",
            "    sku: str | None = None",
        ]
    ) in definitions(message_of(text))[0]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (schema({"a": {"type": "strin"}}), "at #/properties/a/type: unknown type `strin`; use string, integer, "),
        (schema({"a/b": {"$ref": "#/$defs/X"}}), "at #/properties/a~1b/$ref: there is no schema at `#/$defs/X`"),
        (schema({"a": {"$ref": "http://example.com/x.json"}}), "at #/properties/a/$ref: only a reference within this "),
        (schema({"a": {"$ref": 1}}), "at #/properties/a/$ref: only a reference within this schema can be followed"),
        (schema({"a": {"items": 3}}), "at #/properties/a/items: a schema is an object or true"),
        (schema({"a": False}), "at #/properties/a: a schema is an object or true"),
        (schema({"a": {"enum": []}}), "at #/properties/a/enum: this must be an array with at least one value"),
        (schema({"a": {"oneOf": {}}}), "at #/properties/a/oneOf: this must be an array of schemas"),
        (schema({"a": {"allOf": {}}}), "at #/properties/a/allOf: this must be an array of schemas"),
        (schema({"a": {"type": "integer", "minimum": 5, "maximum": 1}}), "at #/properties/a: no number is >= 5 and"),
        (schema({"a": {"type": "integer", "minimum": "5"}}), "at #/properties/a: a limit must be a number, not `5`"),
        (schema({"a": {"type": "string", "minLength": -1}}), "at #/properties/a/minLength: a length must be a whole "),
        (schema({"a": {"type": "string", "minLength": 3, "maxLength": 2}}), "at #/properties/a: minLength is too"),
        (schema({'a"b': True}), 'at #/properties/a"b: this cannot be the name of a field; see docs/fields.md'),
        (schema({"a": True}, required="a"), "at #/required: this must be an array of names"),
        ('{"type": "array", "items": {"type": "string"}, "$schema": "https://json-schema.org/draft/2020-12/schema"}',
         "at #: a message is an object with properties"),
        (json.dumps({"oneOf": [ADDRESS, {"type": "object", "properties": {"x": True}}]}),
         "at #/oneOf: each option must be an object with a constant of its own in the same property"),
        (schema({"a": {"type": "string", "minLength": 70_000}}), "an example would have more than 65536 characters"),
    ],
)  # fmt: skip
def test_faulty_schema_is_refused(text: str, fault: str) -> None:
    with pytest.raises(FieldFaults) as caught:
        message_of(text)
    assert caught.value.faults[0].startswith(fault)
    assert len(caught.value.faults) == 1


def test_all_faults_are_reported() -> None:
    with pytest.raises(FieldFaults) as caught:
        message_of(schema({f"field_{n}": {"type": "x"} for n in range(30)}))
    assert len(caught.value.faults) == 21
    assert caught.value.faults[-1] == "and 10 more"


@pytest.mark.parametrize(
    "sample",
    [
        {"type": "object", "id": "1"},
        {"type": "created", "properties": {"a": {}}, "source": "x"},
        {"$ref": "x", "name": "y"},
        {"required": True, "title": "x"},
        {"enum": [1], "description": "d"},
    ],
)
def test_message_that_resembles_a_schema_is_a_sample(sample: dict[str, Any]) -> None:
    assert [field.wire_name for field in message_of(json.dumps(sample)).fields] == list(sample)


def test_references_that_double_end_at_once() -> None:
    definitions_ = {
        f"D{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/D{n + 1}"}, "b": {"$ref": f"#/$defs/D{n + 1}"}},
        }
        for n in range(29)
    }
    with pytest.raises(FieldFaults, match="an example would have more than"):
        message_of(schema({"a": {"$ref": "#/$defs/D0"}}, **{"$defs": {**definitions_, "D29": ADDRESS}}))


# --- any schema --------------------------------------------------------------------------------


def check_way_back(text: str, defaulted: str) -> None:
    """Check that the schema of a line gives a class that reads the examples of the line."""
    try:
        message = parsed(text if text[0] == "{" else f"{text}, default_1: {defaulted}, required_1: bool")
    except FieldFaults:
        assume(False)
    again = parsed(json.dumps(json_schema(message)))
    class_ = class_of(again)
    for kind in kinds_in(message):
        for n in (1, 2):
            body = example(kind, n=n)
            assert json.loads(msgspec.json.encode(msgspec.json.decode(json.dumps(body), type=class_))) == body


@given(lines(), DEFAULTED)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_schema_of_a_line_gives_a_class_for_the_same_messages(text: str, defaulted: str) -> None:
    check_way_back(text, defaulted)


@pytest.mark.wide
@given(lines(), DEFAULTED)
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_schemas_of_many_lines_give_classes_for_the_same_messages(text: str, defaulted: str) -> None:
    check_way_back(text, defaulted)


SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.sampled_from(["a", "b", "#/$defs/a", "#"])
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", ["string", "null"]]),
    "format": st.sampled_from(["date-time", "date", "uuid", "email"]),
    "enum": st.lists(SCALARS, max_size=3),
    "const": SCALARS,
    "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b", "#", "#/properties/a", "x"]),
    "required": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
    "default": SCALARS,
    "pattern": st.just("x"),
    "nullable": st.booleans(),
    **dict.fromkeys(["minLength", "maxItems", "minProperties", "minimum", "exclusiveMaximum"], st.integers(-2, 9)),
}


def nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from(["a", "b", "c", "detail-type"]), inner, max_size=3)
    listed = st.lists(inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            **VALUES,
            **dict.fromkeys(["properties", "$defs"], named),
            **dict.fromkeys(["anyOf", "oneOf", "allOf"], listed),
            **dict.fromkeys(["items", "additionalProperties", "not"], inner),
        },
    )


NODES = st.recursive(
    st.fixed_dictionaries({}, optional=VALUES)
    | st.fixed_dictionaries({"type": VALUES["type"]})
    | st.booleans()
    | SCALARS,
    nodes,
    max_leaves=12,
)


def check_node(properties: dict[str, Any], definitions_: dict[str, Any]) -> None:
    try:
        message = parsed(schema(properties, **{"$defs": definitions_}))
    except FieldFaults as error:
        assert all(fault.startswith(("at #", "and ")) for fault in error.faults)
        return
    class_ = class_of(message)
    for body in examples(message):
        msgspec.json.decode(json.dumps(body), type=class_)


PROPERTIES = st.dictionaries(st.sampled_from(["a", "b"]), NODES, min_size=1)


@given(PROPERTIES, st.fixed_dictionaries({"a": NODES, "b": NODES}))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_schema_is_read_or_refused(properties: dict[str, Any], definitions_: dict[str, Any]) -> None:
    check_node(properties, definitions_)


@pytest.mark.wide
@given(PROPERTIES, st.fixed_dictionaries({"a": NODES, "b": NODES}))
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_great_many_schemas_are_read_or_refused(properties: dict[str, Any], definitions_: dict[str, Any]) -> None:
    check_node(properties, definitions_)


def metaschemas() -> list[str]:
    folder = importlib.resources.files("jsonschema_specifications") / "schemas"
    found = (each / "metaschema.json" for each in folder.iterdir())
    return [each.read_text("utf-8") for each in found if each.is_file()]


@pytest.mark.parametrize("text", metaschemas())
def test_schema_of_schemas_is_read_or_refused(text: str) -> None:
    try:
        message = message_of(text)
    except FieldFaults as error:
        assert all(fault.startswith("at #") for fault in error.faults)
    else:
        assert isinstance(message, Message)
        msgspec.json.decode("{}", type=class_of(message))
