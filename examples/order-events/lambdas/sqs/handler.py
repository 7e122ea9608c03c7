"""The entry point: make a Lambda handler of a message class and a function."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import UnionType
from typing import Any, Generic, TypeVar

import msgspec

from sqs.batch import RESERVE_SECONDS, Batch, BatchResponse, Context
from sqs.in_order import process_in_order

MessageT = TypeVar("MessageT")


@dataclass(frozen=True)
class BatchHandler(Generic[MessageT]):
    """A Lambda handler for the event source mapping of an SQS queue."""

    message_type: type[MessageT] | UnionType
    decode: Callable[[str], MessageT]
    handle: Callable[[MessageT], Any]
    process: Callable[[Batch], None]
    reserve_seconds: float

    def __call__(self, event: dict[str, Any], context: Context | None) -> BatchResponse:
        """Handle every message of an SQS event, and return the ids of those that failed.

        A message fails if its body cannot be parsed or `handle` raises. In a FIFO queue, the rest
        of its message group is then held back, so that the order is kept. Shortly before the
        function's timeout, messages that are not done yet are returned too. Without a context
        there is no timeout. Each failure is logged, and so are the counts of the batch.

        Raises NotAnSqsEvent before any message is handled.
        """
        batch = Batch(event, context, self.decode, self.handle, self.reserve_seconds)
        self.process(batch)
        return batch.response()


def batch_handler(
    message_type: type[MessageT] | UnionType,
    handle: Callable[[MessageT], None] | Callable[[MessageT], Coroutine[Any, Any, None]],
    *,
    reserve_seconds: float = RESERVE_SECONDS,
) -> BatchHandler[MessageT]:
    """Make the Lambda handler that decodes messages of a type and calls `handle` with each.

    message_type: a type that msgspec can decode from JSON, or a union of such types.
    handle: a `def` gets the messages in order. An `async def` gets them at the same time, except
    that messages of the same group in a FIFO queue follow each other.
    reserve_seconds: how long before the function's timeout no message is started any more.
    """
    process = process_in_order
    if inspect.iscoroutinefunction(handle):
        # Imported here so that synchronous handlers start faster.
        from sqs.concurrently import process_concurrently as process
    decode: Callable[[str], MessageT] = msgspec.json.Decoder(message_type).decode
    return BatchHandler(message_type, decode, handle, process, reserve_seconds)
