"""Batches as the pollers tell a history of them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqskit.mapping import EventSourceMapping, Function, Queue
from sqskit.page.history import History
from sqskit.poller import Batch
from sqskit.worker import Invocation

from tests.support.records import QUEUE, record

DEAD = "http://127.0.0.1/dead"
MAPPING = EventSourceMapping(
    Queue("http://127.0.0.1/orders", QUEUE, 60, DEAD, 5),
    Function("Processor", Path(), "new_message_processor.app.handler", 10, 128, "python3.13", "arn", {}),
    batch_size=10,
    window=0,
    concurrency=10,
    reports_failures=True,
)
FIFO = replace(MAPPING, queue=replace(MAPPING.queue, arn=f"{QUEUE}.fifo"))


def failed(id_: str, reason: str, fate: str, cause: str = "failedToHandle") -> dict[str, Any]:
    """Return the line with which lambdas/sqs logs a failure."""
    message = f"Message {id_} failed at receive 1: {reason}; {fate}"
    return {"logger": "sqs", "message": message, "messageId": id_, "cause": cause}


def happen(
    history: History,
    records: list[dict[str, Any]],
    *log: dict[str, Any],
    back: Iterable[str] = (),
    mapping: EventSourceMapping = MAPPING,
    error: str | None = None,
    retry_at: dict[str, float] | None = None,
) -> None:
    """Tell a history of a batch, from its begin to its end.

    back: the ids of the messages that go back to the queue; all of them after an error.
    """
    history.announce(mapping, records)
    ids = {each["messageId"] for each in records} if error else set(back)
    invocation = Invocation(None if error else "{}", error, list(log), 0.25)
    history.report(Batch(mapping, records, invocation, ids, error, retry_at=retry_at or {}))


def many(history: History, number: int, size: int = 10) -> None:
    """Let this many messages be done, whose bodies are their numbers."""
    for start in range(0, number, size):
        places = range(start, min(number, start + size))
        happen(history, [record(f'{{"n": {place}}}', f"id-{place}") for place in places])
