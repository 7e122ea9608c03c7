"""shared/sqs.py, with a message class of its own."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import sqs


class Parcel(msgspec.Struct, frozen=True):
    weight: int
    size: Literal["small", "large"] = "small"

    def __post_init__(self) -> None:
        1 / (self.weight - 99)  # noqa: B018  a fault in the class itself


QUEUE = "arn:aws:sqs:us-east-1:123456789012:parcels"

GOOD = '{"weight": 1}'


def record(body: object, message_id: str = "m-1") -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "3"},
        "eventSourceARN": QUEUE,
    }


def event(*bodies: object) -> dict[str, Any]:
    return {"Records": [record(body, f"m-{n}") for n, body in enumerate(bodies, start=1)]}


def fifo_event(*messages: tuple[str, object]) -> dict[str, Any]:
    """A batch of a FIFO queue: the message group and the body of each message."""
    batch = event(*(body for _, body in messages))
    for each, (group, _) in zip(batch["Records"], messages, strict=True):
        each["attributes"]["MessageGroupId"] = group
        each["eventSourceARN"] = f"{QUEUE}.fifo"
    return batch


class TimeLeft:
    """The context of an invocation with so many milliseconds to go."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def failed_ids(
    batch: Any, handle: Callable[[Parcel], None], context: sqs.Context | None = None
) -> list[str]:
    """Process a batch. Returns the ids in the response, which has the shape that Lambda expects."""
    decoder = msgspec.json.Decoder(Parcel)
    response: Any = sqs.batch_processor(decoder, handle)(batch, context)
    assert list(response) == ["batchItemFailures"]
    assert all(list(failure) == ["itemIdentifier"] for failure in response["batchItemFailures"])
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def accept(parcel: Parcel) -> None:
    """A handler that is content with every message."""


def refuse_heavy(parcel: Parcel) -> None:
    if parcel.weight > 30:
        raise ValueError("too heavy")


def test_a_batch_without_failures_reports_none() -> None:
    assert failed_ids(event(GOOD, GOOD), accept) == []
    assert failed_ids(event(), accept) == []


def test_failures_are_reported_and_the_rest_goes_on() -> None:
    handled = []

    def handle(parcel: Parcel) -> None:
        handled.append(parcel.weight)
        refuse_heavy(parcel)

    batch = event(GOOD, "{", '{"weight": 31}', "", '{"weight": 30}')
    assert failed_ids(batch, handle) == ["m-2", "m-3", "m-4"]
    assert handled == [1, 31, 30]


def test_all_can_fail() -> None:
    batch = fifo_event(("a", "{"), ("b", '{"weight": 31}'), ("c", ""))
    assert failed_ids(batch, refuse_heavy) == ["m-1", "m-2", "m-3"]


def test_an_id_that_comes_twice_in_a_batch_is_reported_once() -> None:
    assert failed_ids({"Records": [record("{"), record("{")]}, accept) == ["m-1"]


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

    weights = [weight(body) for body in bodies]
    expected = [f"m-{n}" for n, w in enumerate(weights, start=1) if w is None or w > 30]
    assert failed_ids(event(*bodies), refuse_heavy) == expected


# Message groups


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
    assert failed_ids(batch, handle) == ["m-2", "m-4"]
    assert handled == [1, 2, 4]


def test_a_body_that_cannot_be_parsed_may_follow_a_failed_one_of_its_group() -> None:
    batch = fifo_event(("a", '{"weight": 31}'), ("a", "{"), ("a", GOOD))
    assert failed_ids(batch, refuse_heavy) == ["m-1", "m-2", "m-3"]


def test_groups_of_a_standard_queue_are_not_held_back() -> None:
    batch = fifo_event(("a", "{"), ("a", GOOD))
    for each in batch["Records"]:
        each["eventSourceARN"] = QUEUE
    assert failed_ids(batch, accept) == ["m-1"]


# The deadline


def test_what_no_time_is_left_for_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(sqs, "monotonic", lambda: now)

    def handle(parcel: Parcel) -> None:
        nonlocal now
        now += parcel.weight

    batch = event('{"weight": 5}', '{"weight": 4}', '{"weight": 3}', GOOD, GOOD)
    ten_seconds = TimeLeft(10_000)  # of which one is the reserve
    assert failed_ids(batch, handle, ten_seconds) == ["m-3", "m-4", "m-5"]
    assert [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING] == [
        "No time was left for 3 of 5 messages"
    ]


def test_nothing_is_started_within_the_reserve() -> None:
    def handle(parcel: Parcel) -> None:
        raise AssertionError("started")

    assert failed_ids(event(GOOD, GOOD), handle, TimeLeft(999)) == ["m-1", "m-2"]


