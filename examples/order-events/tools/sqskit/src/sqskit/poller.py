"""The event source mapping: hands batches of a queue to the function, and obeys its response."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqskit.aws import Aws
from sqskit.debugger import Debugger
from sqskit.environment import REGION
from sqskit.errors import UserError
from sqskit.filters import is_wanted
from sqskit.mapping import LONGEST_VISIBILITY_TIMEOUT, EventSourceMapping, Queue
from sqskit.worker import Invocation, Worker

# The largest event in bytes that Lambda accepts.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_PAYLOAD = 6 * 1024 * 1024

# The name of the logger of lambdas/sqs, and its field for the id of a message.
LOGGER, MESSAGE_ID = "sqs", "messageId"

# It logs this of a message whose retry it has arranged, and then the seconds.
SAID_WHEN = " it is retried in "

# It logs with this field which messages of a batch it has deleted itself.
DELETED = "deleted"

# It logs this if it could not do so.
COULD_NOT = "failed, so the queue's own settings apply"

# For so long, a batch may still be processed when the run ends.
SECONDS_TO_STOP = 2

# Lambda starts with five concurrent batches and scales up from there.
POLLERS = 5


class ContractBroken(ValueError):
    """Lambda does not understand the response, and treats the whole batch as failed."""


@dataclass(frozen=True)
class Batch:
    """A batch that was processed."""

    mapping: EventSourceMapping
    records: list[dict[str, Any]]
    invocation: Invocation
    failed: set[str]  # the ids of the messages that stay in the queue
    error: str | None  # why the whole batch failed, if it did
    filtered: bool = False  # the messages match no filter, so the function does not get them
    retry_at: dict[str, float] = field(default_factory=dict)  # when each failed one returns


class Poller(threading.Thread):
    """A thread that polls a queue, with a worker of its own, until it is stopped."""

    def __init__(
        self,
        aws: Aws,
        mapping: EventSourceMapping,
        report: Callable[[Batch], None],
        retry_after: int | None = None,
        announce: Callable[[EventSourceMapping, list[dict[str, Any]]], None] | None = None,
        debugger: Debugger | None = None,
    ) -> None:
        """Call `report` with each batch, and `announce` with its records before it is processed.

        retry_after: replaces the queue's visibility timeout for messages that return, unless the
        function has said when they are to be retried.
        debugger: for which the function waits before it is imported.
        """
        super().__init__(daemon=True)
        self.debugger = debugger
        self.visibility = {}
        if debugger:
            # A message that is debugged must not reappear.
            self.visibility = {"VisibilityTimeout": LONGEST_VISIBILITY_TIMEOUT}
            retry_after = mapping.queue.visibility_timeout if retry_after is None else retry_after
        self.mapping = mapping
        self.sqs = aws.client("sqs")
        self.worker = Worker(mapping.function, aws.endpoint, debugger)
        self.report = report
        self.retry_after = retry_after
        self.announce = announce
        self.stopping = threading.Event()
        self.received: list[dict[str, Any]] = []  # records for the next batch
        self.error: BaseException | None = None  # that has ended the thread

    def prepare(self) -> None:
        """Start the function's process. Raises UserError if its code cannot run."""
        started = self.worker.start()
        if started.error:
            raise UserError(
                "\n  ".join([started.error, *(line["message"] for line in started.log)])
            )

    def run(self) -> None:
        try:
            if self.debugger:
                self.prepare()
            while not self.stopping.is_set():
                if records := self._next_batch():
                    if self.announce:
                        self.announce(self.mapping, records)
                    self.report(self._process(records))
        except BaseException as error:  # for the thread that has started this one
            self.error = error

    def stop(self, seconds: float = SECONDS_TO_STOP) -> None:
        """Stop, after this time even if a batch is not done yet; if it is debugged, at once."""
        self.stopping.set()
        if self.ident and not self.debugger:  # it was started
            self.join(max(0, seconds))
        self.worker.close()
        if self.debugger:
            self.debugger.close()

    def _next_batch(self) -> list[dict[str, Any]]:
        """Collect records until the batch is full or its window is over."""
        batch: list[dict[str, Any]] = []
        size, until = len('{"Records": []}'), 0.0
        while not self.stopping.is_set():
            if not self.received:
                room = self.mapping.batch_size - len(batch)
                self.received = self._receive(room, until - time.monotonic() if batch else 1)
            if self.received and not batch:
                until = time.monotonic() + self.mapping.window
            while self.received:
                size += len(json.dumps(self.received[0])) + len(", ")
                if batch and size > LARGEST_PAYLOAD:
                    return batch
                batch.append(self.received.pop(0))
            if len(batch) == self.mapping.batch_size or (batch and time.monotonic() >= until):
                return batch
        return []

    def _receive(self, room: int, seconds: float) -> list[dict[str, Any]]:
        """Receive up to ten records, and wait for the first one for at most a second."""
        response = self.sqs.receive_message(
            QueueUrl=self.mapping.queue.url,
            MaxNumberOfMessages=min(10, room),
            WaitTimeSeconds=1 if seconds >= 1 else 0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **self.visibility,
        )
        messages = response.get("Messages", [])
        if not messages and seconds < 1:
            time.sleep(0.05)
        return self._filtered([record_of(message, self.mapping.queue) for message in messages])

    def _filtered(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records that match a filter, and delete the messages of the others."""
        wanted, unwanted = list[dict[str, Any]](), list[dict[str, Any]]()
        for record in records:
            (wanted if is_wanted(record, self.mapping.filters) else unwanted).append(record)
        if unwanted:
            self._delete_messages(unwanted)
            self.report(Batch(self.mapping, unwanted, Invocation(), set(), None, filtered=True))
        return wanted

    def _process(self, records: list[dict[str, Any]]) -> Batch:
        """Invoke the function, and delete the messages that succeeded; the others are retried."""
        begun = time.time()
        invocation = self.worker.invoke({"Records": records})
        ids = {record["messageId"] for record in records}
        failed, error = set[str](), invocation.error
        if invocation.response is not None and self.mapping.reports_failures:
            try:
                failed = failed_ids(invocation.response, ids)
            except ContractBroken as broken:
                error = str(broken)
        deleted = deleted_in(invocation.log)
        if error:
            failed = ids - deleted
        self._delete_messages(each for each in records if each["messageId"] not in failed | deleted)
        retry_at, held, others = self._retries(
            [record for record in records if record["messageId"] in failed], invocation, begun
        )
        self._hide(held, 0)
        self._hide(others, self.retry_after or 0)
        return Batch(self.mapping, records, invocation, failed, error, retry_at=retry_at)

    def _retries(
        self, failed: list[dict[str, Any]], invocation: Invocation, begun: float
    ) -> tuple[dict[str, float], list[dict[str, Any]], list[dict[str, Any]]]:
        """Return when each failed message is retried, if that is known, and for which to say so.

        The latter are those that only wait for an earlier one of their FIFO group, and the others.
        begun: when the function was invoked, as all times in seconds since 1970.
        """
        own = filter(is_own, invocation.log)
        could_say = not any(COULD_NOT in str(line.get("message")) for line in own)
        said, now = retries_in(invocation.log) if could_say else {}, time.time()
        retry_at, groups = dict[str, float](), dict[str, float]()
        held, others = list[dict[str, Any]](), list[dict[str, Any]]()
        for record in failed:
            id_ = record["messageId"]
            group = record["attributes"].get("MessageGroupId", "")
            if id_ in said:
                retry_at[id_] = groups[group] = now + said[id_]
            elif self.retry_after is None:
                retry_at[id_] = begun + self.mapping.queue.visibility_timeout
                if self.mapping.queue.is_fifo:  # an earlier message of the group may take longer
                    retry_at[id_] = max(retry_at[id_], groups.get(group, 0))
            elif self.mapping.queue.is_fifo and group in groups:
                retry_at[id_] = groups[group]
                held.append(record)
            else:
                retry_at[id_] = now + self.retry_after
                others.append(record)
        return retry_at, held, others

    def _hide(self, records: Iterable[dict[str, Any]], seconds: int) -> None:
        for entries in tens(records):
            for entry in entries:
                entry["VisibilityTimeout"] = seconds
            self.sqs.change_message_visibility_batch(
                QueueUrl=self.mapping.queue.url, Entries=entries
            )

    def _delete_messages(self, records: Iterable[dict[str, Any]]) -> None:
        for entries in tens(records):
            self.sqs.delete_message_batch(QueueUrl=self.mapping.queue.url, Entries=entries)


def retries_in(log: list[dict[str, Any]]) -> dict[str, int]:
    """Return in how many seconds each message is retried whose retry lambdas/sqs has arranged."""
    found = {}
    for line in filter(is_own, log):
        _, is_said, seconds = str(line.get("message")).rpartition(SAID_WHEN)
        if is_said and MESSAGE_ID in line:
            with suppress(ValueError):
                found[str(line[MESSAGE_ID])] = int(seconds.removesuffix(" s"))
    return found


def deleted_in(log: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the messages that lambdas/sqs has deleted before the end of a batch."""
    found = (line.get(DELETED) for line in filter(is_own, log))
    return {str(id_) for ids in found if isinstance(ids, list) for id_ in ids}


def is_own(line: dict[str, Any]) -> bool:
    """Tell whether lambdas/sqs has logged a line, and not `handle`."""
    return line.get("logger") == LOGGER


def failed_ids(response: str, ids: set[str]) -> set[str]:
    """Return the ids of the messages that failed, by the function's response.

    Raises ContractBroken if Lambda treats all of them as failed. The rules are under "Reporting
    batch item failures" in
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        content = json.loads(response)
    except ValueError as error:
        raise ContractBroken("the response is not JSON") from error
    if content is None:
        return set()
    if not isinstance(content, dict):
        raise ContractBroken("the response is not an object")
    failures = content.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        raise ContractBroken("batchItemFailures is not a list")
    failed = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or not identifier:
            raise ContractBroken("a batch item failure has no itemIdentifier that is a text")
        if identifier not in ids:
            raise ContractBroken(f"{identifier} is not the id of a message in the batch")
        failed.add(identifier)
    return failed


def record_of(message: dict[str, Any], queue: Queue) -> dict[str, Any]:
    """Return the record that Lambda makes of a received message."""
    attributes = message.get("MessageAttributes", {})
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: attribute_of(each) for name, each in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": REGION,
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def attribute_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return a message attribute in the form it has in a record."""
    attribute = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = b64encode(value["BinaryValue"]).decode()
    return attribute


def tens(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the entries of requests about records; SQS accepts ten in each."""
    entries = [
        {"Id": str(place), "ReceiptHandle": record["receiptHandle"]}
        for place, record in enumerate(records)
    ]
    for start in range(0, len(entries), 10):
        yield entries[start : start + 10]
