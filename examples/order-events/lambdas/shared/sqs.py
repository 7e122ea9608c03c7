"""SQS: a record becomes a message, a batch becomes the ids of the messages that have to come again.

Knows no message class: the decoder and the handler of one are passed in. What Lambda expects in
return is described under "Reporting batch item failures" in
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import inspect
import logging
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from operator import itemgetter
from time import monotonic
from typing import Any, Literal, Protocol, TypedDict, TypeVar, get_args

import msgspec

logger = logging.getLogger(__name__)

# A message is started only while this much of the function's timeout is left: enough for one call
# of `handle`, the log and the response. Past the timeout there is no response, and the messages
# that were handled come again with the others.
RESERVE_SECONDS = 1.0

MessageT = TypeVar("MessageT")

Record = dict[str, Any]

# Why a message has to come again. template.yaml makes metrics of these names.
Cause = Literal["failedToParse", "failedToHandle", "heldBack", "outOfTime"]


class Context(Protocol):
    """What is used of the context that Lambda gives a handler."""

    def get_remaining_time_in_millis(self) -> int: ...


class BatchItemFailure(TypedDict):
    """The id of one message that has to come again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """Lambda returns these messages to the queue and deletes the rest of the batch."""

    batchItemFailures: list[BatchItemFailure]


class NotAnSqsEvent(ValueError):
    """Failures in this event could not be reported by id; raised, so that Lambda retries it all."""

    def __init__(self) -> None:
        super().__init__(
            "The event has no list of Records with a messageId and the eventSourceARN of a queue"
        )


class MessageParseError(ValueError):
    """The body of a record is not the message it should be."""


class EmptyMessageBody(MessageParseError):
    """The record has no body."""

    def __init__(self) -> None:
        super().__init__("The body is empty")


class CannotDeserialize(MessageParseError):
    """The body is not JSON, or JSON of another shape.

    reason: what msgspec says, such as "Expected `int`, got `str`".
    path: where in the body, such as "$.quantity"; "$" is the body as a whole.
    """

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(f"{reason} - at `{path}`")
        self.reason = reason
        self.path = path


def batch_processor(
    decoder: msgspec.json.Decoder[MessageT],
    handle: Callable[[MessageT], None] | Callable[[MessageT], Coroutine[Any, Any, None]],
) -> Callable[[dict[str, Any], Context | None], BatchResponse]:
    """Make the function that takes an SQS event with its context, and handles every message.

    A `def handle` gets them in order. An `async def handle` gets them concurrently, but those of
    one message group of a FIFO queue one after the other.

    A message has failed when its body cannot be parsed or `handle` raises. After that, the rest of
    its message group in a FIFO batch is held back, so that the order is kept. When the time that
    the context has left runs out, the rest of the batch is out of time; without a context there is
    no limit. The function returns the ids of all these. It logs each failure, and the counts of the
    batch in one line. It raises NotAnSqsEvent before anything is handled.
    """
    process = process_in_order
    if inspect.iscoroutinefunction(handle):
        # Not at the top: who does not need asyncio need not wait until it is imported.
        from shared.sqs_async import process_concurrently as process

    def process_batch(event: dict[str, Any], context: Context | None) -> BatchResponse:
        batch = Batch(event, decoder, handle, context)
        process(batch)
        return batch.response()

    return process_batch


class Batch:
    """The records of one event, and which of their messages have to come again."""

    def __init__(
        self,
        event: dict[str, Any],
        decoder: msgspec.json.Decoder[Any],
        handle: Callable[[Any], Any],
        context: Context | None,
    ) -> None:
        self.records = _records(event)
        # Not by its message group: a standard queue can have them too, but promises no order.
        self.is_fifo = bool(self.records) and self.records[0]["eventSourceARN"].endswith(".fifo")
        self.decode = decoder.decode
        self.handle = handle
        self.stop_at = math.inf  # on the clock of time.monotonic()
        if context is not None:
            seconds_left = context.get_remaining_time_in_millis() / 1000
            self.stop_at = monotonic() + seconds_left - RESERVE_SECONDS
        self.failed_groups: set[str | None] = set()
        self.returned: list[str] = []  # the ids of the messages that have to come again
        self.causes: list[Cause] = []  # and why each of them has to

    def give_back(self, record: Record, cause: Cause) -> None:
        """Return a message to the queue."""
        self.returned.append(record["messageId"])
        self.causes.append(cause)

    def fail(self, record: Record, cause: Cause, error: BaseException) -> None:
        """Return a message that could not be parsed or handled, and log why.

        Raises the error again where it is not the message's, but has to stop the process.
        """
        if must_stop(error):
            raise error
        self.give_back(record, cause)
        if self.is_fifo:
            self.failed_groups.add(message_group(record))
        if logger.isEnabledFor(logging.ERROR):
            _log_failure(record, cause, error)

    def response(self) -> BatchResponse:
        """Log how it went, and tell Lambda which messages have to come again, each once."""
        if logger.isEnabledFor(logging.WARNING):
            _log_summary(len(self.records), Counter(self.causes))
        return {"batchItemFailures": [{"itemIdentifier": i} for i in dict.fromkeys(self.returned)]}


