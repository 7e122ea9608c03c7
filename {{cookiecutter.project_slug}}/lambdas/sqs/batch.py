"""One batch: its records, its deadline, and the messages that go back to the queue.

The response is described under "Reporting batch item failures" in
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import inspect
import math
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, TypedDict

from sqs.log import Cause, Returned, log_failure, log_summary
from sqs.records import Record, from_fifo_queue, message_group, records_of

# A message is only started while more than this is left of the function's timeout: enough for one
# call of `handle`, the log and the response. After the timeout there is no response, and every
# message of the batch is delivered again, handled or not.
RESERVE_SECONDS = 1.0


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


class BatchItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """Lambda returns these messages to the queue and deletes the rest of the batch."""

    batchItemFailures: list[BatchItemFailure]


class Batch:
    """The records of one event, and what became of them so far."""

    def __init__(
        self,
        event: dict[str, Any],
        context: Context | None,
        decode: Callable[[str], Any],
        handle: Callable[[Any], Any],
        reserve_seconds: float,
    ) -> None:
        """Take an SQS event; without a context there is no deadline. Raises NotAnSqsEvent."""
        self.records = records_of(event)
        self.is_fifo = from_fifo_queue(self.records)
        self.decode = decode
        self.handle = handle
        self.reserve_seconds = reserve_seconds
        self.stop_at = math.inf  # on the clock of time.monotonic()
        if context is not None:
            seconds_left = context.get_remaining_time_in_millis() / 1000
            self.stop_at = monotonic() + seconds_left - reserve_seconds
        self.returned: list[Returned] = []
        self.failed_groups: set[str | None] = set()  # of a FIFO queue; the rest is held back

    def give_back(self, record: Record, cause: Cause) -> None:
        """Return a message to the queue."""
        self.returned.append((record, cause))

    def fail(self, record: Record, cause: Cause, error: BaseException) -> None:
        """Return a message that could not be parsed or handled, and log why.

        Raises the error again if it must stop the process.
        """
        if must_stop(error):
            raise error
        self.give_back(record, cause)
        if self.is_fifo:
            self.failed_groups.add(message_group(record))
        log_failure(record, cause, error)

    def response(self) -> BatchResponse:
        """Log the counts, and name each message that goes back once."""
        log_summary(len(self.records), self.returned)
        ids = dict.fromkeys([record["messageId"] for record, _ in self.returned])
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}


def check_result(result: object) -> None:
    """Raise TypeError if `handle` returned something that still has to be run."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError(f"handle did not run: it returned a {type(result).__name__}")


def must_stop(error: BaseException) -> bool:
    """Tell whether an error is about the process, not about the message it came with."""
    if isinstance(error, BaseExceptionGroup):
        return any(must_stop(each) for each in error.exceptions)
    if type(error).__name__ == "CancelledError":  # by name, because asyncio is slow to import
        return False
    return isinstance(error, MemoryError) or not isinstance(error, Exception)
