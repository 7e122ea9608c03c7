"""What happened to each message: the newest of them, as the page shows them."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqskit.aws import Depth
from sqskit.dead_letter_queue import DeadLetter
from sqskit.mapping import EventSourceMapping, Queue
from sqskit.outcomes import Kind, Outcome, outcomes_of
from sqskit.page.items import (
    MOST_TRIES,
    Message,
    Newest,
    Run,
    Try,
    cut_log,
    message_in,
    message_of,
    message_of_letter,
)
from sqskit.poller import Batch

# How many messages are kept, how many batches, and how many characters of each.
MOST = 10_000
MOST_CHARACTERS = 50_000_000

# The state of a message after a try.
STATES: dict[Kind, str] = {
    "done": "done",
    "duplicate": "duplicate",
    "failed": "retrying",
    "returned": "retrying",
    "dead": "dead",
    "filtered": "filtered",
}


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
        self.notices: list[tuple[int, dict[str, Any]]] = []
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
                message = message_of(record, mapping, self._number(), now)
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
                    message = message_of_letter(letter, source, self._number())
                message.state, message.reason, message.retry_at = "dead", letter.reason, None
                self.dead[url][letter.id] = message.id
                self._put(message)
            self.changed.notify_all()

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
            if notices := [notice for number, notice in self.notices if number > version]:
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
                "unwrapped": message_in(message.body),
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

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

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
        self.notices = [*self.notices[-9:], (self.version, {"at": time.time(), "text": text})]


def retry_at(batch: Batch, outcome: Outcome) -> float | None:
    """Return when a message is retried, unless it waits for another one of its group."""
    if outcome.kind == "returned" and batch.mapping.queue.is_fifo and not batch.error:
        return None
    return batch.retry_at.get(outcome.record["messageId"])