def process_in_order(batch: Batch) -> None:
    """Process one record after the other."""
    decode, handle, stop_at = batch.decode, batch.handle, batch.stop_at
    failed_groups = batch.failed_groups
    records = iter(batch.records)
    for record in records:
        if monotonic() >= stop_at:
            for late in (record, *records):
                batch.give_back(late, "outOfTime")
            return
        if failed_groups and message_group(record) in failed_groups:
            batch.give_back(record, "heldBack")
            continue
        try:
            message = decode(record["body"])
        except Exception as error:
            batch.fail(record, "failedToParse", error)
            continue
        try:
            result = handle(message)
            if result is not None:
                check_result(result)
        except BaseException as error:
            batch.fail(record, "failedToHandle", error)


def check_result(result: object) -> None:
    """Raise TypeError for what `handle` returns where it has not run yet."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError(f"handle did not run: it returned a {type(result).__name__}")


def must_stop(error: BaseException) -> bool:
    """Whether an error has to stop the process, whatever message it came with."""
    if isinstance(error, BaseExceptionGroup):
        return any(must_stop(each) for each in error.exceptions)
    if type(error).__name__ == "CancelledError":  # asyncio's, which is not imported for this
        return False
    return isinstance(error, MemoryError) or not isinstance(error, Exception)


def parse_error(record: Record, error: BaseException) -> MessageParseError:
    """What is wrong with the body of a record, given what decoding it raised."""
    if not record.get("body"):
        return EmptyMessageBody()
    if not isinstance(error, msgspec.DecodeError):
        return CannotDeserialize(f"Not readable ({type(error).__name__})", "$")
    # msgspec says "Expected `int`, got `str` - at `$.quantity`".
    reason, at, path = str(error).rpartition(" - at `")
    if not at:  # it is about the body as a whole
        reason, path = path, "$"
    for said in ("Invalid enum value", "Invalid value", "Object contains unknown field"):
        if reason.startswith(said):
            reason = said  # without what follows: no part of a body goes into the log
    return CannotDeserialize(reason, path.removesuffix("`"))


def message_group(record: Record) -> str | None:
    """The message group that a record belongs to."""
    group: str | None = record.get("attributes", {}).get("MessageGroupId")
    return group


def _records(event: dict[str, Any]) -> list[Record]:
    """The records of an SQS event, every one of them with an id to report it by."""
    try:
        records: list[Record] = event["Records"]
        # All records of an event come from one queue.
        from_sqs = not records or ":sqs:" in records[0]["eventSourceARN"]
        if isinstance(records, list) and from_sqs and all(map(itemgetter("messageId"), records)):
            return records
    except (KeyError, TypeError) as error:
        raise NotAnSqsEvent from error
    raise NotAnSqsEvent


def _log_failure(record: Record, cause: Cause, error: BaseException) -> None:
    """One line that says which message failed and why, never what was in it."""
    if cause == "failedToParse":
        error = parse_error(record, error)
    message_id = record["messageId"]
    receive_count = record.get("attributes", {}).get("ApproximateReceiveCount")
    extra = {"messageId": message_id, "receiveCount": receive_count, "cause": cause}
    text = "Message %s failed at receive %s: %s"
    try:
        logger.error(text, message_id, receive_count, error, exc_info=error, extra=extra)
    except Exception:  # the error has a text that cannot be written: that is no fault of the batch
        logger.error(text, message_id, receive_count, type(error).__name__, extra=extra)


def _log_summary(received: int, causes: Counter[Cause]) -> None:
    """One line that says what became of the batch."""
    succeeded = received - causes.total()
    counts = {"received": received, "succeeded": succeeded}
    counts |= {cause: causes[cause] for cause in get_args(Cause)}
    if causes["outOfTime"]:
        logger.warning("No time was left for %d of %d messages", causes["outOfTime"], received)
    logger.info("%d of %d messages succeeded", succeeded, received, extra=counts)
