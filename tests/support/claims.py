"""The table of keys in moto, what can go wrong with it, and queues that deliver to a handler."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import pytest
import sqs.concurrently
import sqs.idempotency
import sqs.queue
from moto import mock_aws
from sqs.idempotency import Once

from tests.support import records

Item = dict[str, dict[str, Any]]

TABLE = "keys"
CALLS = ("put_item", "update_item", "delete_item")
CLAIM, COMPLETE, RELEASE = CALLS


def make_table(client: Any, name: str = TABLE) -> None:
    """Make the table of template.yaml."""
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def items(client: Any) -> list[Item]:
    """Return all records of the table."""
    found: list[Item] = client.scan(TableName=TABLE)["Items"]
    return found


@contextmanager
def table_in_moto(name: str = TABLE) -> Iterator[Any]:
    """Make the table for the time of a `with` statement, and yield a client."""
    with mock_aws():
        client = boto3.client("dynamodb")
        make_table(client, name)
        yield client


@contextmanager
def named(client: Any, name: str = TABLE) -> Iterator[None]:
    """Name the table to the function for the time of a `with` statement, and let it use a client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDEMPOTENCY_TABLE", name)
        patch.setattr(sqs.idempotency, "new_client", lambda *_, **__: client)  # making one takes long
        yield


def clear(client: Any) -> None:
    for item in items(client):
        client.delete_item(TableName=TABLE, Key={"id": item["id"]})


class Hooked:
    """A client of DynamoDB that calls a function before and after each call that changes the table."""

    def __init__(
        self,
        client: Any,
        before: Callable[[str], object] = lambda name: None,
        after: Callable[[str], object] = lambda name: None,
    ) -> None:
        self.client, self.before, self.after = client, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name not in CALLS:
            return method

        def call(**parameters: Any) -> Any:
            self.before(name)
            result = method(**parameters)
            self.after(name)
            return result

        return call


def hook(
    once: Once[Any],
    before: Callable[[str], object] = lambda name: None,
    after: Callable[[str], object] = lambda name: None,
) -> None:
    """Call functions with the name of each call to the table, before and after it."""
    client = once.client.client if isinstance(once.client, Hooked) else once.client
    once.client = Hooked(client, before, after)


class Inline(Executor):
    """Takes the place of threads, for a clock that leaps while the event loop waits."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@contextmanager
def without_threads() -> Iterator[None]:
    """Make the calls of an `async def handle` in the event loop for the time of a `with` statement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqs.concurrently, "_threads", Inline())
        yield


@dataclass
class Queues:
    """A queue in moto and its dead-letter queue. What a delivery returns is visible at once."""

    client: Any
    url: str
    dead_letter_url: str
    returned: list[str] = field(default_factory=list)  # the receipts

    def send(self, body: str, attributes: dict[str, Any] | None = None) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=attributes or {})

    def deliver(self, handler: Callable[[Any, Any], Any], context: Any = None) -> list[str]:
        """Hand all messages to a handler as one batch, and return the bodies of those that go back."""
        for receipt in self.returned:
            self.client.change_message_visibility(QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0)
        messages = self._receive(self.url)
        failed = records.failed_ids(handler({"Records": [_record(each) for each in messages]}, context))
        self.returned = []
        for message in messages:
            if message["MessageId"] in failed:
                self.returned.append(message["ReceiptHandle"])
            else:
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages if message["MessageId"] in failed]

    def redrive(self) -> int:
        """Send the dead letters back; the ids are new. Return how many there were."""
        letters = self._receive(self.dead_letter_url)
        for letter in letters:
            self.send(letter["Body"], letter.get("MessageAttributes"))
            self.client.delete_message(QueueUrl=self.dead_letter_url, ReceiptHandle=letter["ReceiptHandle"])
        return len(letters)

    def _receive(self, url: str) -> list[Any]:
        response = self.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        return list(response.get("Messages", []))


def _record(message: dict[str, Any]) -> dict[str, Any]:
    record = records.record(message["Body"], message["MessageId"])
    record["receiptHandle"] = message["ReceiptHandle"]
    record["attributes"] = message["Attributes"]
    record["messageAttributes"] = {
        name: {"dataType": each["DataType"], "stringValue": each["StringValue"]}
        for name, each in message.get("MessageAttributes", {}).items()
    }
    return record


@contextmanager
def queues_of_function() -> Iterator[Queues]:
    """Name a queue and a dead-letter queue to the function for the time of a `with` statement."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        client = boto3.client("sqs")
        url, dead_letter_url = (
            client.create_queue(QueueName=name)["QueueUrl"] for name in (f"queue-{uuid4()}", f"dead-{uuid4()}")
        )
        patch.setattr(sqs.queue, "_clients", [])
        patch.setenv("QUEUE_URL", url)
        patch.setenv("DEAD_LETTER_QUEUE_URL", dead_letter_url)
        patch.setenv("MAX_RECEIVE_COUNT", "3")
        yield Queues(client, url, dead_letter_url)
