"""Send messages to a queue, from any Python code. `import sqs` does not import this."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import sleep
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from sqs.backoff import Backoff
from sqs.dead_letters import LARGEST_MESSAGE, size_of
from sqs.log import text_of, type_name
from sqs.queue import client

MessageT = TypeVar("MessageT")

MOST_TRIES = 4  # for a message that fails through no fault of its own
PAUSE = Backoff(first=0.2, factor=4)  # in seconds, before another try
MOST_REFUSALS = 10  # if this many calls in a row fail as a whole, no more are made


class NotSent(Exception):
    """Some messages were not sent; all others were.

    failures: each of these messages and the reason, in the order in which they were given. If SQS
    did not answer, a message may have arrived all the same.
    """

    def __init__(self, failures: list[tuple[Any, str]], total: int) -> None:
        reason = " ".join(failures[0][1].split())  # on one line
        super().__init__(f"{len(failures)} of {total} messages not sent; the first: {reason}")
        self.failures = failures


def send(
    queue_url: str,
    messages: Iterable[MessageT],
    *,
    group: Callable[[MessageT], object] | None = None,
) -> None:
    """Send messages as JSON. Raises NotSent after all others are sent.

    group: returns the message group of a message, such as an id; it is sent as text. A FIFO queue
    needs groups, and keeps the order within each. With groups, a standard queue is a fair queue.

    A message that SQS cannot take at the moment is tried again. If that does not help, the rest of
    its group in a FIFO queue is not sent either, so that you can send all of it again in order.
    """
    if queue_url.endswith(".fifo") and group is None:
        raise ValueError("a FIFO queue needs message groups; add group=lambda message: ...")
    sending, place = Sending(queue_url), 0
    try:
        for place, message in enumerate(messages, 1):
            sending.add(place, message, group)
    finally:  # if `messages` raises an exception, those before it are sent
        while sending.waiting:
            sending.call()
    if sending.failures:
        raise NotSent([failure for _, failure in sorted(sending.failures.items())], place)


@dataclass
class Waiting:
    """A message for the next call."""

    message: Any
    entry: dict[str, Any]
    tries: int = 0


class Sending:
    """The next call to a queue, and the messages that failed.

    A call to a FIFO queue has one message of each group. Of two, SQS could refuse the first and
    take the second, and the order would be lost.
    """

    def __init__(self, queue_url: str) -> None:
        self.queue_url = queue_url
        self.waiting: dict[str, Waiting] = {}  # by group in a FIFO queue, else by id
        self.failures: dict[int, tuple[Any, str]] = {}  # by place
        self.failed_groups: set[str] = set()
        self.refusals = 0  # calls in a row that failed as a whole
        self.broken: Exception | None = None  # why no more calls are made

    def add(self, place: int, message: Any, group: Callable[[Any], object] | None) -> None:
        """Let a message wait for the next call; make it first if there is no room for another."""
        try:
            entry = _entry(place, message, group)
        except Exception as error:
            self.failures[place] = message, _reason(error)
            return
        key = entry["Id"]
        if self.queue_url.endswith(".fifo"):
            key = entry["MessageGroupId"]
            # Without it, the queue drops the second of two equal bodies, which may be meant to be
            # equal. It is made once for each message, so that a retry cannot double the message.
            entry["MessageDeduplicationId"] = str(uuid4())
        while key in self.waiting or not self._has_room(entry):
            self.call()
        if key in self.failed_groups:
            self.failures[place] = message, "an earlier message of its group was not sent"
        else:
            self.waiting[key] = Waiting(message, entry)

    def _has_room(self, entry: dict[str, Any]) -> bool:
        entries = [entry, *(each.entry for each in self.waiting.values())]
        return len(entries) <= 10 and sum(map(size_of, entries)) <= LARGEST_MESSAGE

    def call(self) -> None:
        """Send the messages that wait. Those that are worth another try wait on, after a pause."""
        failures, pause = self._failures([each.entry for each in self.waiting.values()]), 0.0
        for key, each in list(self.waiting.items()):
            reason, own_fault = failures.get(each.entry["Id"], ("", True))
            each.tries += 1
            if not own_fault:
                if each.tries < MOST_TRIES and not self.broken:
                    pause = max(pause, PAUSE.seconds(each.tries, fifo=False))
                    continue
                self.failed_groups.add(key)
            del self.waiting[key]
            if reason:
                self.failures[int(each.entry["Id"])] = each.message, reason
        sleep(pause)

    def _failures(self, entries: list[dict[str, Any]]) -> dict[str, tuple[str, bool]]:
        """Make a call. Return by id why an entry failed, and whether that is its own fault.

        If SQS refuses the call, send each entry alone.
        """
        try:
            if self.broken:
                raise self.broken
            response = client().send_message_batch(QueueUrl=self.queue_url, Entries=entries)
        except Exception as error:  # boto3 has retried the call
            self.refusals += 1
            answered = getattr(error, "response", None)
            if self.refusals >= MOST_REFUSALS or not answered:  # out of reach
                self.broken = error
            elif len(entries) > 1:  # one of them may be the cause
                alone = [self._failures([entry]) for entry in entries]
                return {id_: failure for failures in alone for id_, failure in failures.items()}
            return {entry["Id"]: (_reason(error), False) for entry in entries}
        self.refusals = 0
        return {
            each["Id"]: (f"{each['Code']}: {each.get('Message', '')}", each["SenderFault"])
            for each in response.get("Failed", [])
        }


def _entry(place: int, message: object, group: Callable[[Any], object] | None) -> dict[str, Any]:
    """Return the entry of a message. Raises ValueError if SQS would refuse it."""
    body = msgspec.json.encode(message).decode()
    for character in "\ufffe\uffff":  # SQS refuses these two, unless they are escaped
        body = body.replace(character, f"\\u{ord(character):x}")
    entry = {"Id": str(place), "MessageBody": body}
    if size_of(entry) > LARGEST_MESSAGE:
        raise ValueError(f"it has {size_of(entry)} bytes; SQS takes up to {LARGEST_MESSAGE}")
    if group:
        value = group(message)
        name = entry["MessageGroupId"] = "" if value is None else str(value)
        if not re.fullmatch("[!-~]{1,128}", name):
            wanted = "1 to 128 ASCII letters, digits and punctuation marks"
            raise ValueError(f"{name[:40]!r} is not a valid message group; use {wanted}")
    return entry


def _reason(error: Exception) -> str:
    return f"{type_name(error)}: {text_of(error)}"
