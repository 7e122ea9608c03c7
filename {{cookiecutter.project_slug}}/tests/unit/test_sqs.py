"""shared/sqs.py, with a message class of its own."""

import json
import logging
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sqs import (
    CannotDeserialize,
    EmptyMessageBody,
    NotAnSqsEvent,
    parse_message,
    process_batch,
)


class Parcel(msgspec.Struct, frozen=True):
    weight: int
    size: Literal["small", "large"] = "small"


decoder = msgspec.json.Decoder(Parcel)

GOOD = '{"weight": 1}'


def record(body: object, message_id: str = "m-1") -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "3"},
        "eventSource": "aws:sqs",
    }


def event(*bodies: object) -> dict[str, Any]:
    return {"Records": [record(body, f"m-{n}") for n, body in enumerate(bodies, start=1)]}


def failed_ids(response: object) -> list[str]:
    """The ids in a response that has exactly the shape Lambda expects."""
    assert isinstance(response, dict)
    assert list(response) == ["batchItemFailures"]
    assert all(list(failure) == ["itemIdentifier"] for failure in response["batchItemFailures"])
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def accept(parcel: Parcel) -> None:
    """A handler that is content with every message."""


def test_a_good_body_becomes_a_message() -> None:
    assert parse_message(record(GOOD), decoder) == Parcel(weight=1)


@pytest.mark.parametrize("body", ["", None])
def test_an_empty_body_is_told_apart(body: object) -> None:
    with pytest.raises(EmptyMessageBody):
        parse_message(record(body), decoder)


