"""A dead-letter queue, on AWS or on the local stack: read it, send messages back, delete one."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sqskit.errors import UserError

# For how many seconds no other reader gets the dead letters that are being read. A long queue takes
# longer to read: about a second for this many.
SECONDS_HIDDEN = 30
READ_IN_A_SECOND = 50

# How many seconds a request waits for a dead letter. Without waiting, SQS asks only some of its
# servers, and may find none.
SECONDS_TO_WAIT = 1

# lambdas/sqs gives a dead letter this attribute, which it keeps if it is sent back.
ORIGINAL_ID = "originalMessageId"

MOVED_BY_SQS = "no reason given: SQS moved it, because it ended the process or no call succeeded"


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue."""

    own_id: str
    receipt_handle: str
    body: str
    sent_at: float  # in seconds; if SQS has moved the message, when it was sent to its first queue
    attributes: dict[str, Any]
    group: str | None

    def added(self, name: str) -> str:
        """Return an attribute that lambdas/sqs has added, empty if it has not."""
        return str(self.attributes.get(name, {}).get("StringValue", ""))

    @property
    def id(self) -> str:
        """The id that the message had in the log of the function."""
        return self.added(ORIGINAL_ID) or self.own_id

    def is_called(self, id_: str) -> bool:
        """Tell whether one of its ids begins like this."""
        return self.id.startswith(id_) or self.own_id.startswith(id_)

    @property
    def reason(self) -> str:
        parts = filter(None, [self.added("errorType"), self.added("errorMessage")])
        return ": ".join(dict.fromkeys(parts)) or MOVED_BY_SQS


class DeadLetterQueue:
    """A dead-letter queue. What is read in a `with` statement can be read again after it."""

    def __init__(self, sqs: Any, url: str) -> None:
        """Take a client of SQS, and the URL of the queue."""
        self.sqs = sqs
        self.url = url
        self.name = url.rpartition("/")[2]
        self.is_fifo = url.endswith(".fifo")
        self.held: dict[str, DeadLetter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entries = [
            {"Id": str(n), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
            for n, letter in enumerate(self.held.values())
        ]
        self.held.clear()
        for start in range(0, len(entries), 10):
            ten = entries[start : start + 10]
            self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=ten)

    def length(self) -> int:
        """Return about how many messages it has, with those that another reader has."""
        attributes = self._attributes(self.url)
        waiting, hidden = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        return int(attributes[waiting]) + int(attributes[hidden])

    def letters(self) -> Iterator[DeadLetter]:
        """Yield each dead letter once, and hide it from other readers meanwhile."""
        length, begin = self.length(), time.time()
        seconds = SECONDS_HIDDEN + length // READ_IN_A_SECOND
        seen = set[str]()
        while True:
            messages = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=SECONDS_TO_WAIT,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            new = [letter_of(each) for each in messages if each["MessageId"] not in seen]
            if not new:
                return
            seen.update(letter.own_id for letter in new)
            self.held |= {letter.own_id: letter for letter in new}
            yield from new
            if len(seen) >= length and all(letter.sent_at > begin for letter in new):
                return  # it would not end while others arrive

    def send_back(self, letter: DeadLetter) -> None:
        """Send a dead letter to the queue it comes from, and then delete it. Raises UserError."""
        fifo = {"MessageGroupId": letter.group, "MessageDeduplicationId": letter.own_id}
        self.sqs.send_message(
            QueueUrl=self.source_url(),
            MessageBody=letter.body,
            MessageAttributes=letter.attributes,
            **(fifo if self.is_fifo else {}),
        )
        self.delete(letter)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a dead letter for good."""
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt_handle)
        del self.held[letter.own_id]

    def start_move(self) -> None:
        """Have SQS send all dead letters back, which only AWS can. Raises UserError."""
        self.sqs.start_message_move_task(
            SourceArn=self._attributes(self.url)["QueueArn"],
            # Without it, SQS moves no messages that were sent to this queue.
            DestinationArn=self._attributes(self.source_url())["QueueArn"],
        )

    def last_move(self) -> dict[str, Any]:
        """Return what SQS says about the move that was started last."""
        arn = self._attributes(self.url)["QueueArn"]
        tasks: list[dict[str, Any]] = self.sqs.list_message_move_tasks(SourceArn=arn)["Results"]
        return tasks[0]

    def source_url(self) -> str:
        """Return the URL of the queue that the dead letters come from. Raises UserError."""
        found = self.sqs.list_dead_letter_source_queues(QueueUrl=self.url)
        urls: list[str] = found.get("queueUrls", [])
        if not urls:
            raise UserError(f"no queue uses {self.name} as its dead-letter queue")
        if len(urls) > 1:
            raise UserError(f"several queues use {self.name} as their dead-letter queue")
        return urls[0]

    def _attributes(self, url: str) -> dict[str, str]:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = found["Attributes"]
        return attributes


def letter_of(message: dict[str, Any]) -> DeadLetter:
    """Make a dead letter of a message as it was received."""
    return DeadLetter(
        own_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=int(message["Attributes"]["SentTimestamp"]) / 1000,
        attributes=message.get("MessageAttributes", {}),
        group=message["Attributes"].get("MessageGroupId"),
    )
