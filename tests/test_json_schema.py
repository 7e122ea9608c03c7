"""The JSON Schema of a message: it equals msgspec's own, and a validator can use it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from jsonschema import Draft202012Validator

from local_extensions.fields import FieldFaults
from local_extensions.fields.model import Kinds, Message
from local_extensions.output.example import example
from local_extensions.output.json_schema import DIALECT, json_schema
from tests.support.cases import MANY, ORDER, PAYMENT, TELEMETRY
from tests.support.field_lines import DEFAULTED, lines
from tests.support.messages import class_of, message_of, parsed
from tests.support.refusals import broken, refusals

# --- equal to msgspec's ------------------------------------------------------------------------


def check_schema(message: Message | Kinds) -> None:
    expected = {"$schema": DIALECT, **msgspec.json.schema(class_of(message))}
    assert json.dumps(json_schema(message), indent=2) == json.dumps(expected, indent=2)


@pytest.mark.parametrize("text", [ORDER, TELEMETRY, PAYMENT, MANY], ids=["order", "telemetry", "payment", "many"])
def test_schema_is_that_of_the_class(text: str) -> None:
    check_schema(message_of(text))


@pytest.mark.parametrize("least", range(5))
@pytest.mark.parametrize("greatest", range(5, 9))
def test_bytes_have_the_length_of_their_base64(least: int, greatest: int) -> None:
    check_schema(message_of(f"raw: bytes[{least}:{greatest}]"))


def test_zero_has_no_sign() -> None:
    check_schema(message_of("a: float >= 0.0, b: float >= -0.0, c: float < 0.0 = -0.5, d: float = -0.0"))


def check_line(text: str, defaulted: str) -> None:
    try:
        message = parsed(text if text[0] == "{" else f"{text}, default_1: {defaulted}, required_1: bool")
    except FieldFaults:
        assume(False)  # names that collide, bounds that allow no value
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


# --- in a validator --------------------------------------------------------------------------

# A validator ignores formats, unless it is told to check them.
NO_UUID = ["1"]
NO_DATETIME = ["2026-01-01T08:30:00", "yesterday"]
NO_DATE = ["2026-13-01"]

# JSON Schema has no format for a time without a zone.
NO_TIME = ["25:00:00"]

# The format of a Decimal is msgspec's own, and only the class has its bounds.
NO_DECIMAL = ["one and a half"]


@pytest.mark.parametrize(
    ("text", "unseen"),
    [
        (ORDER, {"orderId": NO_UUID, "placedAt": NO_DATETIME}),
        (TELEMETRY, {"at": NO_DATETIME}),
        (
            PAYMENT,
            {
                "payment_id": NO_UUID,
                "amount": [*NO_DECIMAL, "0", "NaN"],
                "fee": [*NO_DECIMAL, "-1", "100.5", "NaN"],
                "day": NO_DATE,
                "cut_off": NO_TIME,
            },
        ),
        (MANY, {f"at_{n}": NO_DATETIME for n in range(50)}),
    ],
    ids=["order", "telemetry", "payment", "many"],
)
def test_validator_accepts_only_these_values_that_the_class_refuses(text: str, unseen: dict[str, list[str]]) -> None:
    message = message_of(text)
    Draft202012Validator.check_schema(json_schema(message))
    validator = Draft202012Validator(json_schema(message))
    validator.validate(example(message))
    passed: dict[Any, list[Any]] = {}
    for refusal in refusals(message):
        if validator.is_valid(broken(example(message), refusal)):
            passed.setdefault(refusal.path[-1], []).append(refusal.value)
    assert passed == unseen
