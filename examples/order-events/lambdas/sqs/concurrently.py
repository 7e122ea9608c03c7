"""Handle the messages of a batch at the same time, with an `async def handle`."""

import asyncio
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any

from sqs.batch import Batch, check_result
from sqs.claims import MOST_CALLS
from sqs.deliveries import current
from sqs.log import logger
from sqs.records import Record, message_group

# The most messages that are handled at the same time. Each may need a connection, and a function
# may have at most 1,024 open files and sockets.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_AT_ONCE = 100

# One event loop serves all invocations, because a client that `handle` keeps open between them
# belongs to the loop it was made in.
_runner = asyncio.Runner()

# For calls that wait for the network. A thread is only started when it is needed.
_threads = ThreadPoolExecutor(MOST_CALLS)


def process_concurrently(batch: Batch) -> None:
    """Handle up to MOST_AT_ONCE messages at the same time, until the time runs out.

    Messages that were received before follow one by one, because one of them may end the process.
    """
    if not _in_a_running_loop():
        _runner.run(_process(batch), context=copy_context())
        return
    # A test can have a loop of its own; a second one needs another thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(copy_context().run, asyncio.run, _process(batch)).result()


async def _process(batch: Batch) -> None:
    first, suspects = batch.suspects_last()
    await _Run(batch, first).run()
    for record in suspects:
        await _Run(batch, [record], alone=True).run()


def _in_a_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Run:
    """Workers that take one lane of records after the other."""

    def __init__(self, batch: Batch, records: list[Record], alone: bool = False) -> None:
        self.batch = batch
        self.records = records
        self.alone = alone
        self.lanes = iter(_lanes(records, batch.is_fifo))
        self.open = dict(enumerate(records))  # the records without an outcome, by their place
        self.handled: set[int] = set()  # the places of those whose key is only to be remembered
        self.running: set[asyncio.Task[None]] = set()  # the calls of handle
        self.over = asyncio.Event()  # every record has its outcome, or the process must stop
        self.ended = False  # no further message may be started
        self.fatal: BaseException | None = None

    async def run(self) -> None:
        """Give every record its outcome. Raises an error that must stop the process."""
        if not self.open:
            return
        workers = [asyncio.create_task(self._work()) for _ in self.records[:MOST_AT_ONCE]]
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
            # They may clean up, but only for so long that the response is still in time.
            late = max(0, monotonic() - self.batch.stop_at)
            await asyncio.wait(workers, timeout=self.batch.settings.reserve_seconds / 2 - late)
        if self.running:
            logger.warning("%d calls of handle ignored their cancellation", len(self.running))
        if self.fatal:
            raise self.fatal
        for place, record in self.open.items():
            if place not in self.handled:
                self.batch.give_back(record, "outOfTime")

    async def _work(self) -> None:
        for lane in self.lanes:
            for place in lane:
                # In a task of its own, a message cannot change the context of the next one.
                task = asyncio.create_task(self._process(place))
                self.running.add(task)
                await asyncio.wait([task])
                self.running.discard(task)

    async def _process(self, place: int) -> None:
        if self.ended or monotonic() >= self.batch.stop_at:
            return
        try:
            await self._attempt(place)
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self.fatal = error
            self.over.set()
            return
        del self.open[place]
        if not self.open:
            self.over.set()

    async def _attempt(self, place: int) -> None:
        batch, record = self.batch, self.open[place]
        if message_group(record) in batch.failed_groups:
            batch.give_back(record, "heldBack")
            return
        if self.alone and batch.gave_way(record):
            return
        try:
            message = batch.settings.decode(record["body"])
        except BaseException as error:
            batch.fail(record, "failedToParse", error)
            return
        current.set(record)
        try:
            if batch.claims:
                await _in_thread(batch.claim, record, message)
            if self.alone:
                batch.expect_the_end(record)
            check_result(await batch.settings.handle(*batch.arguments(record, message)))
        except BaseException as error:
            if self.ended:  # it was cancelled, which is not a failure of the message
                raise asyncio.CancelledError from error
            batch.fail(record, "failedToHandle", error)
            return
        batch.done.append(record)
        if batch.claims:
            # The message is done, whatever happens now; so this is no longer cancelled.
            self.handled.add(place)
            self.running.difference_update([asyncio.current_task()])
            with suppress(asyncio.CancelledError):  # `handle` can cancel its own task
                await asyncio.shield(_in_thread(batch.complete, record))


def _in_thread(call: Callable[..., None], *arguments: Any) -> asyncio.Future[None]:
    """Make a call that waits for the network, without keeping the event loop waiting."""
    run = partial(copy_context().run, call, *arguments)
    return asyncio.get_running_loop().run_in_executor(_threads, run)


def _lanes(records: list[Record], is_fifo: bool) -> Iterable[list[int]]:
    """Return the places of records that must follow each other: those of a FIFO message group."""
    if not is_fifo:
        return ([place] for place in range(len(records)))
    groups: dict[str | None, list[int]] = {}
    for place, record in enumerate(records):
        groups.setdefault(message_group(record), []).append(place)
    return groups.values()
