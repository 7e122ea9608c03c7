"""The JSON Schema of a message: msgspec's own, and what a validator makes of it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from local_extensions.field_types import Message
from local_extensions.json_schema import DIALECT, json_schema
from local_extensions.message_fields import FieldFaults
from tests.support.cases import MANY, ORDER, PAYMENT, TELEMETRY
from tests.test_message_fields import FLOATS, SMALL_INTS, STRINGS, broken, class_of, lines, message_of

# --- what msgspec gives ------------------------------------------------------------------------


def check_schema(message: Message) -> None:
    expected = {"$schema": DIALECT, **msgspec.json.schema(class_of(message))}
    assert json.dumps(json_schema(message), indent=2) == json.dumps(expected, indent=2)


@pytest.mark.parametrize("text", [ORDER, TELEMETRY, PAYMENT, MANY], ids=["order", "telemetry", "payment", "many"])
def test_the_schema_is_that_of_the_class(text: str) -> None:
    check_schema(message_of(text))


@pytest.mark.parametrize("least", range(5))
@pytest.mark.parametrize("greatest", range(5, 9))
def test_bytes_have_the_length_of_their_base64(least: int, greatest: int) -> None:
    check_schema(message_of(f"raw: bytes[{least}:{greatest}]"))


def test_there_is_one_zero() -> None:
    check_schema(message_of("a: float >= 0.0, b: float >= -0.0, c: float < 0.0 = -0.5, d: float = -0.0"))


DEFAULTED = (
    STRINGS.map(lambda text: f"str = {text}")
    | SMALL_INTS.map(lambda number: f"int | None = {number}")
    | FLOATS.map(lambda number: f"float = {number}")
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"Decimal | None = {number}")
    | st.booleans().map(lambda value: f"bool = {value}")
    | st.lists(STRINGS, min_size=1, unique=True).map(lambda choices: f"{' | '.join(choices)} = {choices[-1]}")
    | st.just("1 | -2 | 10 = -2")
)


def check_line(text: str, defaulted: str) -> None:
    try:
        message = message_of(f"{text}, default_1: {defaulted}, required_1: bool")
    except FieldFaults:
        assume(False)  # names that meet, bounds that allow nothing
    else:
        check_schema(message)


@given(lines(), DEFAULTED)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_valid_line_gives_the_schema_of_its_class(text: str, defaulted: str) -> None:
    check_line(text, defaulted)


@pytest.mark.wide
@given(lines(), DEFAULTED)
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_valid_lines_give_the_schemas_of_their_classes(text: str, defaulted: str) -> None:
    check_line(text, defaulted)


# --- what a validator makes of it --------------------------------------------------------------

# A validator takes a format for a remark, unless it is told to check it.
NO_UUID = ["1"]
NO_DATETIME = ["2026-01-01T08:30:00", "yesterday"]
NO_DATE = ["2026-13-01"]

# A time that may have no zone has no format in JSON Schema.
NO_TIME = ["25:00:00"]

# The format of a Decimal is msgspec's own, and its bounds are in the class alone.
NO_DECIMAL = ["one and a half"]


@pytest.mark.parametrize(
    ("text", "unseen"),
    [
        (ORDER, {"orderId": NO_UUID, "placedAt": NO_DATETIME}),
        (TELEMETRY, {"at": NO_DATETIME}),
        (
            PAYMENT,
            {
                "paymentId": NO_UUID,
                "amount": [*NO_DECIMAL, "0", "NaN"],
                "fee": [*NO_DECIMAL, "-1", "100.5", "NaN"],
                "day": NO_DATE,
                "cutOff": NO_TIME,
            },
        ),
        (MANY, {f"at{n}": NO_DATETIME for n in range(50)}),
    ],
    ids=["order", "telemetry", "payment", "many"],
)
def test_a_validator_refuses_what_the_class_refuses_but_for_these(text: str, unseen: dict[str, list[str]]) -> None:
    message = message_of(text)
    Draft202012Validator.check_schema(json_schema(message))
    validator = Draft202012Validator(json_schema(message))
    validator.validate(message.example())
    passed: dict[Any, list[Any]] = {}
    for refusal in message.refusals():
        if validator.is_valid(broken(message.example(), refusal)):
            passed.setdefault(refusal.path[-1], []).append(refusal.value)
    assert passed == unseen
