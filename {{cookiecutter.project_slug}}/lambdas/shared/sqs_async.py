"""SQS with a `handle` that is `async def`: the messages of a batch are handled concurrently."""

import asyncio
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import monotonic

from shared.sqs import RESERVE_SECONDS, Batch, Record, message_group

# The most messages that are handled at the same time. Each may need a connection, and Lambda lets
# a function have 1,024 files and sockets open.
MOST_AT_ONCE = 100

# One event loop for all invocations: what `handle` keeps between them, such as a client with open
# connections, belongs to the loop it was made in.
_runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)


def process_concurrently(batch: Batch) -> None:
    """Process the records of a batch, up to MOST_AT_ONCE of them at the same time."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _runner.run(_Workers(batch).run(), context=copy_context())
    else:  # a test's: another loop needs a thread of its own
        with ThreadPoolExecutor(1) as thread:
            thread.submit(copy_context().run, asyncio.run, _Workers(batch).run()).result()


class _Workers:
    """They take one lane of records after the other, until there are none or the time is up."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.lanes = iter(_lanes(batch))
        self.open = dict(enumerate(batch.records))  # those without an outcome, by their place
        self.tasks: list[asyncio.Task[None]] = []
        self.ended = False
        self.fatal: BaseException | None = None

    async def run(self) -> None:
        """Give every record its outcome. Raises what has to stop the process."""
        if not self.open:
            return
        self.tasks = [asyncio.create_task(self._work()) for _ in self.batch.records[:MOST_AT_ONCE]]
        seconds = self.batch.stop_at - monotonic()
        try:
            await asyncio.wait(self.tasks, timeout=None if math.isinf(seconds) else seconds)
        finally:
            self._end()
            await asyncio.wait(self.tasks, timeout=RESERVE_SECONDS / 2)  # they may clean up
        if self.fatal:
            raise self.fatal
        for record in self.open.values():
            self.batch.give_back(record, "outOfTime")

    def _end(self) -> None:
        """Start no more messages, and cancel those that are being handled."""
        self.ended = True
        for task in self.tasks:
            task.cancel()

    async def _work(self) -> None:
        for lane in self.lanes:
            for place in lane:
                if self.ended or monotonic() >= self.batch.stop_at:
                    return
                try:
                    await self._process(self.batch.records[place])
                except asyncio.CancelledError:
                    return
                except BaseException as error:
                    self.fatal = error
                    self._end()
                    return
                del self.open[place]

    async def _process(self, record: Record) -> None:
        batch = self.batch
        if message_group(record) in batch.failed_groups:
            batch.give_back(record, "heldBack")
            return
        try:
            message = batch.decode(record["body"])
        except Exception as error:
            batch.fail(record, "failedToParse", error)
            return
        try:
            await batch.handle(message)
        except (Exception, asyncio.CancelledError) as error:
            if self.ended:  # it did not fail: it was cancelled
                raise asyncio.CancelledError from error
            batch.fail(record, "failedToHandle", error)


def _lanes(batch: Batch) -> Iterable[list[int]]:
    """The places of records that have to follow each other: on a FIFO queue, those of a group."""
    if not batch.is_fifo:
        return ([place] for place in range(len(batch.records)))
    groups: dict[str | None, list[int]] = {}
    for place, record in enumerate(batch.records):
        groups.setdefault(message_group(record), []).append(place)
    return groups.values()
