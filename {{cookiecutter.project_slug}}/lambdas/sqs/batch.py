"""One batch: its records, its deadline, and what becomes of each message.

The response is described under "Reporting batch item failures" in
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol, TypedDict

import msgspec

from shared.delivery import Event, Reject, RetryLater
from sqs.backoff import Backoff
from sqs.claims import AlreadyDone, InProgress, NotClaimed, Once
from sqs.deliveries import delivery_of
from sqs.log import Cause, log_duplicate, log_failure, log_forgotten, log_summary, log_suspect
from sqs.parsing import parse_error
from sqs.queue import SECONDS_TO_ANSWER, Calls, OutOfTime, Queue, in_time, seconds_hidden
from sqs.records import Record, from_fifo_queue, message_group, receive_count, records_of

# What `handle` returns if it did not run.
UNFINISHED = Awaitable, GeneratorType, AsyncGeneratorType

# A message is only started while more than this is left of the function's timeout: enough for one
# call of `handle`, the log and the response. After the timeout there is no response, and every
# message of the batch is delivered again, handled or not.
RESERVE_SECONDS = 1.0


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


class BatchItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """Lambda returns these messages to the queue and deletes the rest of the batch."""

    batchItemFailures: list[BatchItemFailure]


class Settings(msgspec.Struct, frozen=True):
    """How the messages of a function are handled; see `batch_handler`."""

    decode: Callable[[str], Any]
    handle: Callable[..., Any]
    takes_delivery: bool
    event_of: Callable[[str], Event] | None
    once: Once | None
    queue: Queue
    backoff: Backoff
    retry_unparsable: bool
    reserve_seconds: float


class GaveWay(Reject):
    """A message was not tried again, so that the rest of its message group can go on."""

    def __init__(self, receive_count: int) -> None:
        super().__init__(f"received {receive_count} times without success; its group goes on")


class NotHandled(Exception):
    """A message was not handled at its last receive."""

    def __init__(self, cause: Cause) -> None:
        reason = (
            "no time was left" if cause == "outOfTime" else "an earlier one of its group failed"
        )
        super().__init__(f"{reason} at its last receive")


class Failure(msgspec.Struct, frozen=True):
    """A message that failed. It is rejected if it has no wait in seconds."""

    record: Record
    cause: Cause
    error: BaseException
    wait: float | None


class Batch:
    """The records of one event, and what became of them so far."""

    def __init__(self, event: dict[str, Any], context: Context | None, settings: Settings) -> None:
        """Take an SQS event; without a context there is no deadline. Raises NotAnSqsEvent."""
        self.records = records_of(event)
        self.is_fifo = from_fifo_queue(self.records)
        self.settings = settings
        self.deadline = monotonic() + _seconds_left(context)  # on the clock of time.monotonic()
        self.stop_at = self.deadline - settings.reserve_seconds
        self.calls = Calls(settings.queue, self.deadline - SECONDS_TO_ANSWER)
        self.claims = settings.once.claims(self.deadline) if settings.once else None
        self.done: list[Record] = []  # handled or rejected, and not deleted yet
        self.duplicates = 0  # of messages that were handled before
        self.failures: list[Failure] = []  # whose fate is not settled yet
        self.returned: list[tuple[Record, Cause]] = []
        self.rejected: list[tuple[Record, Cause]] = []
        self.hidden: set[str] = set()  # the ids of those whose retry is arranged
        self.failed_groups: set[str | None] = set()  # of a FIFO queue; the rest is held back

    # --- the order -----------------------------------------------------------------------------

    def suspects_last(self) -> tuple[list[Record], list[Record]]:
        """Return the records that are received for the first time, and then the others.

        A message that was received before may have ended the process. In a FIFO queue, the messages
        that follow it in its group are with it.
        """
        if max(map(receive_count, self.records), default=1) == 1:
            return self.records, []
        first, others = list[Record](), list[Record]()
        groups = set[str | None]()
        for record in self.records:
            if receive_count(record) > 1 or (self.is_fifo and message_group(record) in groups):
                others.append(record)
                groups.add(message_group(record))
            else:
                first.append(record)
        if not self.is_fifo:  # those that are received for the last time must not miss it
            others.sort(key=receive_count, reverse=True)
        return first, others

    def expect_the_end(self, record: Record) -> None:
        """Arrange the retry of a message that may end the process, before it is handled.

        If it does, it alone stays hidden, and the rest of the batch is delivered without it.
        """
        count = receive_count(record)
        if count == 1:
            return
        self.settle()
        deleted = self.calls.delete(self.done)
        self.done.clear()
        # It must not reappear while it is handled.
        left = self.deadline - monotonic()
        wait = self.settings.backoff.seconds(count, fifo=self.is_fifo)
        wait = max(wait, left + 1) if math.isfinite(left) else wait
        self.calls.hide([(record, wait)])
        self.hidden.add(record["messageId"])
        log_suspect(record, self._fate(wait), deleted)

    def gave_way(self, record: Record) -> bool:
        """Give a message up if it has blocked its FIFO group for long; tell whether it was.

        A group is received as a whole. If its first message always ends the process, all of them
        reach their last receive at the same time; so it is given up one receive before.
        """
        count = receive_count(record)
        if not self.is_fifo or count + 1 != self.settings.queue.max_receive_count:
            return False
        group = [each for each in self.records if message_group(each) == message_group(record)]
        if record is not group[0] or all(receive_count(each) != count for each in group[1:]):
            return False
        self.fail(record, "failedToHandle", GaveWay(count))
        return True

    def is_last_receive(self, record: Record) -> bool:
        return self.settings.queue.is_last(receive_count(record))

    # --- claims, so that each message is handled once ------------------------------------------

    def claim(self, record: Record, message: Any) -> None:
        """Claim a message that is to be handled.

        Raises AlreadyDone, InProgress, NotClaimed or OutOfTime, which `fail` knows, or what the key
        function raises.
        """
        if claims := self.claims:
            in_time(lambda: claims.claim(record, message), self.calls.stop_at)
            if monotonic() >= self.stop_at:
                raise OutOfTime

    def complete(self, record: Record, *, rejected: bool = False) -> None:
        """Remember that a message is done. If that fails, it is done all the same."""
        if not (claims := self.claims):
            return
        try:
            in_time(lambda: claims.complete(record, rejected=rejected), self.calls.stop_at)
        except Exception as error:
            log_forgotten(record, error)

    def release(self, record: Record) -> None:
        """Give up the claim of a message that is to be retried. If that fails, it ends later."""
        if claims := self.claims:
            with suppress(Exception):
                in_time(lambda: claims.release(record), self.calls.stop_at)

    # --- what became of a message --------------------------------------------------------------

    def arguments(self, record: Record, message: Any) -> tuple[Any, ...]:
        """Return the arguments for `handle`."""
        if not self.settings.takes_delivery:
            return (message,)
        is_last, event_of = self.is_last_receive(record), self.settings.event_of
        return message, delivery_of(record, is_last=is_last, event_of=event_of)

    def give_back(self, record: Record, cause: Cause) -> None:
        """Return a message to the queue that was not handled; at its last receive, reject it."""
        if self.settings.queue.dead_letter_url and self.is_last_receive(record):
            error = NotHandled(cause)
            log_failure(record, cause, error, "it becomes a dead letter")
            self.failures.append(Failure(record, cause, error, None))
        else:
            self.returned.append((record, cause))

    def fail(self, record: Record, cause: Cause, error: BaseException) -> None:
        """Log why a message could not be parsed or handled, and decide what becomes of it.

        Raises the error again if it must stop the process.
        """
        if must_stop(error):
            log_failure(record, cause, error, "it ends the process")
            raise error
        if isinstance(error, AlreadyDone):
            log_duplicate(record, error.id)
            self.duplicates += 1
            self.done.append(record)
            return
        if isinstance(error, OutOfTime):
            self.give_back(record, "outOfTime")
            return
        if isinstance(error, InProgress):
            cause = "inProgress"
        if cause == "failedToParse":
            error = parse_error(record, error, in_event=self.settings.event_of is not None)
        count, settings = receive_count(record), self.settings
        is_last = settings.queue.is_last(count)
        never_heals = cause == "failedToParse" and not settings.retry_unparsable
        wait: float | None = settings.backoff.seconds(count, fifo=self.is_fifo)
        if (is_last or never_heals or isinstance(error, Reject)) and settings.queue.dead_letter_url:
            wait = None
        elif isinstance(error, RetryLater):
            wait = error.seconds
        harmless = isinstance(error, RetryLater | NotClaimed) and wait is not None
        log_failure(record, cause, error, self._fate(wait), harmless=harmless)
        self.failures.append(Failure(record, cause, error, wait))
        if self.is_fifo:
            self._fail_group(record, cause, is_last)

    def _fate(self, wait: float | None) -> str:
        if wait is None:
            return "it becomes a dead letter"
        if self.settings.queue.url is None:  # in a test
            return "it is retried"
        return f"it is retried in {seconds_hidden(wait)} s"

    def _fail_group(self, record: Record, cause: Cause, is_last: bool) -> None:
        """Hold the rest of a message group back, unless the message leaves the queue."""
        self.settle()
        if not is_last and (record, cause) not in self.rejected:
            self.failed_groups.add(message_group(record))

    def settle(self) -> None:
        """Send the dead letters, and let the others that failed wait for their retry."""
        failures, self.failures = self.failures, []
        if not failures:
            return
        arrived = self._send([failure for failure in failures if failure.wait is None])
        waits: list[tuple[Record, float]] = []
        kept, released = list[Record](), list[Record]()  # claims
        for failure in failures:
            record, wait = failure.record, failure.wait
            if wait is None and record["messageId"] in arrived:
                self.rejected.append((record, failure.cause))
                self.done.append(record)
                # Sent back, it must be handled, so it must be known for a dead letter then.
                known = arrived[record["messageId"]]
                (kept if isinstance(failure.error, Reject) and known else released).append(record)
                continue
            self.returned.append((record, failure.cause))
            released.append(record)
            if wait is None:  # it could not be sent
                wait = self.settings.backoff.seconds(receive_count(record), fifo=self.is_fifo)
            if record["messageId"] not in self.hidden or isinstance(failure.error, RetryLater):
                waits.append((record, wait))
        if self.claims:  # before a message can be delivered again
            self._end_claims(kept, released)
        self.calls.hide(waits)

    def _end_claims(self, kept: list[Record], released: list[Record]) -> None:
        from concurrent.futures import ThreadPoolExecutor  # not needed until something fails

        with ThreadPoolExecutor(10) as threads:
            threads.map(self.release, released)
            threads.map(lambda record: self.complete(record, rejected=True), kept)

    def _send(self, failures: list[Failure]) -> dict[str, bool]:
        """Send dead letters. Return by id, for those that have arrived, if they look like one."""
        from sqs.dead_letters import entry_of, is_dead_letter  # not needed until something fails

        entries, ids = list[dict[str, Any]](), list[str]()
        for failure in failures:
            try:
                entries.append(entry_of(failure.record, failure.error, fifo=self.is_fifo))
                ids.append(failure.record["messageId"])
            except Exception:  # the record is malformed, so SQS must move it
                continue
        arrived = self.calls.send_dead_letters(entries) if entries else set[int]()
        return {ids[n]: is_dead_letter(entries[n].get("MessageAttributes")) for n in arrived}

    def response(self) -> BatchResponse:
        """Settle what has failed, log the counts, and name each message that goes back once."""
        self.settle()
        # A message group waits for its failed message alone, not for the visibility timeout too.
        self.calls.hide([(record, 0) for record, cause in self.returned if cause == "heldBack"])
        causes = [cause for _, cause in [*self.returned, *self.rejected]]
        untried = {"heldBack", "outOfTime"}
        retried = sum(cause not in untried for _, cause in self.returned)
        duplicates = self.duplicates if self.settings.once else None
        log_summary(len(self.records), causes, retried, len(self.rejected), duplicates)
        ids = dict.fromkeys([record["messageId"] for record, _ in self.returned])
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}


def _seconds_left(context: Context | None) -> float:
    try:
        return context.get_remaining_time_in_millis() / 1000 if context is not None else math.inf
    except Exception:  # a test passes something else
        return math.inf


def check_result(result: object) -> None:
    """Raise TypeError if `handle` returned something that still has to be run."""
    if isinstance(result, UNFINISHED):
        raise TypeError(f"handle did not run: it returned a {type(result).__name__}")


def must_stop(error: BaseException) -> bool:
    """Tell whether an error is about the process, not about the message it came with."""
    if isinstance(error, BaseExceptionGroup):
        return any(must_stop(each) for each in error.exceptions)
    return isinstance(error, SystemExit | KeyboardInterrupt | MemoryError)
