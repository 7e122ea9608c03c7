"""Calls to SQS, for messages that fail. A batch that succeeds at once makes none.

Each call has until shortly before the function's timeout. Without time, permission or network, the
visibility timeout of the queue and its redrive policy apply, which no message is lost by.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import monotonic
from typing import Any, Literal, TypeVar

import msgspec

from shared.delivery import LONGEST_WAIT
from sqs.log import logger, text_of
from sqs.records import Record

# So long before the timeout, the function no longer waits for a call.
SECONDS_TO_ANSWER = 0.5

# SQS refuses to hide a message for more than 12 hours from its receive. Since then, the batch may
# have waited for 5 minutes, and been handled for 15, which is the most that Lambda allows for each.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
LONGEST_HIDDEN = LONGEST_WAIT - 300 - 900

ResultT = TypeVar("ResultT")

_clients: list[Any] = []


class OutOfTime(TimeoutError):
    """No time is left in this invocation."""


class Queue(msgspec.Struct, frozen=True):
    """The queue of a function and its dead-letter queue, as template.yaml names them."""

    url: str | None
    dead_letter_url: str | None
    max_receive_count: int | None

    def is_last(self, receive_count: int) -> bool:
        """Tell whether a message that was received so often becomes a dead letter if it fails."""
        return self.max_receive_count is not None and receive_count >= self.max_receive_count


def queue_of_environment() -> Queue:
    """Return the queue that the function's environment variables name; a test has none."""
    count = os.environ.get("MAX_RECEIVE_COUNT", "")
    return Queue(
        os.environ.get("QUEUE_URL"),
        os.environ.get("DEAD_LETTER_QUEUE_URL"),
        int(count) if count.isdecimal() else None,
    )


class Calls:
    """The calls for one batch, until `stop_at` on the clock of time.monotonic()."""

    def __init__(self, queue: Queue, stop_at: float) -> None:
        self.queue = queue
        self.stop_at = stop_at
        self.failed = False

    def delete(self, records: list[Record]) -> list[Record]:
        """Delete messages that are done, and return those for which it has worked."""
        deleted = list[Record]()
        for entries in _tens(records):
            response = self._call("delete_message_batch", QueueUrl=self.queue.url, Entries=entries)
            deleted += [records[int(each["Id"])] for each in response.get("Successful", [])]
        return deleted

    def hide(self, waits: list[tuple[Record, float]]) -> None:
        """Let messages reappear after these many seconds from now."""
        if self.queue.url is None:
            return
        seconds = {record["receiptHandle"]: seconds_hidden(wait) for record, wait in waits}
        for entries in _tens(record for record, _ in waits):
            for entry in entries:
                entry["VisibilityTimeout"] = seconds[entry["ReceiptHandle"]]
            self._call("change_message_visibility_batch", QueueUrl=self.queue.url, Entries=entries)

    def send_dead_letters(self, entries: list[dict[str, Any]]) -> set[int]:
        """Send dead letters, and return the places of those that have arrived."""
        arrived = set[int]()
        for places in _packed(entries):
            numbered = [{"Id": str(place), **entries[place]} for place in places]
            response = self._call(
                "send_message_batch", QueueUrl=self.queue.dead_letter_url, Entries=numbered
            )
            arrived.update(int(each["Id"]) for each in response.get("Successful", []))
        return arrived

    def _call(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Make a call, and return its response; nothing if it fails. Log the first failure."""
        if self.failed or None in parameters.values():
            return {}
        try:
            response: dict[str, Any] = in_time(
                lambda: getattr(client(), name)(**parameters), self.stop_at
            )
        except Exception as error:
            self._warn(name, text_of(error))
            return {}
        for failure in response.get("Failed", [])[:1]:
            self._warn(name, f"{failure.get('Code')}: {failure.get('Message')}", fatal=False)
        return response

    def _warn(self, name: str, reason: str, fatal: bool = True) -> None:
        if not self.failed:
            logger.warning("%s failed, so the queue's own settings apply: %s", name, reason)
        self.failed |= fatal


def seconds_hidden(wait: float) -> int:
    """Return for how many whole seconds SQS is to hide a message that waits this long."""
    return round(min(wait, LONGEST_HIDDEN))


def in_time(call: Callable[[], ResultT], stop_at: float) -> ResultT:
    """Return the result of a call. Raises OutOfTime if no time is left to wait for it."""
    results, errors = list[ResultT](), list[BaseException]()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    if monotonic() < stop_at:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        # Again if the clock has stood still meanwhile, as it does at a breakpoint.
        while thread.is_alive() and (seconds := stop_at - monotonic()) > 0:
            thread.join(min(seconds, threading.TIMEOUT_MAX))
    if errors:
        raise errors[0]
    if not results:
        raise OutOfTime("no time was left")
    return results[0]


def client() -> Any:
    """Return the SQS client. It is made when it is needed, because importing boto3 takes long."""
    if not _clients:
        _clients.append(new_client("sqs", connect_timeout=2, read_timeout=5))
    return _clients[0]


def new_client(service: Literal["sqs", "dynamodb"], **settings: Any) -> Any:
    """Make a client that gives up soon. In a network without a way to AWS, it would hang."""
    import boto3
    from botocore.config import Config

    logging.getLogger("botocore").setLevel(logging.WARNING)  # it logs where it found the keys
    return boto3.client(service, config=Config(retries={"total_max_attempts": 2}, **settings))


def _tens(records: Iterable[Record]) -> Iterator[list[dict[str, Any]]]:
    """Yield the entries of requests about records; SQS accepts ten in each."""
    entries = (
        {"Id": str(n), "ReceiptHandle": each["receiptHandle"]} for n, each in enumerate(records)
    )
    while ten := list(islice(entries, 10)):
        yield ten


def _packed(entries: list[dict[str, Any]]) -> Iterator[list[int]]:
    """Yield the places of entries that fit into one request: ten, and one MiB."""
    from sqs.dead_letters import LARGEST_MESSAGE, size_of  # not needed until something fails

    places, room = list[int](), LARGEST_MESSAGE
    for place, entry in enumerate(entries):
        size = size_of(entry)
        if places and (len(places) == 10 or size > room):
            yield places
            places, room = [], LARGEST_MESSAGE
        places.append(place)
        room -= size
    if places:
        yield places
