"""The entry point: make a Lambda handler of a message class and a function."""

from collections.abc import Callable, Coroutine
from types import UnionType
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from shared.delivery import Delivery, Event
from sqs import log
from sqs.backoff import Backoff
from sqs.batch import RESERVE_SECONDS, Batch, BatchResponse, Context, Settings
from sqs.claims import Once
from sqs.deliveries import add_message_fields
from sqs.in_order import process_in_order
from sqs.queue import queue_of_environment
from sqs.signature import is_async, takes_delivery

MessageT = TypeVar("MessageT")

Result = None | Coroutine[Any, Any, None]

Handle = Callable[[MessageT], Result] | Callable[[MessageT, Delivery], Result]


class OnceHandle(Once, Protocol[MessageT]):
    """A `handle` that is called once for each key of a message: sqs.idempotency.Once."""

    handle: Handle[MessageT]


class Envelope(Protocol):
    """What messages are wrapped in. A module can be one."""

    def decoder(self, message_type: Any) -> Callable[[str], Any]: ...

    def event_of(self, body: str) -> Event: ...


class BatchHandler(msgspec.Struct, Generic[MessageT], frozen=True):
    """A Lambda handler for the event source mapping of an SQS queue."""

    message_type: type[MessageT] | UnionType
    settings: Settings
    process: Callable[[Batch], None]

    def __call__(self, event: dict[str, Any], context: Context | None) -> BatchResponse:
        """Handle every message of an SQS event, and return the ids of those that go back.

        A message that fails is retried after a backoff. If its body cannot be parsed, it becomes a
        dead letter, and so does a message that fails at its last receive. In a FIFO queue, the rest
        of its message group is held back if it is retried, so that the order is kept. Shortly
        before the function's timeout, messages that are not done yet are returned too. Without a
        context there is no timeout. Each failure is logged, and so are the counts of the batch.

        Raises NotAnSqsEvent before any message is handled.
        """
        batch = Batch(event, context, self.settings)
        self.process(batch)
        return batch.response()


def batch_handler(
    message_type: type[MessageT] | UnionType,
    handle: Handle[MessageT] | OnceHandle[MessageT],
    *,
    backoff: Backoff | None = None,
    envelope: Envelope | None = None,
    retry_unparsable: bool = False,
    reserve_seconds: float = RESERVE_SECONDS,
) -> BatchHandler[MessageT]:
    """Make the Lambda handler that decodes messages of a type and calls `handle` with each.

    message_type: a type that msgspec can decode from JSON, or a union of such types.
    handle: a `def` gets the messages in order. An `async def` gets them at the same time, except
    that messages of the same group in a FIFO queue follow each other. With a second parameter, it
    also gets the Delivery. In an sqs.idempotency.Once, it is called once for each key.
    backoff: how long a message that failed waits before it is retried.
    envelope: what the message is wrapped in, such as the module sqs.eventbridge.
    retry_unparsable: retry a body that cannot be parsed like any other failure.
    reserve_seconds: how long before the function's timeout no message is started any more.
    """
    process = process_in_order
    once: Once | None = None
    if not callable(handle):
        once, handle = handle, handle.handle
    if is_async(handle):
        # Imported here so that synchronous handlers start faster.
        from sqs.concurrently import process_concurrently as process
    add_message_fields()
    log.enable()
    settings = Settings(
        decode=(
            envelope.decoder(message_type)
            if envelope
            else msgspec.json.Decoder(message_type).decode
        ),
        handle=handle,
        takes_delivery=takes_delivery(handle),
        event_of=envelope.event_of if envelope else None,
        once=once,
        queue=queue_of_environment(),
        backoff=backoff or Backoff(),
        retry_unparsable=retry_unparsable,
        reserve_seconds=reserve_seconds,
    )
    return BatchHandler(message_type, settings, process)