# What is wrong with a message


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        ('{"weight": "1"}', "Expected `int`, got `str`", "$.weight"),
        ("{}", "Object missing required field `weight`", "$"),
        ('{"weight": 1, "size": "secret - at `$`"}', "Invalid enum value", "$.size"),
        ("[]", "Expected `object`, got `array`", "$"),
        ("{", "Input data was truncated", "$"),
        ("weight", "JSON is malformed: invalid character (byte 0)", "$"),
        ('{"weight": 99}', "Not readable (ZeroDivisionError)", "$"),
        pytest.param(7, "Not readable (TypeError)", "$", id="no text"),
        pytest.param("\ud800", "Not readable (UnicodeEncodeError)", "$", id="half a surrogate"),
        pytest.param(
            '{"weight": 1, "x": ' + "[" * 100_000, "Not readable (RecursionError)", "$", id="deep"
        ),
    ],
)
def test_a_wrong_body_says_what_is_wrong_and_where(
    caplog: pytest.LogCaptureFixture, body: object, reason: str, path: str
) -> None:
    assert failed_ids(event(body), accept) == ["m-1"]
    error = logged_error(caplog)
    assert isinstance(error, sqs.CannotDeserialize)
    assert (error.reason, error.path) == (reason, path)


@pytest.mark.parametrize("body", ["", None])
def test_an_empty_body_is_told_apart(caplog: pytest.LogCaptureFixture, body: object) -> None:
    assert failed_ids(event(body), accept) == ["m-1"]
    assert isinstance(logged_error(caplog), sqs.EmptyMessageBody)


def test_a_missing_body_is_an_empty_one(caplog: pytest.LogCaptureFixture) -> None:
    batch = event(GOOD)
    del batch["Records"][0]["body"]
    assert failed_ids(batch, accept) == ["m-1"]
    assert isinstance(logged_error(caplog), sqs.EmptyMessageBody)


# The log


def logged_error(caplog: pytest.LogCaptureFixture) -> BaseException | None:
    """The error of the only failure in the log."""
    (line,) = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert line.exc_info
    return line.exc_info[1]


def test_each_failure_is_logged_once_without_the_body(caplog: pytest.LogCaptureFixture) -> None:
    def handle(parcel: Parcel) -> None:
        raise LookupError("no such shelf")

    failed_ids(event('{"weight": "secret"}', GOOD), handle)

    parse_failure, handler_failure = (x for x in caplog.records if x.levelno == logging.ERROR)
    assert parse_failure.getMessage() == (
        "Message m-1 failed at receive 3: Expected `int`, got `str` - at `$.weight`"
    )
    extra = {"messageId": "m-1", "receiveCount": "3", "cause": "failedToParse"}
    assert vars(parse_failure) | extra == vars(parse_failure)
    assert handler_failure.getMessage() == "Message m-2 failed at receive 3: no such shelf"
    extra = {"messageId": "m-2", "receiveCount": "3", "cause": "failedToHandle"}
    assert vars(handler_failure) | extra == vars(handler_failure)
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text


def test_a_batch_is_summed_up_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    batch = fifo_event(("a", GOOD), ("b", "{"), ("b", GOOD), ("c", '{"weight": 31}'))
    with caplog.at_level(logging.INFO):
        failed_ids(batch, refuse_heavy)

    (summary,) = (line for line in caplog.records if line.levelno == logging.INFO)
    assert summary.getMessage() == "1 of 4 messages succeeded"
    counts = {"received": 4, "succeeded": 1, "failedToParse": 1, "failedToHandle": 1}
    counts |= {"heldBack": 1, "outOfTime": 0}
    assert vars(summary) | counts == vars(summary)


def test_an_error_that_cannot_be_logged_fails_its_message_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def handle(parcel: Parcel) -> None:
        raise Unspeakable

    assert failed_ids(event(GOOD), handle) == ["m-1"]
    assert "Message m-1 failed at receive 3: Unspeakable" in caplog.text


# What is raised


@pytest.mark.parametrize(
    "not_an_event",
    [
        None,
        [],
        {},
        {"Records": {}},
        {"Records": [None]},
        {"Records": [record(GOOD), record(GOOD, "")]},
        {"Records": [record(GOOD), {"body": GOOD}]},
        {"Records": [record(GOOD) | {"eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/a"}]},
    ],
)
def test_what_cannot_be_reported_on_raises_before_anything_is_handled(not_an_event: Any) -> None:
    def handle(parcel: Parcel) -> None:
        raise AssertionError("handled")

    with pytest.raises(sqs.NotAnSqsEvent):
        failed_ids(not_an_event, handle)


@pytest.mark.parametrize(
    "stop", [SystemExit(), KeyboardInterrupt(), MemoryError(), ExceptionGroup("", [MemoryError()])]
)
def test_what_must_stop_the_process_is_passed_on(stop: BaseException) -> None:
    def handle(parcel: Parcel) -> None:
        raise stop

    with pytest.raises(type(stop)):
        failed_ids(event(GOOD), handle)


def test_a_cancellation_within_a_message_is_its_failure_alone() -> None:
    def handle(parcel: Parcel) -> None:
        if parcel.weight == 2:
            raise asyncio.CancelledError

    assert failed_ids(event(GOOD, '{"weight": 2}', GOOD), handle) == ["m-2"]


class Awaitable:
    def __await__(self) -> Any: ...


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("result", [Awaitable(), generator(), async_generator()])
def test_a_handle_that_did_not_run_has_failed(
    caplog: pytest.LogCaptureFixture, result: object
) -> None:
    def handle(parcel: Parcel) -> Any:  # such as a decorator that hides an `async def`
        return result

    assert failed_ids(event(GOOD), handle) == ["m-1"]
    assert isinstance(logged_error(caplog), TypeError)
