"""A worker: runs a Lambda function in a process of its own, one invocation after the other."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sqskit.debugger import Debugger
from sqskit.environment import REGION, environment
from sqskit.mapping import Function

RUNTIME = Path(__file__).with_name("runtime.py")

# Lambda gives a function this long to be imported.
SECONDS_TO_START = 10

# How often it looks whether a debugger is attached.
SECONDS_TO_LOOK = 0.2


@dataclass
class Invocation:
    """The result of an invocation: a response as JSON, or an error; and the log before it."""

    response: str | None = None
    error: str | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class Worker:
    """Runs one process at a time, and a new one if it has ended or the code has changed."""

    def __init__(self, function: Function, endpoint: str, debugger: Debugger | None = None) -> None:
        self.function = function
        self.debugger = debugger
        self.environment = environment(**variables(function, endpoint))
        self.process: subprocess.Popen[str] | None = None
        self.reader = threading.Thread()
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.code: dict[Path, float] = {}

    def start(self) -> Invocation:
        """Make sure that the process runs the current code, and return any error."""
        code = changed(self.function.folder)
        if self.process and self.process.poll() is None and code == self.code:
            return Invocation()
        self.close()
        self.code = code
        self.answers = queue.Queue()
        command = [sys.executable, "-P", str(RUNTIME), str(self.function.folder)]
        command += [self.function.handler, self.function.arn]
        seconds: float = SECONDS_TO_START
        if self.debugger:
            waiting = self.debugger.process_starts()
            command[1:1] = ["-X", "frozen_modules=off"]  # a debugger cannot look into those
            command.append(str(waiting))
            seconds += waiting
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C must not reach it
        )
        self.reader = threading.Thread(target=_read, args=(self.process, self.answers), daemon=True)
        self.reader.start()
        return self._answer(seconds)

    def invoke(self, event: Any) -> Invocation:
        """Invoke the function, and end its process at its timeout, unless it is debugged."""
        started = self.start()
        if started.error:
            return started
        assert self.process
        assert self.process.stdin
        seconds = self.function.timeout
        try:
            self.process.stdin.write(json.dumps([str(uuid.uuid4()), event, seconds]) + "\n")
            self.process.stdin.flush()
        except OSError:  # the process has just ended, and the answer says so
            pass
        invocation = self._answer(seconds)
        invocation.log = started.log + invocation.log
        return invocation

    def close(self) -> None:
        """End the process."""
        if self.process and self.process.stdin:
            self.process.kill()
            self.process.stdin.close()
            self.reader.join(1)  # it takes longer only if the function has started processes itself

    def _answer(self, seconds: float) -> Invocation:
        """Wait for the answer of the process."""
        begin = time.monotonic()
        until = begin + seconds
        invocation = Invocation()
        while not (invocation.response or invocation.error):
            if self.debugger and self.debugger.is_attached:
                until = time.monotonic() + seconds
            left = until - time.monotonic()
            try:
                line = self.answers.get(timeout=max(0, min(left, SECONDS_TO_LOOK)))
            except queue.Empty:
                if left > SECONDS_TO_LOOK:
                    continue
                self.close()
                line = {"error": f"timed out after {seconds} seconds"}
            if "log" in line:
                invocation.log.append(line["log"])
            if "debugger" in line and self.debugger:
                self.debugger.process_listens(line["debugger"])
            invocation.response = line.get("response")
            invocation.error = line.get("error")
        invocation.seconds = time.monotonic() - begin
        return invocation


def variables(function: Function, endpoint: str) -> dict[str, str]:
    """Return the variables that Lambda gives to a function; its own cannot replace most of them.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "TZ": ":UTC",
        **function.environment,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_REGION": REGION,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
    }


def changed(folder: Path) -> dict[Path, float]:
    """Return when each Python file in a folder was last changed."""
    times = {}
    found = os.walk(folder)  # unlike rglob, it skips folders that disappear
    for path in (Path(parent, name) for parent, _, names in found for name in names):
        if path.suffix == ".py":
            with suppress(OSError):  # editors make files that soon disappear
                times[path] = path.stat().st_mtime
    return times


def _read(process: subprocess.Popen[str], answers: queue.Queue[dict[str, Any]]) -> None:
    """Pass on what a process writes: its answers, and its last words as log lines."""
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        printed = threading.Thread(target=_read_prints, args=(process.stderr, answers), daemon=True)
        printed.start()
        for line in process.stdout:
            answers.put(answer_in(line))
        printed.join()
    answers.put({"error": end_of(process.wait())})


def end_of(status: int) -> str:
    """Say how a process ended: by itself, or by a signal, which is a status below 0."""
    if status >= 0:
        return f"the process ended with exit status {status}"
    with suppress(ValueError):
        return f"the process was ended by {signal.Signals(-status).name}"
    return f"the process was ended by signal {-status}"


def answer_in(line: str) -> dict[str, Any]:
    """Return the answer in a line. Something else is printed by what Python imports by itself."""
    with suppress(ValueError):
        answer = json.loads(line)
        if isinstance(answer, dict):
            return answer
    return {"log": {"message": line.rstrip()}}


def _read_prints(lines: IO[str], answers: queue.Queue[dict[str, Any]]) -> None:
    for line in lines:
        answers.put({"log": {"message": line.rstrip()}})
