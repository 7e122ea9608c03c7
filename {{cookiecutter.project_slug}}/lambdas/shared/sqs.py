"""SQS: a record becomes a message, a batch becomes the ids of the messages that failed.

Knows no message class: the decoder and the handler of one are passed in. What Lambda expects in
return is described under "Reporting batch item failures" in
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import logging
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import msgspec

logger = logging.getLogger(__name__)

MessageT = TypeVar("MessageT")

Record = dict[str, Any]


class BatchItemFailure(TypedDict):
    """The id of one message that failed."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """Lambda returns these messages to the queue and deletes the rest of the batch."""

    batchItemFailures: list[BatchItemFailure]


class NotAnSqsEvent(ValueError):
    """Failures in this event could not be reported by id; raised, so that Lambda retries it all."""


class MessageParseError(ValueError):
    """The body of a record is not the message it should be."""


class EmptyMessageBody(MessageParseError):
    """The record has no body."""

    def __init__(self) -> None:
        super().__init__("The body is empty")


class CannotDeserialize(MessageParseError):
    """The body is not JSON, or JSON of another shape.

    reason: what msgspec says, such as "Expected `str`, got `int`".
    path: where in the body, such as "$.orderId"; "$" is the body as a whole.
    """

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(f"{reason} - at `{path}`")
        self.reason = reason
        self.path = path


def process_batch(
    event: dict[str, Any],
    decoder: msgspec.json.Decoder[MessageT],
    handle: Callable[[MessageT], None],
) -> BatchResponse:
    """Handle every message of an SQS event, in order; one that fails does not stop the others.

    A message has failed when its body cannot be parsed or `handle` raises. After that, the rest of
    its message group in a FIFO batch is held back, so that the order is kept. The ids of both are
    returned, each once. Raises NotAnSqsEvent before anything is handled.

    Logs each failure, and the counts of the whole batch in one line. Keep the names of the counts:
    template.yaml makes metrics of them.
    """
    records = _records(event)
    counts = {"received": len(records), "succeeded": 0}
    counts |= {"failedToParse": 0, "failedToHandle": 0, "heldBack": 0}
    failed: dict[str, None] = {}  # a dict for its keys: ordered, and each of them once
    waiting: set[str] = set()  # the message groups in which a message has failed
    for record in records:
        group = _fifo_group(record)
        outcome = "heldBack" if group in waiting else _process(record, decoder, handle)
        counts[outcome] += 1
        if outcome != "succeeded":
            failed[record["messageId"]] = None
            if group is not None:
                waiting.add(group)
    logger.info("%(succeeded)d of %(received)d messages succeeded", counts, extra=counts)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _process(
    record: Record,
    decoder: msgspec.json.Decoder[MessageT],
    handle: Callable[[MessageT], None],
) -> str:
    """Handle the message of one record. Returns under which name to count it."""
    try:
        handle(parse_message(record, decoder))
    except MessageParseError as error:
        _log_failure(record, error)
        return "failedToParse"
    except Exception as error:
        _log_failure(record, error)
        return "failedToHandle"
    return "succeeded"


def _fifo_group(record: Record) -> str | None:
    """The message group in which order has to be kept; None on a standard queue."""
    # A standard queue can have groups as well, but they promise no order.
    if not str(record.get("eventSourceARN")).endswith(".fifo"):
        return None
    group: str | None = record.get("attributes", {}).get("MessageGroupId")
    return group


def parse_message(record: Record, decoder: msgspec.json.Decoder[MessageT]) -> MessageT:
    """Decode the body of one record. Raises EmptyMessageBody or CannotDeserialize."""
    body = record.get("body")
    if not body:
        raise EmptyMessageBody
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise CannotDeserialize(*_reason_and_path(error)) from error
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        # A body that is no text, that no encoding can carry, or that is nested too deeply.
        raise CannotDeserialize(str(error), "$") from error


def _reason_and_path(error: msgspec.DecodeError) -> tuple[str, str]:
    """Take apart what msgspec says: "Expected `str`, got `int` - at `$.orderId`"."""
    reason, at, path = str(error).rpartition(" - at `")
    if not at:  # it is about the body as a whole
        reason, path = path, "$"
    if reason.startswith("Invalid enum value"):
        reason = "Invalid enum value"  # the value is left out: no part of a body goes into the log
    return reason, path.removesuffix("`")


def _records(event: dict[str, Any]) -> list[Record]:
    """The records of an SQS event, every one of them with an id to report it by."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise NotAnSqsEvent("The event has no list of Records")
    for index, record in enumerate(records):
        if not isinstance(record, dict) or record.get("eventSource") != "aws:sqs":
            raise NotAnSqsEvent(f"Records[{index}] does not come from SQS")
        message_id = record.get("messageId")
        if not isinstance(message_id, str) or not message_id:
            raise NotAnSqsEvent(f"Records[{index}] has no messageId")
    return records


def _log_failure(record: Record, error: Exception) -> None:
    """One line that says which message failed and why, never what was in it."""
    receive_count = record.get("attributes", {}).get("ApproximateReceiveCount")
    logger.error(
        "Message %s failed at receive %s: %s",
        record["messageId"],
        receive_count,
        error,
        # A body's fault is in the reason; a fault in code takes its traceback.
        exc_info=None if isinstance(error, MessageParseError) else error,
        extra={
            "messageId": record["messageId"],
            "receiveCount": receive_count,
            "cause": type(error).__name__,
            "reason": str(error),
        },
    )
