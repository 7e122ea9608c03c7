"""A clock for lambdas/sqs that only passes when it is told to, so that no test has to wait."""

import asyncio
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqs.batch
import sqs.concurrently
import sqs.idempotency
import sqs.in_order
import sqs.queue


class Clock:
    """Takes the place of time.monotonic()."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        """Take the place of time.time()."""
        return 1_800_000_000 + self.now


class ClockedContext:
    """The context of an invocation whose timeout is some seconds away."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.end = clock.now + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * (self.end - self.clock.now))


@contextmanager
def clocked() -> Iterator[Clock]:
    """Run lambdas/sqs, its event loop included, on the clock of a `with` statement."""
    clock = Clock()
    with (
        pytest.MonkeyPatch.context() as patch,
        asyncio.Runner(loop_factory=lambda: leaping_loop(clock)) as runner,
    ):
        for module in (sqs.batch, sqs.in_order, sqs.concurrently, sqs.queue, sqs.idempotency):
            patch.setattr(module, "monotonic", clock)
        patch.setattr(sqs.idempotency, "time", clock.time)
        patch.setattr(sqs.concurrently, "_runner", runner)
        yield clock


class _LeapingSelector(selectors.DefaultSelector):
    """Moves the clock on instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def select(self, timeout: float | None = None) -> Any:
        self.clock.now += timeout or 0
        return super().select(0)


def leaping_loop(clock: Clock) -> asyncio.AbstractEventLoop:
    """Return an event loop that moves a clock on instead of waiting."""
    loop = asyncio.SelectorEventLoop(_LeapingSelector(clock))
    loop.time = clock  # type: ignore[method-assign]
    return loop


class RealContext:
    """The context of an invocation that ends after some seconds, by the real clock."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * (self.end - time.monotonic()))
