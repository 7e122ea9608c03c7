"""What `handle` may ask of a delivery, what is logged about it, and what a dead letter carries."""

import asyncio
import json
import logging
import logging.config
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial, wraps
from typing import Any

import pytest
from shared.delivery import Delivery, Reject, RetryLater
from sqs import batch_handler
from sqs.dead_letters import LARGEST_MESSAGE, entry_of, size_of
from sqs.deliveries import MessageFields
from sqs.log import LONGEST_TEXT, logger
from sqs.signature import is_async, takes_delivery

from tests.support.records import event, failed_ids, record
from tests.support.sqs_model import model

ATTRIBUTES = {
    "tenant": {"dataType": "String", "stringValue": "acme"},
    "priority": {"dataType": "Number.int", "stringValue": "7"},
    "ratio": {"dataType": "Number", "stringValue": "0.5"},
    "raw": {"dataType": "Binary.gif", "binaryValue": "R0lGODlh"},
}


def delivered(**changes: Any) -> Delivery:
    """Return the delivery that `handle` gets."""
    seen: list[Delivery] = []
    with model() as sqs:
        handler = batch_handler(int, lambda number, delivery: seen.append(delivery))
        received = record("1", **changes) | {"messageAttributes": ATTRIBUTES}
        assert failed_ids(handler({"Records": [received]}, None)) == []
        assert sqs.max_receive_count == 7
    return seen[0]


def test_delivery_has_what_sqs_says() -> None:
    assert delivered(received=4) == Delivery(
        message_id="id-0",
        receive_count=4,
        is_last_receive=False,
        sent_at=datetime(2018, 12, 17, 21, 37, 29, 183000, UTC),
        message_group=None,
        attributes={"tenant": "acme", "priority": 7, "ratio": 0.5, "raw": b"GIF89a"},
    )
    assert delivered(received=7).is_last_receive
    assert delivered(group="a").message_group == "a"


def one(message: object) -> None: ...
def two(message: object, delivery: Delivery) -> None: ...
def other_name(message: object, about: Delivery) -> None: ...
def optional(message: object, client: object = None) -> None: ...
def optional_delivery(message: object, delivery: object = None) -> None: ...
def nothing_but_a_message(message: object, delivery: object) -> None: ...
def keyword(message: object, *, delivery: object = None) -> None: ...
async def asynchronous(message: object) -> None: ...


@wraps(two)
def decorated(*arguments: Any) -> None: ...


@wraps(two)
def decorated_with_a_name(message: object, *others: Any) -> None: ...


@pytest.mark.parametrize(
    ("handle", "takes"),
    [
        (one, False),
        (two, True),
        (other_name, True),
        (optional, False),
        (optional_delivery, True),
        (keyword, False),
        (partial(nothing_but_a_message, delivery=None), False),
        (asynchronous, False),
        (decorated, True),
        (decorated_with_a_name, True),
        (print, False),
    ],
)
def test_second_parameter_asks_for_the_delivery(handle: Any, takes: bool) -> None:
    assert takes_delivery(handle) == takes


@pytest.mark.parametrize(
    ("handle", "is_one"), [(one, False), (two, False), (asynchronous, True), (partial(asynchronous), True)]
)
def test_async_def_is_recognised(handle: Any, is_one: bool) -> None:
    assert is_async(handle) == is_one


@pytest.mark.parametrize("seconds", [-1, 43_201])
def test_retry_later_refuses_what_sqs_refuses(seconds: int) -> None:
    with pytest.raises(ValueError, match="RetryLater takes 0 to 43200 seconds"):
        RetryLater(seconds)


