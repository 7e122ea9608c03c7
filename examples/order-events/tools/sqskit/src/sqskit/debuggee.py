"""The debugger's side of a function's process: it listens, and stops the clock at breakpoints."""

import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import debugpy
import debugpy.server  # without it, there is no pydevd
import pydevd

# The clock that goes on at a breakpoint.
real_time = time.monotonic


class Clock:
    """A clock like time.monotonic() that stands still while the debugger has stopped a thread.

    So nobody is out of time because of a breakpoint: neither lambdas/sqs nor asyncio.
    """

    def __init__(self) -> None:
        # When it was stopped, if it was, and how long it has stood still before. In one variable,
        # because a thread that reads it can be stopped by the debugger, and must hold no lock then.
        self.state: tuple[float | None, float] = (None, 0.0)
        self.changing = threading.Lock()
        self.stopped_threads = 0

    def __call__(self) -> float:
        stopped_at, lost = self.state
        return (real_time() if stopped_at is None else stopped_at) - lost

    def stopping(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that makes a thread wait, and stops the clock meanwhile."""

        def stop_and_wait(*arguments: Any, **more: Any) -> Any:
            self._stop()
            try:
                return wait(*arguments, **more)
            finally:
                self._go_on()

        return stop_and_wait

    def _stop(self) -> None:
        with self.changing:
            self.stopped_threads += 1
            stopped_at, lost = self.state
            self.state = (real_time() if stopped_at is None else stopped_at), lost

    def _go_on(self) -> None:
        with self.changing:
            self.stopped_threads -= 1
            stopped_at, lost = self.state
            if not self.stopped_threads and stopped_at is not None:
                self.state = None, lost + real_time() - stopped_at


def listen() -> int:
    """Listen for a debugger, and return the port."""
    clock = Clock()
    # debugpy has no public name for this. All threads wait here, on every version of Python.
    pydevd.PyDB.do_wait_suspend = clock.stopping(pydevd.PyDB.do_wait_suspend)
    time.monotonic = clock
    port: int = debugpy.listen(("127.0.0.1", 0), in_process_debug_adapter=True)[1]
    return port


def wait_for_debugger(seconds: float) -> None:
    """Wait until a debugger has set its breakpoints, for at most this long."""
    until = real_time() + seconds
    while not debugpy.is_client_connected() and real_time() < until:
        time.sleep(0.02)


def stop_in(frame: FrameType) -> bool:
    """Stop in a frame, and tell whether a debugger is attached."""
    if not debugpy.is_client_connected():
        return False
    # debugpy.breakpoint() would stop in this function.
    pydevd.settrace(trace_only_current_thread=True, stop_at_frame=frame)
    return True
