"""A model of several Lambda processes that share a queue and a table of keys, and the rules of claims.

At each point of a process, which is before and after each call that it makes and each step of `handle`, an act
can happen: the process is killed, time passes, a call fails, or another process runs.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Any

import botocore.exceptions
import pytest
import sqs.batch
import sqs.concurrently
import sqs.queue
from shared.delivery import Delivery, Reject, RetryLater
from sqs import batch_handler
from sqs.idempotency import Once
from sqs.log import logger
from sqs.queue import OutOfTime

from tests.support.claims import Inline, named
from tests.support.clock import Clock, ClockedContext, clocked, leaping_loop
from tests.support.records import failed_ids, record
from tests.support.sqs_model import DEAD_LETTER_URL, URL

# Calls of other tests that end late must not reach it.
TABLE = "keys-of-the-model"

TIMEOUT = 30  # of an invocation, in seconds
DAYS_30 = 30 * 86400
MOST_RECEIVES = 5
MOST_NESTED = 2

ANSWERS: dict[str, Any] = {}  # of moto


class Act(Enum):
    """What happens at a point of a process. A number of seconds passes."""

    NOTHING = 0
    KILL = "kill"
    FAIL = "the call fails; DynamoDB answers"
    CUT = "the call fails; there is no answer"
    LATE_CALL = "there is no answer, and a call to the table arrives after the process has ended"
    OTHER = "another process gets the messages"
    SECOND = 1
    RESERVE = TIMEOUT - 0.8  # no message is started any more
    END = TIMEOUT - 0.3  # no call is made any more
    LATE = TIMEOUT + 1


class Outcome(Enum):
    """What becomes of a call of `handle`."""

    DONE = "done"
    FAILS = "fails"
    LATER = "later"
    REJECTED = "rejected"


class Killed(SystemExit):
    """The process has ended. Nothing that it does afterwards has an effect."""


@dataclass
class Message:
    """A message in the queue."""

    id: str
    key: str
    attributes: dict[str, Any] = field(default_factory=dict)
    received: int = 0


@dataclass
class Finish:
    """A call of `handle` that has finished."""

    process: "Process"
    remembered_at: float | None = None


class Table:
    """The table of keys. For each call and item that it changes, moto is asked once, because that takes long."""

    def __init__(self, client: Any, answers: dict[str, Any]) -> None:
        self.client, self.answers = client, answers
        self.exceptions = client.exceptions
        self.items: dict[str, Any] = {}  # by id

    def call(self, name: str, parameters: dict[str, Any]) -> None:
        id_ = (parameters.get("Item") or parameters["Key"])["id"]["S"]
        question = json.dumps([name, parameters, self.items.get(id_)], sort_keys=True)
        if question not in self.answers:
            self.answers[question] = self._ask(name, parameters, id_)
        self.items[id_], error = self.answers[question]
        if error:
            raise error.with_traceback(None)

    def _ask(self, name: str, parameters: dict[str, Any], id_: str) -> tuple[Any, Exception | None]:
        key, error = {"id": {"S": id_}}, None
        self.client.delete_item(TableName=TABLE, Key=key)
        if item := self.items.get(id_):
            self.client.put_item(TableName=TABLE, Item=item)
        try:
            getattr(self.client, name)(**parameters)
        except self.exceptions.ConditionalCheckFailedException as refusal:
            error = refusal
        return self.client.get_item(TableName=TABLE, Key=key).get("Item"), error


class Process:
    """An invocation, which is also the client of its calls."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.deadline = world.clock.now + TIMEOUT
        self.dead = False
        self.late = False  # whether the call that was cut arrives all the same
        self.exceptions = world.table.exceptions
        handle = self.handle_async if world.asynchronous else self.handle
        with named(self, TABLE):
            self.once = Once[dict[str, str]](handle, lambda message: message["key"])
        self.handler = batch_handler(dict, self.once)
        self.handling: set[str] = set()  # keys
        self.took_over_at: dict[str, float] = {}  # when the keys that it has claimed were rejected

    @property
    def alive(self) -> bool:
        return not self.dead and self.world.clock.now < self.deadline

    def point(self, *, call: bool = False) -> None:
        """Let something happen. Raises Killed if the process has ended, or the error of a call."""
        if self.alive:
            self._act(self.world.next_act(), call)
        if not self.alive:
            self.dead = True
            raise Killed

    def _act(self, act: Act, call: bool) -> None:
        if act is Act.KILL:
            self.dead = True
        elif act is Act.OTHER:
            self.world.run_another()
        elif isinstance(act.value, int | float):
            self.world.clock.now += act.value
        elif call and act in {Act.CUT, Act.LATE_CALL}:
            self.late = act is Act.LATE_CALL
            raise botocore.exceptions.ReadTimeoutError(endpoint_url="https://aws")
        elif call:
            raise botocore.exceptions.ClientError({"Error": {"Code": "Throttled"}}, "PutItem")

    # --- what it does --------------------------------------------------------------------------

    def handle(self, message: dict[str, str], delivery: Delivery) -> None:
        self._begin(message["key"], delivery)
        try:
            self.point()
            self._end(message["key"])
        finally:
            self.handling.discard(message["key"])

    async def handle_async(self, message: dict[str, str], delivery: Delivery) -> None:
        self._begin(message["key"], delivery)
        try:
            before = self.world.clock.now
            self.point()
            passed, self.world.clock.now = self.world.clock.now - before, before
            await asyncio.sleep(passed)  # another one of the batch goes on
            self.point()
            self._end(message["key"])
        finally:
            self.handling.discard(message["key"])

    def _begin(self, key: str, delivery: Delivery) -> None:
        self.point()
        self.world.check_start(self, key, sent_back="originalMessageId" in delivery.attributes)
        self.handling.add(key)

    def _end(self, key: str) -> None:
        outcome = self.world.next_outcome()
        if outcome is Outcome.FAILS:
            raise ValueError
        if outcome is Outcome.LATER:
            raise RetryLater(5)
        if outcome is Outcome.REJECTED:
            raise Reject("never")
        self.world.finished[key].append(Finish(self))
        self.point()

    # --- the calls that it makes ---------------------------------------------------------------

    def put_item(self, **parameters: Any) -> None:
        key = self._key(parameters["Item"])
        self._call("put_item", parameters, lambda: self.world.note_claim(self, key))

    def update_item(self, **parameters: Any) -> None:
        key, rejected = self._key(parameters["Key"]), "rejected" in parameters["UpdateExpression"]
        self._call("update_item", parameters, lambda: self.world.note_done(self, key, rejected))

    def delete_item(self, **parameters: Any) -> None:
        self._call("delete_item", parameters)

    def _call(self, name: str, parameters: Any, note: Callable[[], None] = lambda: None) -> None:
        def arrive() -> None:
            self.world.table.call(name, parameters)
            note()

        try:
            self.point(call=True)
        except botocore.exceptions.ReadTimeoutError:
            if self.late:
                self.world.late_calls.append(arrive)
            raise
        arrive()
        self.point(call=True)

    def _key(self, item: dict[str, Any]) -> str:
        return next(key for key in self.world.finished if self.once.id_of({"key": key}) == item["id"]["S"])

    def delete_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
        self.point(call=True)
        self.world.delete([entry["ReceiptHandle"].split()[0] for entry in Entries])
        self.point(call=True)
        return {}

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
        self.point(call=True)
        return {}

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
        assert QueueUrl == DEAD_LETTER_URL
        self.point(call=True)
        for entry in Entries:
            self.world.add_dead_letter(json.loads(entry["MessageBody"])["key"], entry["MessageAttributes"])
        self.point(call=True)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class World:
    """A queue, its dead-letter queue, the table, and what has happened."""

    def __init__(self, clock: Clock, table: Table, *, asynchronous: bool, fifo: bool) -> None:
        self.clock, self.table, self.asynchronous, self.fifo = clock, table, asynchronous, fifo
        self.numbers = count()
        self.queue: dict[str, Message] = {}
        self.dead: list[Message] = []
        self.processes: list[Process] = []
        self.running: list[Process] = []  # the last one has the processor
        self.acts: Iterator[Act] = iter(())
        self.outcomes: Iterator[Outcome] = iter(())
        self.points = 0
        self.late_calls: list[Callable[[], None]] = []
        self.violations: list[str] = []
        self.finished: dict[str, list[Finish]] = {}  # by key, like the following
        self.claimed_by: dict[str, Process] = {}
        self.rejected_at: dict[str, float] = {}
        self.once_dead: set[str] = set()

    def next_act(self) -> Act:
        self.points += 1
        return next(self.acts, Act.NOTHING)

    def let_calls_arrive(self) -> None:
        """Let the calls arrive that are late."""
        calls, self.late_calls = self.late_calls, []
        for call in calls:
            with suppress(self.table.exceptions.ConditionalCheckFailedException):
                call()

    def next_outcome(self) -> Outcome:
        return next(self.outcomes, Outcome.DONE)

    # --- what the queue does -------------------------------------------------------------------

    def send(self, key: str, attributes: dict[str, Any] | None = None) -> None:
        message = Message(f"id-{next(self.numbers)}", key, attributes or {})
        self.queue[message.id] = message
        self.finished.setdefault(key, [])

    def redrive(self) -> None:
        """Send the dead letters back with new ids."""
        letters, self.dead = self.dead, []
        for letter in letters:
            self.send(letter.key, letter.attributes)

    def add_dead_letter(self, key: str, attributes: dict[str, Any]) -> None:
        self.dead.append(Message("", key, attributes))
        self.once_dead.add(key)

    def delete(self, ids: list[str]) -> None:
        for id_ in ids:
            message = self.queue.pop(id_, None)
            if message and not self.finished[message.key] and message.key not in self.once_dead:
                self.violations.append(f"{id_} is lost")

    def deliver(self, *ids: str) -> list[str]:
        """Let a process handle messages, whether or not another one does, and return the ids of those that remain."""
        records = list[dict[str, Any]]()
        for message in [self.queue[id_] for id_ in ids or list(self.queue)]:
            message.received += 1
            if message.received > MOST_RECEIVES:
                self.add_dead_letter(message.key, message.attributes)
                del self.queue[message.id]
                continue
            body = json.dumps({"key": message.key})
            each = record(body, message.id, message.key, fifo=self.fifo, received=message.received)
            each["messageAttributes"] = {
                name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
                for name, value in message.attributes.items()
            }
            records.append(each)
        if records:
            self._invoke(records)
        return [id_ for id_ in ids if id_ in self.queue]

    def _invoke(self, records: list[dict[str, Any]]) -> None:
        process = Process(self)
        self.processes.append(process)
        self.running.append(process)
        returned: list[str] | None = None
        with (
            pytest.MonkeyPatch.context() as patch,
            asyncio.Runner(loop_factory=lambda: leaping_loop(self.clock)) as runner,
        ):
            patch.setattr(sqs.concurrently, "_runner", runner)
            patch.setattr(sqs.queue, "_clients", [process])
            try:
                returned = failed_ids(process.handler({"Records": records}, ClockedContext(self.clock, TIMEOUT)))
            except Killed:
                process.dead = True
        self.running.pop()
        if returned is not None and process.alive:
            self.delete([each["messageId"] for each in records if each["messageId"] not in returned])
        process.dead = True  # or frozen; it makes no more calls

    def run_another(self) -> None:
        """Deliver all messages to another process while this one waits."""
        if len(self.running) > MOST_NESTED:
            return
        thread = threading.Thread(target=self._catch(self.deliver))  # an event loop may run in this one
        thread.start()
        thread.join()

    def _catch(self, call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                call()
            except BaseException as error:
                self.violations.append(f"a process raised {error!r}")

        return run

    # --- the rules -----------------------------------------------------------------------------

    def check_start(self, process: Process, key: str, *, sent_back: bool) -> None:
        """Note a violation if `handle` must not be called with a key now."""
        now = self.clock.now
        if self.claimed_by.get(key) is not process:
            self.violations.append(f"{key} is handled without a claim")
        for other in self.processes:
            if other.alive and key in other.handling:
                self.violations.append(f"{key} is handled twice at the same time")
        for finish in self.finished[key]:
            free_at = finish.process.deadline if finish.remembered_at is None else finish.remembered_at + DAYS_30
            if now < free_at:
                self.violations.append(f"{key} is handled again")
        if not sent_back and now < process.took_over_at.get(key, -DAYS_30) + DAYS_30:
            self.violations.append(f"{key} is handled although it was rejected")

    def note_claim(self, process: Process, key: str) -> None:
        self.claimed_by[key] = process
        process.took_over_at[key] = self.rejected_at.pop(key, -DAYS_30)

    def note_done(self, process: Process, key: str, rejected: bool) -> None:
        if rejected:
            self.rejected_at[key] = self.clock.now
            if key not in self.once_dead:
                self.violations.append(f"{key} is rejected before its dead letter has arrived")
            return
        mine = [finish for finish in self.finished[key] if finish.process is process]
        if not mine:
            self.violations.append(f"{key} is remembered before it is handled")
        for finish in mine:
            finish.remembered_at = self.clock.now

    def check_end(self) -> None:
        """Deliver what is left, with nothing that disturbs it, and check that each key is handled in the end."""
        self.acts, self.outcomes = iter(()), iter(())
        self.clock.now = max([process.deadline for process in self.processes], default=self.clock.now) + 1
        for _ in range(2):
            self.let_calls_arrive()
            for id_ in list(self.queue):
                if remaining := self.deliver(id_):
                    self.violations.append(f"{remaining} are stuck")
            self.redrive()
        for key, finishes in self.finished.items():
            if not finishes:
                self.violations.append(f"{key} is never handled")
        assert self.violations == []


@contextmanager
def world(client: Any, *, asynchronous: bool, fifo: bool = False) -> Iterator[World]:
    """Run lambdas/sqs in a world for the time of a `with` statement, on a clock that leaps."""
    with clocked() as clock, pytest.MonkeyPatch.context() as patch:

        def in_time(call: Callable[[], Any], stop_at: float) -> Any:
            if clock.now >= stop_at:
                raise OutOfTime
            try:
                return call()
            finally:
                if clock.now >= stop_at:
                    raise OutOfTime  # it was abandoned, although it may have had its effect

        for module in (sqs.batch, sqs.queue):
            patch.setattr(module, "in_time", in_time)
        patch.setattr(sqs.concurrently, "_threads", Inline())
        patch.setattr("concurrent.futures.ThreadPoolExecutor", lambda _: Inline())
        patch.setenv("QUEUE_URL", URL)
        patch.setenv("DEAD_LETTER_QUEUE_URL", DEAD_LETTER_URL)
        patch.setenv("MAX_RECEIVE_COUNT", str(MOST_RECEIVES))
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            yield World(clock, Table(client, ANSWERS), asynchronous=asynchronous, fifo=fifo)
        finally:
            logger.setLevel(level)
