"""A pasted JSON sample gives a class that decodes it, and is the example of the project."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_extensions import questions
from local_extensions.fields import FieldFaults
from local_extensions.output.json_schema import json_schema
from local_extensions.output.python import annotation
from tests.support.messages import class_of, message_of, module_source
from tests.test_fields import ruff
from tests.test_json_schema import check_schema

ORDER = {
    "orderId": "3f2b8c1e-5d4a-4b7c-9e10-a1b2c3d4e5f6",
    "placed_at": "2026-03-04T05:06:07.000Z",
    "day": "2026-03-04",
    "totalPrice": 12.5,
    "items": [{"sku": "a", "qty": 1, "note": None}, {"sku": "b", "qty": 2.5, "gift": True}],
    "detail-type": "placed",
    "from": None,
    "tags": {},
    "labels": [],
    "customer": {"id": 7, "TopicArn": "arn:aws:sns:eu-west-1:111122223333:orders"},
    "values": [1, "a", None, {"deep": [[1]]}],
}


def annotations(text: str) -> dict[str, str]:
    return {field.wire_name: annotation(field.type) for field in message_of(text).fields}


def test_types_are_as_narrow_as_the_sample() -> None:
    assert annotations(json.dumps(ORDER)) == {
        "orderId": "UUID",
        "placed_at": "Annotated[datetime, msgspec.Meta(tz=True)]",
        "day": "date",
        "totalPrice": "float",
        "items": "list[Item]",
        "detail-type": "str",
        "from": "Any",
        "tags": "dict[str, Any]",
        "labels": "list[Any]",
        "customer": "Customer",
        "values": "list[int | str | Value | None]",
    }


def test_items_are_merged_and_missing_keys_are_optional() -> None:
    (items,) = (field.type for field in message_of(json.dumps(ORDER)).fields if field.wire_name == "items")
    item: Any = items.item  # type: ignore[union-attr]
    assert [(field.wire_name, annotation(field.type), bool(field.default)) for field in item.fields] == [
        ("sku", "str", False),
        ("qty", "float", False),
        ("note", "Any", True),
        ("gift", "bool | None", True),
    ]


def test_several_samples_are_merged() -> None:
    assert annotations('[{"a": 1, "b": null}, {"a": "x", "b": 2}, {"b": 3}]') == {
        "a": "int | str | None",
        "b": "int | None",
    }


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("2026-03-04T05:06:07", "str"),  # without a zone
        ("2026-03-04T05:06:07+01:00", "Annotated[datetime, msgspec.Meta(tz=True)]"),
        ("2026-13-04", "str"),
        ("2026-02-30T05:06:07Z", "str"),
        ("3F2B8C1E-5D4A-4B7C-9E10-A1B2C3D4E5F6", "UUID"),
        ("3f2b8c1e5d4a4b7c9e10a1b2c3d4e5f6", "str"),
        ("aGVsbG8=", "str"),
        (True, "bool"),
        (2**70, "int"),
    ],
)
def test_value_gives_its_type(value: object, type_: str) -> None:
    sample = json.dumps({"a": value})
    assert annotations(sample) == {"a": type_}
    msgspec.json.decode(sample, type=class_of(message_of(sample)))


def test_keys_that_cannot_be_names_give_a_dict() -> None:
    assert annotations('{"a": {"x\\"y": 1, "z": 2}}') == {"a": "dict[str, int]"}


@pytest.mark.parametrize(
    ("sample", "fault"),
    [
        ("{", "this is not JSON: Expecting property name enclosed in double quotes\n    {\n     ^"),
        ('{"a": 1,}', "this is not JSON: "),
        ('{"a": NaN}', "the JSON cannot be used: NaN is not JSON"),
        ('{"a": 1e999}', "the JSON cannot be used: 1e999 is too large"),
        ('{"a": "\\ud800"}', "the JSON cannot be used: "),
        ("{}", "a sample must be a JSON object with at least one key, or an array of such objects"),
        ("[1]", "a sample must be a JSON object with at least one key, or an array of such objects"),
        ("[]", "a sample must be a JSON object with at least one key, or an array of such objects"),
        ('{"a\\\\b": 1}', "'a\\\\b' cannot be the name of a field; see docs/fields.md"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "the sample is nested too deeply; the limit is 30 levels"),
        ('{"a": ' + "[" * 9_000 + "]" * 9_000 + "}", "the JSON is nested too deeply"),
        ('{"a": "' + "x" * 70_000 + '"}', "the JSON has 70009 characters; the limit is 65536"),
    ],
)
def test_unusable_sample_is_refused(sample: str, fault: str) -> None:
    with pytest.raises(FieldFaults) as caught:
        message_of(sample)
    assert caught.value.faults[0].startswith(fault)


KEYS = (
    st.sampled_from(["orderId", "order_id", "TopicArn", "detail-type", "from", "$id", "items", "type", "date"])
    | st.text()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.uuids().map(str) | st.dates().map(str),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(KEYS, children, max_size=6),
    max_leaves=20,
)  # fmt: skip


def check_sample(sample: dict[str, Any]) -> None:
    text = json.dumps(sample)
    try:
        message = message_of(text)
    except FieldFaults as error:
        assert any(words in error.faults[0] for words in ("cannot be the name", "cannot be used", "too deeply"))
        return
    class_ = class_of(message)
    msgspec.json.decode(text, type=class_)
    assert json_schema(message)
    check_schema(message)
    source = module_source(message)
    assert ruff("format", "--check", source=source).returncode == 0, source
    assert ruff("check", "--select=B,E,F,I,SIM,UP,W", "--target-version=py311", source=source).returncode == 0, source


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_class_of_any_sample_decodes_it(sample: dict[str, Any]) -> None:
    check_sample(sample)


@pytest.mark.wide
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=30))
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_classes_of_many_samples_decode_them(sample: dict[str, Any]) -> None:
    check_sample(sample)


def test_sample_is_the_example_body() -> None:
    answers = {"message_name": "Order", "message_fields": json.dumps(ORDER)}
    assert questions.examples(answers) == [ORDER]
