"""Commands that run until they are stopped, and what they print."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.projects import Project

SECONDS = 120  # after which they are killed


@dataclass
class Running:
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def until(self, pattern: str, times: int = 1) -> list[str]:
        """Read until this many lines have matched, and return them."""
        found: list[str] = []
        assert self.process.stdout
        while len(found) < times:
            line = self.process.stdout.readline()
            assert line, f"the command has ended:\n{''.join(self.lines)}"
            self.lines.append(line)
            if re.match(pattern, line):
                found.append(line)
        return found

    def end(self, signal_number: int) -> None:
        """Send a signal to the command and its children, as a terminal does."""
        with suppress(ProcessLookupError):
            if os.name == "nt":
                self.process.terminate()
            else:
                os.killpg(self.process.pid, signal_number)


@contextmanager
def running(project: Project, *command: str, **env: str) -> Iterator[Running]:
    """Run a command in a project during a `with` statement."""
    with subprocess.Popen(
        command,
        cwd=project.path,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        run = Running(process)
        timer = threading.Timer(SECONDS, run.end, [getattr(signal, "SIGKILL", signal.SIGTERM)])
        timer.start()
        try:
            yield run
        finally:
            timer.cancel()
            run.end(signal.SIGTERM)
            process.communicate(timeout=20)


@contextmanager
def running_local(project: Project, *command: str, **env: str) -> Iterator[Running]:
    """Run a project's stack, and wait until it accepts messages."""
    with running(project, *command, **env) as run:
        run.until(r"  AWS_ACCESS_KEY_ID=local .*aws (sqs|sns|events) ")
        yield run