# --- malformed records ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": None},
        {"attributes": {"ApproximateReceiveCount": "x"}},
        {"attributes": {"SentTimestamp": []}},
        {"messageAttributes": {"a": {"dataType": "Number", "stringValue": "x"}}},
        {"messageAttributes": {"a": 1}},
        {"body": 7},
        {"body": {"a": 1}},
    ],
)
def test_malformed_record_fails_alone(change: dict[str, Any]) -> None:
    def handle(number: int, delivery: Delivery) -> None: ...

    records = [record("1", "good"), record("1", "bad") | change, record("1", "also-good")]
    assert failed_ids(batch_handler(int, handle)({"Records": records}, None)) == ["bad"]


def test_context_of_another_type_has_no_deadline() -> None:
    context: Any = {"a": 1}
    assert failed_ids(batch_handler(int, one)(event(["1"]), context)) == []


# --- errors --------------------------------------------------------------------------------------


class PanicException(BaseException):
    """As a Rust extension raises it."""


@pytest.mark.parametrize("asynchronous", [False, True])
def test_panic_of_a_library_fails_its_message_alone(asynchronous: bool) -> None:
    def handle(number: int) -> None:
        if number == 2:
            raise PanicException

    async def handle_async(number: int) -> None:
        handle(number)

    assert failed_ids(batch_handler(int, handle_async if asynchronous else handle)(event("123"), None)) == ["id-1"]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_end_of_the_process_names_its_message(
    error: BaseException, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(number: int) -> None:
        if number == 2:
            raise error

    async def handle_async(number: int) -> None:
        handle(number)

    with pytest.raises(type(error)):
        batch_handler(int, handle_async if asynchronous else handle)(event("123"), None)
    (line,) = (line for line in caplog.records if "it ends the process" in line.getMessage())
    assert line.getMessage().startswith(f"Message id-1 failed at receive 1: {type(error).__name__}")


def texts(caplog: pytest.LogCaptureFixture, error: BaseException) -> list[str]:
    def handle(number: int) -> None:
        raise error

    batch_handler(int, handle)(event("1"), None)
    return [line.getMessage() for line in caplog.records if line.levelno == logging.ERROR]


def test_members_and_causes_are_in_the_line(caplog: pytest.LogCaptureFixture) -> None:
    group = ExceptionGroup("unhandled errors", [ValueError("a"), KeyError("b")])
    group.__cause__ = ConnectionError("refused")
    assert texts(caplog, group) == [
        "Message id-0 failed at receive 1: ExceptionGroup: unhandled errors (2 sub-exceptions): ValueError: a, "
        "KeyError: 'b'; caused by ConnectionError: refused; it is retried"
    ]


def test_error_without_a_text_has_its_type(caplog: pytest.LogCaptureFixture) -> None:
    assert texts(caplog, TimeoutError()) == ["Message id-0 failed at receive 1: TimeoutError; it is retried"]


def test_long_text_is_cut_everywhere_in_the_line(caplog: pytest.LogCaptureFixture) -> None:
    (text,) = texts(caplog, ValueError("x" * 5_000_000))
    assert len(text) < LONGEST_TEXT + 100
    assert len(caplog.text) < 4 * LONGEST_TEXT


# --- what surrounds a message --------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
def test_context_variables_are_those_of_each_message(asynchronous: bool) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="none")
    seen: list[str] = []

    def handle(number: int) -> None:
        seen.append(tenant.get())
        tenant.set(str(number))

    async def handle_async(number: int) -> None:
        handle(number)
        await asyncio.sleep(0)

    batch_handler(int, handle_async if asynchronous else handle)(event("12"), None)
    assert seen == ["none", "none"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_lines_logged_in_handle_carry_the_message(asynchronous: bool) -> None:
    lines: list[tuple[Any, Any]] = []

    class Collect(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            if line.name == "owner":
                lines.append((getattr(line, "messageId", None), getattr(line, "receiveCount", None)))

    handler = Collect()
    logging.getLogger().addHandler(handler)
    try:

        def handle(number: int) -> None:
            logging.getLogger("owner").warning("in handle")

        async def handle_async(number: int) -> None:
            await asyncio.sleep(0)
            handle(number)

        batch_handler(int, handle_async if asynchronous else handle)(event("12", received=[1, 3]), None)
        logging.getLogger("owner").warning("outside")
    finally:
        logging.getLogger().removeHandler(handler)
    assert lines == [("id-0", 1), ("id-1", 3), (None, None)]
    assert sum(isinstance(each, MessageFields) for each in handler.filters) == 1


def test_dict_config_does_not_silence_failures_and_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig(
            {
                "version": 1,
                "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
                "root": {"handlers": ["out"], "level": "WARNING"},
            }
        )
        assert logger.disabled
        batch_handler(int, one)(event("1x"), None)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    shown = capsys.readouterr().out
    assert "Message id-1 failed at receive 1" in shown
    assert "1 of 2 messages succeeded" in shown


# --- dead letters --------------------------------------------------------------------------------


def dead_letter(error: BaseException | None = None, **changes: Any) -> dict[str, Any]:
    received = record('{"a": 1} ', received=3) | {"messageAttributes": ATTRIBUTES} | changes
    return entry_of(received, error or Reject("unknown tenant"), fifo=False)


def values(entry: dict[str, Any]) -> dict[str, Any]:
    attributes = entry["MessageAttributes"].items()
    return {name: each.get("StringValue", each.get("BinaryValue")) for name, each in attributes}


def test_dead_letter_is_the_message_and_its_reason() -> None:
    entry = dead_letter()
    assert entry["MessageBody"] == '{"a": 1} '
    assert values(entry) == {
        "tenant": "acme",
        "priority": "7",
        "ratio": "0.5",
        "raw": b"GIF89a",
        "errorMessage": "unknown tenant",
        "errorType": "Reject",
        "originalMessageId": "id-0",
        "receiveCount": "3",
    }
    assert entry["MessageAttributes"]["priority"]["DataType"] == "Number.int"


def test_dead_letter_of_a_fifo_queue_keeps_its_group() -> None:
    entry = entry_of(record("1", "id-7", "customer-1", fifo=True), Reject("no"), fifo=True)
    assert (entry["MessageGroupId"], entry["MessageDeduplicationId"]) == ("customer-1", "id-7")


def test_reason_is_left_out_last_if_there_is_no_room() -> None:
    for count, expected in [(9, ["errorMessage"]), (10, []), (8, ["errorMessage", "errorType"])]:
        own = {f"a{n}": {"dataType": "String", "stringValue": "x"} for n in range(count)}
        names = list(dead_letter(messageAttributes=own)["MessageAttributes"])
        assert names == [*own, *expected]
    full = dead_letter(body="x" * LARGEST_MESSAGE, messageAttributes={})
    assert "MessageAttributes" not in full
    tight = dead_letter(body="x" * (LARGEST_MESSAGE - 60), messageAttributes={})
    assert list(tight["MessageAttributes"]) == ["errorMessage", "errorType"]
    assert size_of(tight) <= LARGEST_MESSAGE


def test_dead_letter_that_was_sent_back_keeps_its_first_id() -> None:
    once = dead_letter(messageAttributes={})
    back = {
        name: {"dataType": each["DataType"], "stringValue": each["StringValue"]}
        for name, each in once["MessageAttributes"].items()
    }
    again = values(dead_letter(ValueError("now this"), messageId="id-9", messageAttributes=back))
    assert again == {
        "errorMessage": "now this", "errorType": "ValueError", "originalMessageId": "id-0", "receiveCount": "3"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "\0\x01\ud800", "x" * 5_000_000])
def test_reason_is_a_text_that_sqs_accepts(text: str) -> None:
    sent = values(dead_letter(ValueError(text)))["errorMessage"]
    assert sent
    assert len(sent) <= LONGEST_TEXT
    json.dumps(sent, ensure_ascii=False).encode()
    assert not set(sent) & set(map(chr, range(9)))
