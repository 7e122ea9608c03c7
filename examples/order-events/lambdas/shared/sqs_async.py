"""SQS with a `handle` that is `async def`: the messages of a batch are handled concurrently."""

import asyncio
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import monotonic

from shared.sqs import RESERVE_SECONDS, Batch, Record, check_result, logger, message_group

# The most messages that are handled at the same time. Each may need a connection, and Lambda lets
# a function have 1,024 files and sockets open.
MOST_AT_ONCE = 100

# One event loop for all invocations: what `handle` keeps between them, such as a client with open
# connections, belongs to the loop it was made in.
_runner = asyncio.Runner()


def process_concurrently(batch: Batch) -> None:
    """Process the records of a batch, up to MOST_AT_ONCE of them at the same time."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _runner.run(_Concurrently(batch).run(), context=copy_context())
    else:  # a test's: another loop needs a thread of its own
        with ThreadPoolExecutor(1) as thread:
            thread.submit(copy_context().run, asyncio.run, _Concurrently(batch).run()).result()


class _Concurrently:
    """Workers that take one lane of records after the other, while there is time."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.lanes = iter(_lanes(batch))
        self.open = dict(enumerate(batch.records))  # those without an outcome, by their place
        self.running: set[asyncio.Task[None]] = set()
        self.over = asyncio.Event()  # nothing is open any more, or the process has to stop
        self.ended = False  # nothing may be started any more
        self.fatal: BaseException | None = None

    async def run(self) -> None:
        """Give every record its outcome. Raises what has to stop the process."""
        if not self.open:
            return
        workers = [asyncio.create_task(self._work()) for _ in self.batch.records[:MOST_AT_ONCE]]
        seconds = self.batch.stop_at - monotonic()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self.over.wait()
        except TimeoutError:
            pass
        finally:
            self.ended = True
            for task in self.running:
                task.cancel()
            # They may clean up, but not for so long that the response would be late.
            late = max(0, monotonic() - self.batch.stop_at)
            await asyncio.wait(workers, timeout=RESERVE_SECONDS / 2 - late)
        if self.running:
            logger.warning("%d handles go on although they were cancelled", len(self.running))
        if self.fatal:
            raise self.fatal
        for record in self.open.values():
            self.batch.give_back(record, "outOfTime")

    async def _work(self) -> None:
        for lane in self.lanes:
            for place in lane:
                # In a task of its own, what a message does to its context or task stays with it.
                task = asyncio.create_task(self._process(place))
                self.running.add(task)
                await asyncio.wait([task])
                self.running.remove(task)

    async def _process(self, place: int) -> None:
        if self.ended or monotonic() >= self.batch.stop_at:
            return
        try:
            await self._attempt(self.open[place])
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self.fatal = error
            self.over.set()
            return
        del self.open[place]
        if not self.open:
            self.over.set()

    async def _attempt(self, record: Record) -> None:
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
            check_result(await batch.handle(message))
        except BaseException as error:
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