def test_a_missing_body_is_an_empty_one() -> None:
    with pytest.raises(EmptyMessageBody):
        parse_message({"messageId": "m-1"}, decoder)


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        ('{"weight": "1"}', "Expected `int`, got `str`", "$.weight"),
        ("{}", "Object missing required field `weight`", "$"),
        ('{"weight": 1, "size": "secret - at `$`"}', "Invalid enum value", "$.size"),
        ("[]", "Expected `object`, got `array`", "$"),
        ("{", "Input data was truncated", "$"),
        ("weight", "JSON is malformed: invalid character (byte 0)", "$"),
    ],
)
def test_a_wrong_body_says_what_is_wrong_and_where(body: str, reason: str, path: str) -> None:
    with pytest.raises(CannotDeserialize) as caught:
        parse_message(record(body), decoder)
    assert (caught.value.reason, caught.value.path) == (reason, path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(7, id="no text"),
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param('{"weight": 1, "x": ' + "[" * 100_000, id="nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_at_all_is_a_parse_error(body: object) -> None:
    with pytest.raises(CannotDeserialize):
        parse_message(record(body), decoder)


def test_a_batch_without_failures_reports_none() -> None:
    assert failed_ids(process_batch(event(GOOD, GOOD), decoder, accept)) == []


def test_failures_are_reported_and_the_rest_goes_on() -> None:
    handled = []

    def handle(parcel: Parcel) -> None:
        handled.append(parcel.weight)
        if parcel.weight > 30:
            raise ValueError("too heavy")

    batch = event(GOOD, "{", '{"weight": 31}', "", '{"weight": 30}')
    assert failed_ids(process_batch(batch, decoder, handle)) == ["m-2", "m-3", "m-4"]
    assert handled == [1, 31, 30]


def test_an_id_that_comes_twice_in_a_batch_is_reported_once() -> None:
    batch = {"Records": [record("{"), record("{")]}
    assert failed_ids(process_batch(batch, decoder, accept)) == ["m-1"]


PARCELS = st.fixed_dictionaries({"weight": st.integers(0, 60)}).map(json.dumps)


@given(st.lists(st.text() | st.none() | PARCELS))
def test_every_failing_id_is_reported_once_and_no_other(bodies: list[str | None]) -> None:
    def weight(body: str | None) -> int | None:
        """The plain reading of a body: its weight, or None where it has none."""
        try:
            parcel = json.loads(body or "")
        except ValueError:
            return None
        found = parcel.get("weight") if isinstance(parcel, dict) else None
        return found if type(found) is int else None

    def handle(parcel: Parcel) -> None:
        if parcel.weight > 30:
            raise ValueError("too heavy")

    weights = [weight(body) for body in bodies]
    expected = [f"m-{n}" for n, w in enumerate(weights, start=1) if w is None or w > 30]
    assert failed_ids(process_batch(event(*bodies), decoder, handle)) == expected


def fifo_event(*messages: tuple[str, str]) -> dict[str, Any]:
    """A batch of a FIFO queue: the group and the body of each message."""
    batch = event(*(body for _, body in messages))
    for each, (group, _) in zip(batch["Records"], messages, strict=True):
        each["attributes"]["MessageGroupId"] = group
        each["eventSourceARN"] = "arn:aws:sqs:us-east-1:123456789012:parcels.fifo"
    return batch


def test_a_fifo_group_is_held_back_behind_its_failed_message() -> None:
    handled = []

    def handle(parcel: Parcel) -> None:
        handled.append(parcel.weight)

    batch = fifo_event(
        ("a", '{"weight": 1}'),
        ("a", "{"),
        ("b", '{"weight": 2}'),
        ("a", '{"weight": 3}'),
        ("b", '{"weight": 4}'),
    )
    assert failed_ids(process_batch(batch, decoder, handle)) == ["m-2", "m-4"]
    assert handled == [1, 2, 4]


def test_groups_of_a_standard_queue_are_not_held_back() -> None:
    batch = fifo_event(("a", "{"), ("a", GOOD))
    for each in batch["Records"]:
        each["eventSourceARN"] = "arn:aws:sqs:us-east-1:123456789012:parcels"
    assert failed_ids(process_batch(batch, decoder, accept)) == ["m-1"]


def test_a_batch_is_summed_up_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def handle(parcel: Parcel) -> None:
        if parcel.weight > 30:
            raise ValueError("too heavy")

    batch = fifo_event(("a", GOOD), ("b", "{"), ("b", GOOD), ("c", '{"weight": 31}'))
    with caplog.at_level("INFO"):
        process_batch(batch, decoder, handle)

    (summary,) = (line for line in caplog.records if line.levelno == logging.INFO)
    assert summary.getMessage() == "1 of 4 messages succeeded"
    counts = {"received": 4, "succeeded": 1, "failedToParse": 1, "failedToHandle": 1, "heldBack": 1}
    assert vars(summary) | counts == vars(summary)


def test_each_failure_is_logged_once_without_the_body(caplog: pytest.LogCaptureFixture) -> None:
    def handle(parcel: Parcel) -> None:
        raise LookupError("no such shelf")

    process_batch(event('{"weight": "secret"}', GOOD), decoder, handle)

    parse_failure, handler_failure = caplog.records
    assert parse_failure.levelno == handler_failure.levelno == logging.ERROR
    assert vars(parse_failure) | {
        "messageId": "m-1",
        "receiveCount": "3",
        "cause": "CannotDeserialize",
        "reason": "Expected `int`, got `str` - at `$.weight`",
    } == vars(parse_failure)
    assert vars(handler_failure) | {
        "messageId": "m-2",
        "receiveCount": "3",
        "cause": "LookupError",
        "reason": "no such shelf",
    } == vars(handler_failure)
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("not_an_event", "reason"),
    [
        (None, "The event has no list of Records"),
        ([], "The event has no list of Records"),
        ({}, "The event has no list of Records"),
        ({"Records": {}}, "The event has no list of Records"),
        ({"Records": [None]}, "Records[0] does not come from SQS"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "Records[0] does not come from SQS"),
        ({"Records": [record(GOOD), record(GOOD, "")]}, "Records[1] has no messageId"),
        ({"Records": [{"eventSource": "aws:sqs", "body": GOOD}]}, "Records[0] has no messageId"),
    ],
)
def test_what_cannot_be_reported_on_raises_before_anything_is_handled(
    not_an_event: Any, reason: str
) -> None:
    def handle(parcel: Parcel) -> None:
        raise AssertionError("handled")

    with pytest.raises(NotAnSqsEvent) as caught:
        process_batch(not_an_event, decoder, handle)
    assert str(caught.value) == reason


def test_what_must_stop_the_process_is_not_held_back() -> None:
    def handle(parcel: Parcel) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        process_batch(event(GOOD), decoder, handle)
