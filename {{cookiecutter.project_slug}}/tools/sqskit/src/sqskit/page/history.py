"""What happened to each message: the newest of them, as the page shows them."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqskit.aws import Depth
from sqskit.dead_letter_queue import DeadLetter
from sqskit.mapping import EventSourceMapping, Queue
from sqskit.outcomes import Kind, Outcome, outcomes_of
from sqskit.poller import MESSAGE_ID, Batch, attribute_of

# How many messages are kept, how many batches, and how many characters of each.
MOST = 10_000
MOST_CHARACTERS = 50_000_000

# The longest body and the longest log of a batch, in characters, and how much of a text a row has.
LONGEST_TEXT = 100_000
LONGEST_IN_ROW = 300
MOST_TRIES = 100  # of one message

# lambdas/sqs gives a dead letter this attribute, which it keeps if it is sent back.
ORIGINAL_ID = "originalMessageId"

STATES: dict[Kind, str] = {
    "done": "done",
    "duplicate": "duplicate",
    "failed": "retrying",
    "returned": "retrying",
    "dead": "dead",
    "filtered": "filtered",
}


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
        return len(self.body)

    def row(self) -> dict[str, Any]:
        last = self.tries[-1] if self.tries else None
        receives = last.receive if last else 0
        return {
            "n": self.number,
            "id": self.id,
            "queue": self.queue,
            "at": self.first_at,
            "state": self.state,
            "body": self.body[:LONGEST_IN_ROW],
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


class History:
    """What happened so far. Several threads may tell it, and ask it for what is new."""

    def __init__(self, most: int = MOST, most_characters: int = MOST_CHARACTERS) -> None:
        self.most = most
        self.messages: dict[str, Message] = {}
        self.runs: dict[int, Run] = {}
        self.newest_messages = Newest(self.messages, most, most_characters)
        self.newest_runs = Newest(self.runs, most, most_characters)
        self.running: dict[str, int] = {}  # by the receipt handle of a batch's first record
        self.dead = defaultdict[str, dict[str, str]](dict)  # by queue: id of the letter, message
        self.depths: list[dict[str, Any]] = []
        self.notices: list[tuple[int, str]] = []
        self.version = self.depths_version = self.numbers = self.batches = 0
        self.has_ended = False
        self.watchers = 0
        self.changed = threading.Condition()

    # --- told by the pollers -------------------------------------------------------------------

    def announce(self, mapping: EventSourceMapping, records: list[dict[str, Any]]) -> None:
        """Note that a function gets a batch now."""
        with self.changed:
            self._announce(mapping, records)
            self.changed.notify_all()

    def report(self, batch: Batch) -> None:
        """Note what became of a batch. If it cannot be shown, say so, because the run goes on."""
        with self.changed:
            try:
                self._report(batch)
            except Exception as error:
                self._notice(f"cannot show a batch: {type(error).__name__}: {error}")
            self.changed.notify_all()

    def _announce(self, mapping: EventSourceMapping, records: list[dict[str, Any]]) -> Run:
        now = time.time()
        self.batches += 1
        ids = [record["messageId"] for record in records]
        run = Run(self.batches, mapping.queue.name, mapping.function.name, now, ids)
        self.running[records[0]["receiptHandle"]] = run.number
        self._put_run(run)
        for record in records:
            message = self.messages.get(record["messageId"])
            if not message:
                message = self._new(record, mapping, now)
                self._link(message)
            receive = int(record["attributes"]["ApproximateReceiveCount"])
            message.tries.append(Try(run.number, receive, now))
            del message.tries[:-MOST_TRIES]
            message.state, message.retry_at = "processing", None
            self._put(message)
        return run

    def _report(self, batch: Batch) -> None:
        number = self.running.pop(batch.records[0]["receiptHandle"], None)
        run = self.runs.get(number) if number else None
        if not run:  # the messages were filtered out, so no function was to get them
            run = self._announce(batch.mapping, batch.records)
            self.running.pop(batch.records[0]["receiptHandle"])
        run.seconds = batch.invocation.seconds
        run.error = batch.error or ""
        run.log = list(cut_log(batch.invocation.log))
        queue = batch.mapping.queue
        for outcome in outcomes_of(batch):
            run.outcomes[outcome.record["messageId"]] = outcome.kind
            if message := self.messages.get(outcome.record["messageId"]):
                self._settle(message, run, outcome, queue)
                message.retry_at = retry_at(batch, outcome)
                self._put(message)
        self._put_run(run)

    def _settle(self, message: Message, run: Run, outcome: Outcome, queue: Queue) -> None:
        """Note the outcome of a try; the state is that of the latest one."""
        tries = [each for each in message.tries if each.batch == run.number]
        for each in tries:
            each.seconds, each.outcome, each.reason = run.seconds, outcome.kind, outcome.reason
        if message.tries[-1] in tries:
            message.state, message.reason = STATES[outcome.kind], outcome.reason
        if outcome.kind == "dead" and queue.dead_letter_url:
            self.dead[queue.dead_letter_url][message.letter_id] = message.id

    def _new(self, record: dict[str, Any], mapping: EventSourceMapping, now: float) -> Message:
        queue, attributes = mapping.queue, record["attributes"]
        self.numbers += 1
        return Message(
            number=self.numbers,
            id=record["messageId"],
            queue=queue.name,
            function=mapping.function.name,
            first_at=now,
            sent_at=int(attributes["SentTimestamp"]) / 1000,
            body=record["body"][:LONGEST_TEXT],
            length=len(record["body"]),
            attributes=texts_of(record["messageAttributes"]),
            group=attributes.get("MessageGroupId", ""),
            most_receives=queue.max_receive_count if queue.dead_letter_url else None,
        )

    def _link(self, message: Message) -> None:
        """Note that a dead letter was sent back, if this is the message that it became."""
        for letters in self.dead.values():
            if id_ := letters.pop(message.letter_id, None):
                self._change(id_, "sent back")

    # --- told about dead letters ---------------------------------------------------------------

    def known_dead(self, url: str) -> dict[str, str]:
        """Return the dead letters of a queue that are shown: by id, that of the message."""
        with self.changed:
            return dict(self.dead[url])

    def removed(self, url: str, letters: Mapping[str, str], state: str) -> None:
        """Note that dead letters are no longer in their queue: `sent back`, `dropped` or `gone`.

        letters: by id, that of the message. What was sent back may be another dead letter by now.
        """
        with self.changed:
            for letter_id, id_ in letters.items():
                if self.dead[url].get(letter_id) == id_:
                    del self.dead[url][letter_id]
                    self._change(id_, state)
            self.changed.notify_all()

    def found(self, url: str, letters: Iterable[DeadLetter], source: Queue) -> None:
        """Note dead letters that were found in their queue, however they got there.

        source: the queue whose messages they are.
        """
        with self.changed:
            for letter in letters:
                if letter.id in self.dead[url]:
                    continue
                message = self.messages.get(letter.own_id) or self.messages.get(letter.id)
                if not message:
                    self.numbers += 1
                    message = self._letter(letter, source)
                message.state, message.reason, message.retry_at = "dead", letter.reason, None
                self.dead[url][letter.id] = message.id
                self._put(message)
            self.changed.notify_all()

    def _letter(self, letter: DeadLetter, source: Queue) -> Message:
        return Message(
            number=self.numbers,
            id=letter.own_id,
            queue=source.name,
            function="",
            first_at=letter.sent_at,
            sent_at=letter.sent_at,
            body=letter.body[:LONGEST_TEXT],
            length=len(letter.body),
            attributes=texts_of({k: attribute_of(each) for k, each in letter.attributes.items()}),
            group=letter.group or "",
            most_receives=source.max_receive_count,
        )

    # --- told by the others --------------------------------------------------------------------

    def set_depths(self, depths: list[Depth]) -> None:
        """Note how many messages the queues have."""
        shown = [
            {
                "queue": each.queue.name,
                "waiting": each.waiting,
                "inFlight": each.in_flight,
                "dead": each.dead,
            }
            for each in depths
        ]
        with self.changed:
            if shown != self.depths:
                self.depths = shown
                self.version += 1
                self.depths_version = self.version
                self.changed.notify_all()

    def notice(self, text: str) -> None:
        """Show a line about something that went wrong."""
        with self.changed:
            self._notice(text)
            self.changed.notify_all()

    def end(self) -> None:
        """Note that the run is over."""
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a page that shows this, during a `with` statement."""
        with self.changed:
            self.watchers += 1
        try:
            yield
        finally:
            with self.changed:
                self.watchers -= 1

    # --- asked by the page ---------------------------------------------------------------------

    def wait(self, version: int, seconds: float) -> bool:
        """Wait until something is newer than a version, or the run is over; tell whether it is."""
        with self.changed:
            return self.changed.wait_for(lambda: self.version > version or self.has_ended, seconds)

    def since(self, version: int) -> dict[str, Any]:
        """Return all that is newer than a version; 0 is older than everything."""
        with self.changed:
            found: dict[str, Any] = {"version": self.version}
            if messages := self.newest_messages.since(version):
                found["messages"] = messages
            if runs := self.newest_runs.since(version):
                found["batches"] = runs
            if self.depths_version > version:
                found["depths"] = self.depths
            if notices := [text for number, text in self.notices if version and number > version]:
                found["notices"] = notices
            return found

    def message(self, id_: str) -> dict[str, Any] | None:
        """Return all that is known of a message, if it is kept."""
        with self.changed:
            message = self.messages.get(id_)
            if not message:
                return None
            return {
                **message.row(),
                "body": message.body,
                "length": message.length,
                "reason": message.reason,
                "attributes": message.attributes,
                "sentAt": message.sent_at,
                "function": message.function,
                "tries": [
                    {
                        "batch": each.batch,
                        "receive": each.receive,
                        "at": each.begun,
                        "seconds": each.seconds,
                        "outcome": each.outcome,
                        "reason": each.reason,
                        **self._log(each.batch, id_),
                    }
                    for each in message.tries
                ],
            }

    def _log(self, number: int, id_: str) -> dict[str, Any]:
        """Return the log lines of a batch, without those about its other messages."""
        run = self.runs.get(number)
        if not run:
            return {"size": None, "log": []}
        log = [{"own": own == id_, "text": text} for own, text in run.log if own in {"", id_}]
        return {"size": len(run.ids), "error": run.error, "log": log}

    def batch(self, number: int) -> dict[str, Any] | None:
        """Return all that is known of a batch, if it is kept."""
        with self.changed:
            run = self.runs.get(number)
            if not run:
                return None
            messages = [{"id": each, "outcome": run.outcomes.get(each)} for each in run.ids]
            log = [{"id": id_, "text": text} for id_, text in run.log]
            return {**run.row(), "error": run.error, "messages": messages, "log": log}

    # --- changes -------------------------------------------------------------------------------

    def _change(self, id_: str, state: str) -> None:
        if message := self.messages.get(id_):
            message.state = state
            self._put(message)

    def _put(self, message: Message) -> None:
        self.version += 1
        for gone in self.newest_messages.put(message.id, message, self.version):
            for letters in self.dead.values():
                if letters.get(gone.letter_id) == gone.id:
                    del letters[gone.letter_id]

    def _put_run(self, run: Run) -> None:
        self.version += 1
        self.newest_runs.put(run.number, run, self.version)

    def _notice(self, text: str) -> None:
        self.version += 1
        self.notices = [*self.notices[-9:], (self.version, text)]


def retry_at(batch: Batch, outcome: Outcome) -> float | None:
    """Return when a message is retried, unless it waits for another one of its group."""
    if outcome.kind == "returned" and batch.mapping.queue.is_fifo:
        return None
    return batch.retry_at.get(outcome.record["messageId"])


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
