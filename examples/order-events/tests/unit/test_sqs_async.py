"""shared/sqs.py with a `handle` that is `async def`, which makes use of shared/sqs_async.py."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import msgspec
import pytest

from shared import sqs, sqs_async

QUEUE = "arn:aws:sqs:us-east-1:123456789012:numbers"


class TimeLeft:
    """The context of an invocation with so many milliseconds to go."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def failed(
    handle: Callable[[int], Coroutine[Any, Any, None]],
    *bodies: str,
    groups: str = "",
    context: sqs.Context | None = None,
) -> list[str]:
    """Process a batch of numbers, of FIFO message groups if there are any. Returns what failed."""
    records: list[sqs.Record] = [
        {
            "messageId": body,
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSourceARN": QUEUE,
        }
        for body in bodies
    ]
    for record, group in zip(records, groups, strict=False):
        record["eventSourceARN"] = f"{QUEUE}.fifo"
        record["attributes"]["MessageGroupId"] = group
    process_batch = sqs.batch_processor(msgspec.json.Decoder(int), handle)
    response = process_batch({"Records": records}, context)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


async def accept(number: int) -> None:
    await asyncio.sleep(0)


def test_messages_are_handled_at_the_same_time() -> None:
    meeting = asyncio.Barrier(10)

    async def handle(number: int) -> None:
        await meeting.wait()  # goes on when ten are there

    assert failed(handle, *map(str, range(10))) == []


def test_no_more_are_handled_at_the_same_time_than_allowed() -> None:
    running = most = 0

    async def handle(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert failed(handle, *map(str, range(3 * sqs_async.MOST_AT_ONCE))) == []
    assert most == sqs_async.MOST_AT_ONCE


def test_failures_are_reported_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        await asyncio.sleep(0)
        if number == 2:
            raise ValueError("not two")

    with caplog.at_level(logging.INFO):
        assert sorted(failed(handle, "1", "2", "x", "3")) == ["2", "x"]
    assert "Message 2 failed at receive 1: not two" in caplog.text
    assert "2 of 4 messages succeeded" in caplog.text


def test_an_empty_batch_reports_nothing() -> None:
    assert failed(accept) == []


def test_a_message_group_keeps_its_order_beside_the_others() -> None:
    seen = []

    async def handle(number: int) -> None:
        seen.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise ValueError("not three")

    assert failed(handle, "1", "2", "3", "4", "5", "6", groups="ababab") == ["3", "5"]
    assert [number for number in seen if number % 2] == [1, 3]
    assert [number for number in seen if not number % 2] == [2, 4, 6]
    assert seen[:2] == [1, 2]  # side by side


def test_what_still_runs_when_the_time_is_up_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    ended = []

    async def handle(number: int) -> None:
        try:
            await asyncio.sleep(number)
        finally:
            ended.append(number)

    with caplog.at_level(logging.INFO):
        in_100_ms = TimeLeft(1100)
        assert failed(handle, "0", "60", "70", "0", context=in_100_ms) == ["60", "70"]
    assert sorted(ended) == [0, 0, 60, 70]
    assert [line.levelname for line in caplog.records] == ["WARNING", "INFO"]
    assert "No time was left for 2 of 4 messages" in caplog.text


async def carry_on() -> None:
    """Take no notice of the first cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


def test_what_will_not_be_cancelled_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        await carry_on()

    assert failed(handle, "0", context=TimeLeft(1050)) == ["0"]
    assert "1 handles go on although they were cancelled" in caplog.text


def test_the_response_is_in_time_whatever_is_left_to_clean_up() -> None:
    async def handle(number: int) -> None:
        if number == 0:
            await asyncio.sleep(0.04)
            time.sleep(0.8)  # noqa: ASYNC251  far into the reserve
        else:
            await carry_on()

    begin = time.monotonic()
    assert failed(handle, "0", "1", context=TimeLeft(1050)) == ["1"]
    assert time.monotonic() - begin < 1.05


def test_nothing_is_started_within_the_reserve() -> None:
    async def handle(number: int) -> None:
        raise AssertionError("started")

    assert failed(handle, "1", "2", context=TimeLeft(999)) == ["1", "2"]


def test_nothing_is_started_after_one_that_blocks_the_loop_for_too_long() -> None:
    started = []

    async def handle(number: int) -> None:
        started.append(number)
        time.sleep(0.1)

    assert failed(handle, "1", "2", "3", context=TimeLeft(1050)) == ["2", "3"]
    assert started == [1]


def test_a_cancellation_of_its_own_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(number: int) -> None:
        if number == 1:
            other = asyncio.ensure_future(asyncio.sleep(60))
            other.cancel()
            await other

    assert failed(handle, "1", "2") == ["1"]
    assert "Message 1 failed" in caplog.text


@pytest.mark.parametrize("stop", [SystemExit, MemoryError])
def test_what_must_stop_the_process_waits_for_nobody(stop: type[BaseException]) -> None:
    async def handle(number: int) -> None:
        if number == 0:
            await asyncio.sleep(0)
            raise stop
        await carry_on()

    with pytest.raises(stop):
        failed(handle, "1", "0")


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, MemoryError])
def test_what_must_stop_the_process_is_passed_on(stop: type[BaseException]) -> None:
    ended = []

    async def handle(number: int) -> None:
        try:
            await asyncio.sleep(number)
        finally:
            ended.append(number)
        raise stop

    with pytest.raises(stop):
        failed(handle, "60", "0")
    assert sorted(ended) == [0, 60]  # the other one was cancelled


def test_the_event_loop_stays_the_same_between_invocations() -> None:
    loops = set()

    async def handle(number: int) -> None:
        loops.add(asyncio.get_running_loop())

    assert failed(handle, "1") == failed(handle, "2") == []
    assert len(loops) == 1


def test_a_test_may_have_an_event_loop_of_its_own() -> None:
    async def test() -> list[str]:
        return failed(accept, "1", "x")

    assert asyncio.run(test()) == ["x"]


def test_what_a_message_does_to_its_task_or_context_stays_with_it() -> None:
    tenant: ContextVar[int | None] = ContextVar("tenant", default=None)
    seen = []

    async def handle(number: int) -> None:
        seen.append(tenant.get())
        tenant.set(number)
        task = asyncio.current_task()
        assert task
        task.cancel()  # too late to have an effect

    assert failed(handle, "1", "2", "3", groups="aab") == []
    assert seen == [None, None, None]


def test_a_coroutine_that_is_returned_rather_than_awaited_is_a_failure() -> None:
    async def handle(number: int) -> Any:
        return asyncio.get_running_loop().create_future()

    assert failed(handle, "1") == ["1"]


def test_context_variables_are_passed_on() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    seen = []

    async def handle(number: int) -> None:
        seen.append(tenant.get())

    async def test() -> list[str]:
        return failed(handle, "2")

    tenant.set("acme")
    assert failed(handle, "1") == asyncio.run(test()) == []
    assert seen == ["acme", "acme"]
