"""The generated project's `make local`, as a process whose lines are read."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.conftest import Project

SECONDS = 120  # after which it is killed


@dataclass
class LocalRun:
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def until(self, pattern: str, times: int = 1) -> list[str]:
        """Read until so many lines have matched, and return these."""
        found: list[str] = []
        assert self.process.stdout
        while len(found) < times:
            line = self.process.stdout.readline()
            assert line, f"it has ended by itself:\n{''.join(self.lines)}"
            self.lines.append(line)
            if re.match(pattern, line):
                found.append(line)
        return found


@contextmanager
def local_run(project: Project, *command: str, **env: str) -> Iterator[LocalRun]:
    """Run a project's stack, as with `python -m local`, until it takes messages; end it at the end."""
    with subprocess.Popen(
        command,
        cwd=project.path,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as process:
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            running = LocalRun(process)
            running.until(r"  AWS_ACCESS_KEY_ID=local .*aws sqs send-message ")
            yield running
        finally:
            timer.cancel()
            process.terminate()
            process.communicate(timeout=20)
