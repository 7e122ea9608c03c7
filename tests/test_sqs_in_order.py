"""lambdas/sqs with a `def handle`."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqs import batch_handler
from sqs.batch import Context
from sqs.parsing import CannotDeserialize, EmptyMessageBody
from sqs.records import NotAnSqsEvent

from tests.support.clock import ClockedContext, clocked
from tests.support.records import event, failed_ids, record


class Parcel(msgspec.Struct, frozen=True):
    weight: int
    size: Literal["small", "large"] = "small"

    def __post_init__(self) -> None:
        1 / (self.weight - 99)


GOOD = '{"weight": 1}'
HEAVY = '{"weight": 31}'


def failed(batch: Any, handle: Callable[[Parcel], Any], context: Context | None = None) -> list[str]:
    """Process a batch of parcels, and return the ids that failed."""
    return failed_ids(batch_handler(Parcel, handle)(batch, context))


def accept(parcel: Parcel) -> None:
    """Be content with every parcel."""


def refuse_heavy(parcel: Parcel) -> None:
    if parcel.weight > 30:
        raise ValueError("too heavy")


def must_not_be_called(parcel: Parcel) -> None:
    raise AssertionError("handle was called")


def test_batch_without_failures_reports_none() -> None:
    assert failed(event([GOOD, GOOD]), accept) == []
    assert failed(event([]), accept) == []


def test_failures_are_reported_and_the_other_messages_are_handled() -> None:
    handled = []

    def handle(parcel: Parcel) -> None:
        handled.append(parcel.weight)
        refuse_heavy(parcel)

    batch = event([GOOD, "{", HEAVY, "", '{"weight": 30}'])
    assert failed(batch, handle) == ["id-1", "id-2", "id-3"]
    assert handled == [1, 31, 30]


def test_all_messages_can_fail() -> None:
    batch = event(["{", HEAVY, ""], "abc", fifo=True)
    assert failed(batch, refuse_heavy) == ["id-0", "id-1", "id-2"]


def test_repeated_id_is_reported_once() -> None:
    assert failed({"Records": [record("{"), record("{")]}, accept) == ["id-0"]


PARCELS = st.fixed_dictionaries({"weight": st.integers(0, 60)}).map(json.dumps)


@given(st.lists(st.text() | st.none() | PARCELS))
def test_every_failing_id_is_reported_once_and_no_other(bodies: list[str | None]) -> None:
    def weight(body: str | None) -> int | None:
        """Read a body in the simplest way; None if it has no weight."""
        try:
            parcel = json.loads(body or "")
        except ValueError:
            return None
        found = parcel.get("weight") if isinstance(parcel, dict) else None
        return found if type(found) is int else None

    expected = [f"id-{n}" for n, w in enumerate(map(weight, bodies)) if w is None or w > 30]
    assert failed(event(bodies), refuse_heavy) == expected


# --- message groups ----------------------------------------------------------------------------


def test_rest_of_a_fifo_group_is_held_back_after_a_failure() -> None:
    handled = []

    def handle(parcel: Parcel) -> None:
        handled.append(parcel.weight)

    bodies = ['{"weight": 1}', "{", '{"weight": 2}', '{"weight": 3}', '{"weight": 4}']
    assert failed(event(bodies, "aabab", fifo=True), handle) == ["id-1", "id-3"]
    assert handled == [1, 2, 4]


def test_broken_body_after_a_failure_of_its_fifo_group_is_held_back() -> None:
    batch = event([HEAVY, "{", GOOD], "aaa", fifo=True)
    assert failed(batch, refuse_heavy) == ["id-0", "id-1", "id-2"]


def test_groups_of_a_standard_queue_are_not_held_back() -> None:
    assert failed(event(["{", GOOD], "aa"), accept) == ["id-0"]


# --- the deadline ------------------------------------------------------------------------------


def test_messages_without_time_left_are_returned(caplog: pytest.LogCaptureFixture) -> None:
    batch = event([f'{{"weight": {seconds}}}' for seconds in (5, 4, 3, 1, 1)])
    with clocked() as clock:

        def handle(parcel: Parcel) -> None:
            clock.now += parcel.weight

        ten_seconds = ClockedContext(clock, 10)  # of which one is the reserve
        assert failed(batch, handle, ten_seconds) == ["id-2", "id-3", "id-4"]
    assert [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING] == [
        "No time was left for 3 of 5 messages"
    ]


def test_no_message_is_started_within_the_reserve() -> None:
    with clocked() as clock:
        context = ClockedContext(clock, 0.999)
        assert failed(event([GOOD, GOOD]), must_not_be_called, context) == ["id-0", "id-1"]


def test_reserve_can_be_longer() -> None:
    with clocked() as clock:
        handler = batch_handler(Parcel, must_not_be_called, reserve_seconds=3)
        assert failed_ids(handler(event([GOOD]), ClockedContext(clock, 2.9))) == ["id-0"]


# --- what is wrong with a body -----------------------------------------------------------------


def logged_error(caplog: pytest.LogCaptureFixture) -> BaseException | None:
    """Return the error of the only failure in the log."""
    (line,) = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert line.exc_info
    return line.exc_info[1]


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        ('{"weight": "1"}', "Expected `int`, got `str`", "$.weight"),
        ("{}", "Object missing required field `weight`", "$"),
        ('{"weight": 1, "size": "secret - at `$`"}', "Invalid enum value", "$.size"),
        ("[]", "Expected `object`, got `array`", "$"),
        ("{", "Input data was truncated", "$"),
        ("weight", "JSON is malformed: invalid character (byte 0)", "$"),
        ('{"weight": 99}', "Cannot be decoded (ZeroDivisionError)", "$"),
        pytest.param(7, "Cannot be decoded (TypeError)", "$", id="not a text"),
        pytest.param("\ud800", "Cannot be decoded (UnicodeEncodeError)", "$", id="lone surrogate"),
        pytest.param('{"weight": 1, "x": ' + "[" * 100_000, "Cannot be decoded (RecursionError)", "$", id="deep"),
    ],
)
def test_broken_body_says_what_is_wrong_and_where(
    caplog: pytest.LogCaptureFixture, body: object, reason: str, path: str
) -> None:
    assert failed(event([body]), accept) == ["id-0"]
    error = logged_error(caplog)
    assert isinstance(error, CannotDeserialize)
    assert (error.reason, error.path) == (reason, path)


class Line(msgspec.Struct, rename="camel"):
    unit_price: int


class Bill(msgspec.Struct, rename="camel"):
    order_id: str
    lines: list[Line] = []
    by_name: dict[str, Line] = {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"order_id": "1"}', "missing `orderId`; the body has `order_id` - at `$`"),
        ('{"OrderID": "1"}', "missing `orderId`; the body has `OrderID` - at `$`"),
        ('{"order-id": "1", "x": 2}', "missing `orderId`; the body has `order-id` - at `$`"),
        (
            '{"orderId": "1", "lines": [{"unitPrice": 1}, {"unit_price": 1}]}',
            "missing `unitPrice`; the body has `unit_price` - at `$.lines[1]`",
        ),
        (
            '{"orderId": "1", "byName": {"a": {"unit_price": 1}}}',
            "Object missing required field `unitPrice` - at `$.byName[...]`",
        ),
        ('{"order": "1"}', "Object missing required field `orderId` - at `$`"),
        ('{"order_id": 1', "Input data was truncated - at `$`"),
        (
            '{"lines": [{"unit_price": 1}], "order_id": "1", broken',
            "Object missing required field `unitPrice` - at `$.lines[0]`",
        ),
        (
            '{"lines": [{"unit_price": 1}], "x": ' + "[" * 100_000,
            "Object missing required field `unitPrice` - at `$.lines[0]`",
        ),
    ],
)
def test_body_with_another_spelling_says_so(caplog: pytest.LogCaptureFixture, body: str, reason: str) -> None:
    assert failed_ids(batch_handler(Bill, lambda bill: None)(event([body]), None)) == ["id-0"]
    assert str(logged_error(caplog)) == reason


@pytest.mark.parametrize("body", ["", None])
def test_empty_body_is_told_apart(caplog: pytest.LogCaptureFixture, body: object) -> None:
    assert failed(event([body]), accept) == ["id-0"]
    assert isinstance(logged_error(caplog), EmptyMessageBody)


def test_missing_body_counts_as_empty(caplog: pytest.LogCaptureFixture) -> None:
    batch = event([GOOD])
    del batch["Records"][0]["body"]
    assert failed(batch, accept) == ["id-0"]
    assert isinstance(logged_error(caplog), EmptyMessageBody)


# --- the log -----------------------------------------------------------------------------------


def test_each_failure_is_one_line_without_the_body(caplog: pytest.LogCaptureFixture) -> None:
    def handle(parcel: Parcel) -> None:
        raise LookupError("no such shelf")

    failed(event(['{"weight": "secret"}', GOOD]), handle)

    parse_failure, handler_failure = (x for x in caplog.records if x.levelno == logging.ERROR)
    assert parse_failure.getMessage() == (
        "Message id-0 failed at receive 1: Expected `int`, got `str` - at `$.weight`; it is retried"
    )
    extra = {"messageId": "id-0", "receiveCount": 1, "cause": "failedToParse"}
    assert vars(parse_failure) | extra == vars(parse_failure)
    assert handler_failure.getMessage() == "Message id-1 failed at receive 1: LookupError: no such shelf; it is retried"
    extra = {"messageId": "id-1", "receiveCount": 1, "cause": "failedToHandle"}
    assert vars(handler_failure) | extra == vars(handler_failure)
    assert "Traceback" in caplog.text
    assert "secret" not in caplog.text


def test_each_batch_is_summed_up_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    batch = event([GOOD, "{", GOOD, HEAVY], "abbc", fifo=True)
    with caplog.at_level(logging.INFO):
        failed(batch, refuse_heavy)

    (summary,) = (line for line in caplog.records if line.levelno == logging.INFO)
    assert summary.getMessage() == "1 of 4 messages succeeded"
    counts = {"received": 4, "succeeded": 1, "failedToParse": 1, "failedToHandle": 1}
    counts |= {"heldBack": 1, "outOfTime": 0}
    assert vars(summary) | counts == vars(summary)


def test_error_that_cannot_be_logged_fails_only_its_message(caplog: pytest.LogCaptureFixture) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def handle(parcel: Parcel) -> None:
        raise Unspeakable

    assert failed(event([GOOD]), handle) == ["id-0"]
    assert "Message id-0 failed at receive 1: Unspeakable" in caplog.text


# --- what is raised ----------------------------------------------------------------------------


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
def test_non_sqs_event_raises_before_any_message_is_handled(not_an_event: Any) -> None:
    with pytest.raises(NotAnSqsEvent):
        failed(not_an_event, must_not_be_called)


STOPPING = [SystemExit(), KeyboardInterrupt(), MemoryError(), ExceptionGroup("", [MemoryError()])]


@pytest.mark.parametrize("stop", STOPPING)
def test_error_that_must_stop_the_process_is_raised(stop: BaseException) -> None:
    def handle(parcel: Parcel) -> None:
        raise stop

    with pytest.raises(type(stop)):
        failed(event([GOOD]), handle)


def test_cancellation_within_a_message_fails_only_that_message() -> None:
    def handle(parcel: Parcel) -> None:
        if parcel.weight == 2:
            raise asyncio.CancelledError

    assert failed(event([GOOD, '{"weight": 2}', GOOD]), handle) == ["id-1"]


class Awaitable:
    def __await__(self) -> Any: ...


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("result", [Awaitable(), generator(), async_generator()])
def test_handle_that_did_not_run_is_a_failure(caplog: pytest.LogCaptureFixture, result: object) -> None:
    # For example, a decorator can hide an `async def`.
    assert failed(event([GOOD]), lambda parcel: result) == ["id-0"]
    assert isinstance(logged_error(caplog), TypeError)
