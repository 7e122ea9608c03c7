"""Run a stack on this machine in a test."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqskit.aws import Aws, EmbeddedAws
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch, Poller, is_own
from sqskit.screen import processed
from sqskit.send import send

SECONDS_TO_WAIT = 20


class RunningStack:
    """One function of a stack, and its queues."""

    def __init__(self, aws: Aws, mapping: EventSourceMapping, batches: list[Batch]) -> None:
        self.aws = aws
        self.queue = mapping.queue
        self.batches = batches

    def send(self, body: str) -> None:
        """Send a message to the function's queue."""
        send(self.aws, self.queue, body)

    def is_empty(self) -> bool:
        """Tell whether no message waits in the queue or is being processed."""
        return self.aws.depth(self.queue.url) == (0, 0)

    def dead_letters(self) -> list[str]:
        """Return the bodies of up to ten dead letters."""
        received = self.aws.client("sqs").receive_message(
            QueueUrl=self.queue.dead_letter_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in received.get("Messages", [])]

    def counted(self, field: str) -> int:
        """Return how many messages lambdas/sqs has counted in a field of its log, so far."""
        lines = [line for batch in self.batches for line in batch.invocation.log]
        return sum(line[field] for line in lines if field in line and is_own(line))

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true. Raises TimeoutError after 20 seconds, with the log."""
        try:
            wait_until(condition)
        except TimeoutError as error:
            batches = [line.text for batch in self.batches[-1:] for line in processed(batch)]
            raise TimeoutError("\n".join([f"{error}; the last batch:", *batches])) from None


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true. Raises TimeoutError after 20 seconds."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"still not true after {SECONDS_TO_WAIT} seconds")
        time.sleep(0.02)


@contextmanager
def running(
    template: Path, function: str, parameters: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """Run a function of a SAM template with its queues; a failed message is retried at once.

    function: its logical id.
    parameters: the values of those that have no default.
    Raises UserError if the stack cannot run.
    """
    with EmbeddedAws() as aws:
        found = [
            each for each in aws.deploy(template, parameters) if each.function.name == function
        ]
        if not found:
            raise UserError(f"the template has no function {function} with an SQS event")
        batches: list[Batch] = []
        poller = Poller(aws, found[0], batches.append, retry_after=0)
        try:
            poller.prepare()
            poller.start()
            yield RunningStack(aws, found[0], batches)
        finally:
            poller.stop()
