"""A message, its tries and the batches, as the page keeps them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqskit.dead_letter_queue import ORIGINAL_ID, DeadLetter
from sqskit.mapping import EventSourceMapping, Queue
from sqskit.outcomes import Kind
from sqskit.poller import MESSAGE_ID, attribute_of

# The longest body and the longest log of a batch, in characters, and how much of a text a row has.
LONGEST_TEXT = 100_000
LONGEST_IN_ROW = 300
MOST_TRIES = 100  # of one message


class Kept(Protocol):
    """Something that is kept, until there is too much of it."""

    version: int

    def size(self) -> int:
        """Return how many characters it has."""

    def row(self) -> dict[str, Any]:
        """Return what a row of the page shows of it."""


@dataclass
class Try:
    """One time that a function got a message."""

    batch: int
    receive: int
    begun: float  # in seconds since 1970, as all times
    seconds: float | None = None
    outcome: Kind | None = None  # None while it runs
    reason: str = ""


@dataclass
class Message:
    """A message, from its first receive on."""

    number: int
    id: str
    queue: str
    function: str
    first_at: float
    sent_at: float
    body: str
    length: int  # of the body, which may be cut
    in_row: str  # the start of what a row shows of it
    attributes: dict[str, str]
    group: str
    most_receives: int | None
    state: str = "processing"
    reason: str = ""
    retry_at: float | None = None
    tries: list[Try] = field(default_factory=list)
    version: int = 0

    @property
    def letter_id(self) -> str:
        """The id by which its dead letter is known."""
        return self.attributes.get(ORIGINAL_ID) or self.id

    def size(self) -> int:
        return len(self.body) + sum(map(len, self.attributes.values()))

    def row(self) -> dict[str, Any]:
        last = self.tries[-1] if self.tries else None
        receives = last.receive if last else 0
        return {
            "n": self.number,
            "id": self.id,
            "queue": self.queue,
            "at": self.first_at,
            "state": self.state,
            "body": self.in_row,
            "reason": self.reason[:LONGEST_IN_ROW],
            "receives": receives,
            "most": self.most_receives,
            "tries": [each.outcome for each in self.tries[-10:]],
            "seconds": last.seconds if last else None,
            "retryAt": self.retry_at,
            "from": self.attributes.get(ORIGINAL_ID, ""),
            "group": self.group,
        }


@dataclass
class Run:
    """A batch that a function got, and its log."""

    number: int
    queue: str
    function: str
    begun: float
    ids: list[str]
    seconds: float | None = None
    outcomes: dict[str, Kind] = field(default_factory=dict)
    error: str = ""
    log: list[tuple[str, str]] = field(default_factory=list)  # the id of a message, or none
    version: int = 0

    def size(self) -> int:
        return sum(len(text) for _, text in self.log) + 36 * len(self.ids)

    def row(self) -> dict[str, Any]:
        return {
            "n": self.number,
            "queue": self.queue,
            "function": self.function,
            "at": self.begun,
            "seconds": self.seconds,
            "size": len(self.ids),
            "counts": Counter(self.outcomes.values()),
            "error": self.error[:LONGEST_IN_ROW],
        }


class Newest:
    """Keeps the items of a dict that have changed last; the oldest change comes first in it."""

    def __init__(self, items: dict[Any, Any], most: int, most_characters: int) -> None:
        self.items: dict[Any, Kept] = items
        self.most = most
        self.most_characters = most_characters
        self.sizes: dict[Any, int] = {}
        self.characters = 0

    def put(self, key: Any, item: Kept, version: int) -> list[Any]:
        """Add an item, or note that it has changed. Return those that are no longer kept."""
        self._take(key)
        item.version = version
        self.items[key], self.sizes[key] = item, item.size()
        self.characters += self.sizes[key]
        gone = []
        while len(self.items) > self.most or (
            self.characters > self.most_characters and len(self.items) > 1
        ):
            gone.append(self._take(next(iter(self.items))))
        return gone

    def since(self, version: int) -> list[dict[str, Any]]:
        """Return the rows that are newer than a version, the oldest first."""
        rows = []
        for item in reversed(self.items.values()):
            if item.version <= version:
                break
            rows.append(item.row())
        return rows[::-1]

    def _take(self, key: Any) -> Any:
        self.characters -= self.sizes.pop(key, 0)
        return self.items.pop(key, None)


def message_of(
    record: dict[str, Any], mapping: EventSourceMapping, number: int, now: float
) -> Message:
    """Return a message that a function gets for the first time."""
    queue, attributes = mapping.queue, record["attributes"]
    return Message(
        number=number,
        id=record["messageId"],
        queue=queue.name,
        function=mapping.function.name,
        first_at=now,
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        body=record["body"][:LONGEST_TEXT],
        length=len(record["body"]),
        in_row=message_in(record["body"])[:LONGEST_IN_ROW],
        attributes=texts_of(record["messageAttributes"]),
        group=attributes.get("MessageGroupId", ""),
        most_receives=queue.max_receive_count if queue.dead_letter_url else None,
    )


def message_of_letter(letter: DeadLetter, source: Queue, number: int) -> Message:
    """Return the message of a dead letter that no function is known to have got."""
    return Message(
        number=number,
        id=letter.own_id,
        queue=source.name,
        function="",
        first_at=letter.sent_at,
        sent_at=letter.sent_at,
        body=letter.body[:LONGEST_TEXT],
        length=len(letter.body),
        in_row=message_in(letter.body)[:LONGEST_IN_ROW],
        attributes=texts_of({k: attribute_of(each) for k, each in letter.attributes.items()}),
        group=letter.group or "",
        most_receives=source.max_receive_count,
    )


def message_in(body: str) -> str:
    """Return the message in a body, as it was sent: in an event from a bus, that is its detail."""
    if '"detail-type"' in body and '"detail"' in body:
        import msgspec  # comes with the project

        with suppress(ValueError, RecursionError, KeyError):
            return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["detail"]).decode()
    return body


def cut_log(lines: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the id of a message, or an empty text, and what is logged, up to the longest log."""
    room = LONGEST_TEXT
    for place, line in enumerate(lines):
        parts = filter(None, [line.get("message"), line.get("stackTrace")])
        text = "\n".join(str(part).rstrip() for part in parts)
        if len(text) > room:
            yield "", f"… {len(lines) - place} more log lines are not kept"
            return
        room -= len(text)
        yield str(line.get(MESSAGE_ID, "")), text


def texts_of(attributes: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of a record as texts; a binary value is in Base64."""
    return {
        name: str(each.get("stringValue", each.get("binaryValue", "")))
        for name, each in attributes.items()
    }
