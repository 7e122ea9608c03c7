"""lambdas/sqs with an `async def handle`."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from sqs import batch_handler
from sqs.batch import Context
from sqs.concurrently import MOST_AT_ONCE

from tests.support.clock import ClockedContext, clocked
from tests.support.records import event, failed_ids

Handle = Callable[[int], Coroutine[Any, Any, None]]


def failed(handle: Handle, *bodies: object, groups: str = "", context: Context | None = None) -> list[str]:
    """Process a batch of numbers, of a FIFO queue if there are message groups, and return the ids that failed."""
    batch = event(map(str, bodies), groups or None, fifo=bool(groups))
    return failed_ids(batch_handler(int, handle)(batch, context))


async def accept(number: int) -> None:
    await asyncio.sleep(0)


async def ignore_cancellation() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


def test_messages_are_handled_at_the_same_time() -> None:
    meeting = asyncio.Barrier(10)

    async def handle(number: int) -> None:
        await meeting.wait()  # goes on when ten are there

    assert failed(handle, *range(10)) == []


def test_at_most_a_hundred_are_handled_at_the_same_time() -> None:
    running = most = 0

    async def handle(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert failed(handle, *range(3 * MOST_AT_ONCE)) == []
    assert most == MOST_AT_ONCE


def test_failures_are_reported_and_the_other_messages_are_handled(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        await asyncio.sleep(0)
        if number == 2:
            raise ValueError("not two")

    with caplog.at_level(logging.INFO):
        assert sorted(failed(handle, 1, 2, "x", 3)) == ["id-1", "id-2"]
    assert "Message id-1 failed at receive 1: ValueError: not two; it is retried" in caplog.text
    assert "2 of 4 messages succeeded" in caplog.text


def test_traceback_is_that_of_handle_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        raise ValueError("not one")

    assert failed(handle, 1) == ["id-0"]
    assert "ValueError: not one" in caplog.text
    assert "During handling of the above exception" not in caplog.text


def test_empty_batch_reports_none() -> None:
    assert failed(accept) == []


def test_message_group_keeps_its_order_beside_the_others() -> None:
    seen = []

    async def handle(number: int) -> None:
        seen.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise ValueError("not three")

    assert failed(handle, 1, 2, 3, 4, 5, 6, groups="ababab") == ["id-2", "id-4"]
    assert [number for number in seen if number % 2] == [1, 3]
    assert [number for number in seen if not number % 2] == [2, 4, 6]
    assert seen[:2] == [1, 2]  # side by side


def test_running_messages_are_cancelled_when_the_time_is_up(caplog: pytest.LogCaptureFixture) -> None:
    ended = []

    async def handle(number: int) -> None:
        try:
            await asyncio.sleep(number)
        finally:
            ended.append(number)

    with clocked() as clock, caplog.at_level(logging.INFO):
        assert failed(handle, 0, 60, 70, 0, context=ClockedContext(clock, 10)) == ["id-1", "id-2"]
    assert sorted(ended) == [0, 0, 60, 70]
    assert [line.levelname for line in caplog.records if line.name == "sqs"] == ["WARNING", "INFO"]
    assert "No time was left for 2 of 4 messages" in caplog.text


def test_message_that_ignores_its_cancellation_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        await ignore_cancellation()

    with clocked() as clock:
        assert failed(handle, 0, context=ClockedContext(clock, 10)) == ["id-0"]
    assert "1 calls of handle ignored their cancellation" in caplog.text


def test_response_is_in_time_even_if_a_message_blocks_the_loop_and_another_cleans_up() -> None:
    with clocked() as clock:
        context = ClockedContext(clock, 10)

        async def handle(number: int) -> None:
            if number == 0:
                await asyncio.sleep(8.9)
                clock.now += 0.8  # blocks the loop far into the reserve
            else:
                await ignore_cancellation()

        assert failed(handle, 0, 1, context=context) == ["id-1"]
        assert context.get_remaining_time_in_millis() > 0


def test_no_message_is_started_within_the_reserve() -> None:
    async def handle(number: int) -> None:
        raise AssertionError("started")

    with clocked() as clock:
        assert failed(handle, 1, 2, context=ClockedContext(clock, 0.999)) == ["id-0", "id-1"]


def test_no_message_is_started_after_one_that_blocks_the_loop_for_too_long() -> None:
    started = []
    with clocked() as clock:

        async def handle(number: int) -> None:
            started.append(number)
            clock.now += 9.5

        assert failed(handle, 1, 2, 3, context=ClockedContext(clock, 10)) == ["id-1", "id-2"]
    assert started == [1]


def test_cancellation_within_a_message_fails_only_that_message(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        if number == 1:
            other = asyncio.ensure_future(asyncio.sleep(60))
            other.cancel()
            await other

    assert failed(handle, 1, 2) == ["id-0"]
    assert "Message id-0 failed" in caplog.text


@pytest.mark.parametrize("stop", [SystemExit, MemoryError])
def test_error_that_must_stop_the_process_waits_for_no_other_message(stop: type[BaseException]) -> None:
    async def handle(number: int) -> None:
        if number == 0:
            await asyncio.sleep(0)
            raise stop
        await ignore_cancellation()

    with clocked() as clock:
        begin = clock.now
        with pytest.raises(stop):
            failed(handle, 1, 0)
        assert clock.now - begin < 1


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, MemoryError])
def test_error_that_must_stop_the_process_is_raised(stop: type[BaseException]) -> None:
    ended = []

    async def handle(number: int) -> None:
        try:
            await asyncio.sleep(number)
        finally:
            ended.append(number)
        raise stop

    with pytest.raises(stop):
        failed(handle, 60, 0)
    assert sorted(ended) == [0, 60]  # the other one was cancelled


def test_event_loop_stays_the_same_between_invocations() -> None:
    loops = set()

    async def handle(number: int) -> None:
        loops.add(asyncio.get_running_loop())

    assert failed(handle, 1) == failed(handle, 2) == []
    assert len(loops) == 1


def test_caller_may_have_an_event_loop_of_its_own() -> None:
    async def test() -> list[str]:
        return failed(accept, 1, "x")

    assert asyncio.run(test()) == ["id-1"]


def test_message_cannot_change_the_task_or_context_of_the_next_one() -> None:
    tenant: ContextVar[int | None] = ContextVar("tenant", default=None)
    seen = []

    async def handle(number: int) -> None:
        seen.append(tenant.get())
        tenant.set(number)
        task = asyncio.current_task()
        assert task
        task.cancel()  # too late to have an effect

    assert failed(handle, 1, 2, 3, groups="aab") == []
    assert seen == [None, None, None]


def test_returned_awaitable_is_a_failure() -> None:
    async def handle(number: int) -> Any:
        return asyncio.get_running_loop().create_future()

    assert failed(handle, 1) == ["id-0"]


def test_context_variables_are_passed_on() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    seen = []

    async def handle(number: int) -> None:
        seen.append(tenant.get())

    async def test() -> list[str]:
        return failed(handle, 2)

    tenant.set("acme")
    assert failed(handle, 1) == asyncio.run(test()) == []
    assert seen == ["acme", "acme"]
