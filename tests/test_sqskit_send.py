"""Messages that `sqskit send` sends together: their order, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqskit.aws import Aws, EmbeddedAws
from sqskit.errors import UserError
from sqskit.mapping import Queue
from sqskit.routes import ToQueue
from sqskit.send import LARGEST_MESSAGE, batches, send_batch_along, send_examples

from tests.support.happenings import MAPPING


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


def queue(aws: Aws, name: str) -> Queue:
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = aws.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Queue(url, f"arn:aws:sqs:us-east-1:123456789012:{name}", 30, None, None)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([1] * 23, [10, 10, 3]),
        ([LARGEST_MESSAGE // 2] * 3, [2, 1]),
        ([LARGEST_MESSAGE, 1, LARGEST_MESSAGE], [1, 1, 1]),
        ([LARGEST_MESSAGE + 1], [1]),  # SQS says that it is too large
    ],
)
def test_batches_are_as_large_as_sqs_accepts(lengths: list[int], expected: list[int]) -> None:
    bodies = [f"{place:x<{length}}"[:length] for place, length in enumerate(lengths)]
    found = list(batches(bodies))
    assert [len(batch) for batch in found] == expected
    assert [body for batch in found for body in batch] == bodies


def test_size_of_a_batch_is_counted_in_bytes() -> None:
    assert [len(batch) for batch in batches(["ü" * (LARGEST_MESSAGE // 4)] * 3)] == [2, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "group"), [("standard", None), ("ordered.fifo", "customer-7")])
def test_messages_arrive_once_and_in_order(aws: EmbeddedAws, name: str, group: str | None) -> None:
    target = queue(aws, name)
    bodies = [*map(str, range(10)), *["the same"] * 2]
    for batch in batches(bodies):
        send_batch_along(ToQueue(target.url), aws, target, batch, group or "unused")
    sqs, found = aws.client("sqs"), list[str]()
    asked: dict[str, Any] = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["MessageGroupId"]}
    while received := sqs.receive_message(QueueUrl=target.url, **asked).get("Messages"):
        found += [message["Body"] for message in received]
        for message in received:
            assert message.get("Attributes", {}).get("MessageGroupId") == group
            sqs.delete_message(QueueUrl=target.url, ReceiptHandle=message["ReceiptHandle"])
    assert found == bodies


@pytest.mark.slow
def test_largest_batches_are_accepted(aws: EmbeddedAws) -> None:
    target = queue(aws, "large")
    for batch in batches(["x" * (LARGEST_MESSAGE // 10)] * 11):
        send_batch_along(ToQueue(target.url), aws, target, batch)
    assert aws.depth(target.url) == (11, 0)


def test_stack_that_has_ended_meanwhile_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sqskit.send.running_stack", lambda template: (Aws("http://127.0.0.1:1"), [MAPPING]))
    with pytest.raises(UserError, match=r"^AWS cannot be asked: Could not connect"):
        send_examples(tmp_path / "template.yaml", None)


class Refusing:
    """A client whose service refuses the last message of each request."""

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:
        refused = {"Id": Entries[-1]["Id"], "SenderFault": True, "Code": "InvalidMessageContents"}
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries[:-1]], "Failed": [refused]}


def test_refused_message_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^SQS refuses a message: InvalidMessageContents$"):
        ToQueue("http://queue").send_batch(lambda service: Refusing(), ["1", "2"])
