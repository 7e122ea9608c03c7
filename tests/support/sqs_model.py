"""A small model of SQS and of Lambda's event source mapping, on a clock that leaps.

From "Lambda error handling" and the developer guide of SQS:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqs.queue

from tests.support.clock import Clock, ClockedContext, clocked
from tests.support.records import failed_ids, record

URL, DEAD_LETTER_URL = "https://queue", "https://dead-letters"


@dataclass
class Message:
    """A message in the queue."""

    id: str
    body: str
    group: str | None
    received: int = 0
    visible_at: float = 0
    received_at: float = 0


@dataclass
class Model:
    """A queue with a redrive policy, a dead-letter queue, and the calls that the function makes."""

    clock: Clock
    fifo: bool
    visibility_timeout: float = 60
    max_receive_count: int = 7  # as in template.yaml
    batch_size: int = 10
    messages: list[Message] = field(default_factory=list)
    dead: dict[str, str | None] = field(default_factory=dict)  # by id: the reason, None if SQS moved it
    calls: list[str] = field(default_factory=list)
    broken: bool = False  # no call succeeds

    def send(self, bodies: list[str], groups: str | None = None, received: list[int] | None = None) -> None:
        for n, body in enumerate(bodies):
            group = groups[n] if groups else ("a" if self.fifo else None)
            self.messages.append(Message(f"id-{n}", body, group, received[n] if received else 0))

    # --- what boto3's client does --------------------------------------------------------------

    def delete_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        self._called("delete", QueueUrl == URL)
        for entry in Entries:
            self.messages = [each for each in self.messages if each.id != entry["ReceiptHandle"].split()[0]]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        self._called("hide", QueueUrl == URL)
        for entry in Entries:
            assert 0 <= entry["VisibilityTimeout"] <= 43_200
            for message in self.messages:
                if message.id == entry["ReceiptHandle"].split()[0]:
                    message.visible_at = self.clock.now + entry["VisibilityTimeout"]
                    assert message.visible_at <= message.received_at + 43_200
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        self._called("send", QueueUrl == DEAD_LETTER_URL)
        for entry in Entries:
            attributes = entry["MessageAttributes"]
            self.dead[attributes["originalMessageId"]["StringValue"]] = attributes["errorMessage"]["StringValue"]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def _called(self, name: str, right_queue: bool) -> None:
        assert right_queue
        self.calls.append(name)
        if self.broken:
            raise ConnectionError("out of reach")

    # --- what SQS and Lambda do ----------------------------------------------------------------

    def receive(self) -> list[Message]:
        """Return the next batch, after the time in which there is none; it becomes invisible."""
        while self.messages:
            hidden = [each for each in self.messages if each.visible_at > self.clock.now]
            batch, blocked = list[Message](), {each.group for each in hidden if self.fifo}
            for message in list(self.messages):
                if (self.fifo and message.group in blocked) or len(batch) == self.batch_size:
                    continue
                if message in hidden:
                    continue
                message.received += 1
                if message.received > self.max_receive_count:
                    self.messages.remove(message)
                    self.dead.setdefault(message.id, None)
                    continue
                batch.append(message)
            if batch:
                for message in batch:
                    message.received_at = self.clock.now
                    message.visible_at = self.clock.now + self.visibility_timeout
                return batch
            later = [each.visible_at for each in self.messages if each.visible_at > self.clock.now]
            self.clock.now = min(later, default=self.clock.now)
        return []

    def invoke(self, handler: Callable[[Any, Any], Any], seconds: float = 10) -> bool:
        """Hand the next batch to the function, and delete what it does not return; tell whether there was one."""
        batch = self.receive()
        if not batch:
            return False
        records = [record(each.body, each.id, each.group, fifo=self.fifo, received=each.received) for each in batch]
        try:
            failed = failed_ids(handler({"Records": records}, ClockedContext(self.clock, seconds)))
        except SystemExit:  # the process has ended
            return True
        done = {each.id for each in batch} - set(failed)
        self.messages = [each for each in self.messages if each.id not in done]
        return True


@contextmanager
def model(*, fifo: bool = False) -> Iterator[Model]:
    """Run lambdas/sqs against a model of SQS for the time of a `with` statement."""
    with clocked() as clock, pytest.MonkeyPatch.context() as patch:
        found = Model(clock, fifo)
        patch.setattr(sqs.queue, "_clients", [found])
        patch.setenv("QUEUE_URL", URL)
        patch.setenv("DEAD_LETTER_QUEUE_URL", DEAD_LETTER_URL)
        patch.setenv("MAX_RECEIVE_COUNT", str(found.max_receive_count))
        yield found
