"""The process of a Lambda function: `python -P runtime.py FOLDER HANDLER ARN [SECONDS]`.

Reads a line of JSON from standard input for each invocation. Answers with lines of JSON: what the
function logs, and what it returns or raises. Imports only the standard library, as in Lambda,
unless it is to be debugged: then it first waits for a debugger, for at most this many SECONDS.
"""

import importlib
import io
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any, TextIO


class Context:
    """The context that Lambda passes to a handler: that of awslambdaric for an SQS event."""

    def __init__(self, request_id: str, arn: str, seconds: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]  # a text there too
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = None
        self.tenant_id = None
        self._deadline = time.monotonic() + seconds  # the clock may be set meanwhile

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round(1000 * (self._deadline - time.monotonic())))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class LogRelay(logging.Handler):
    """Passes log lines on, with the fields of `extra` at the top level as in Lambda's JSON."""

    standard = frozenset(vars(logging.makeLogRecord({})))

    def __init__(self, answers: TextIO) -> None:
        super().__init__()
        self.answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on. One that cannot be logged must not fail its message."""
        try:
            self.relay(record)
        except Exception:
            self.handleError(record)

    def relay(self, record: logging.LogRecord) -> None:
        line = {key: value for key, value in vars(record).items() if key not in self.standard}
        line |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[2]:
            line["stackTrace"] = "".join(traceback.format_exception(*record.exc_info))
        answer(self.answers, log=line)


class PrintRelay(io.RawIOBase):
    """Passes printed lines on as log lines."""

    def __init__(self, answers: TextIO) -> None:
        super().__init__()
        self.answers = answers
        self.unfinished = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2  # faulthandler and subprocess need one; the worker reads it too

    def write(self, printed: Any) -> int:
        *lines, self.unfinished = (self.unfinished + bytes(printed)).split(b"\n")
        for line in lines:
            answer(self.answers, log={"message": line.decode("utf-8", "replace")})
        return len(printed)


class Guard(threading.Thread):
    """A thread that ends this process soon after its parent.

    It only waits for a C call that holds the interpreter's lock, such as that of a regular
    expression.
    """

    # The debugger stops all threads at a breakpoint except for those with these attributes.
    is_pydev_daemon_thread = pydev_do_not_trace = True

    def run(self) -> None:
        parent, sleep = os.getppid(), time.sleep  # the function may replace the latter
        while os.getppid() == parent:
            sleep(0.5)
        os._exit(1)


def answer(answers: TextIO, **line: Any) -> None:
    if "log" not in line and os.getpid() != PROCESS:  # a fork must not answer for its parent
        end = line.get("error", "it returned")
        print(f"a forked process has left the function ({end}); end it with os._exit()")
        os._exit(1)
    with answering:
        answers.write(json.dumps(line, default=str) + "\n")
        answers.flush()


PROCESS = os.getpid()

try:
    STARTED_IN = os.getcwd() + os.sep
except OSError:  # another folder has taken its place
    STARTED_IN = ""

answering = threading.Lock()  # because threads of the function may log at the same time


def one_line(error: BaseException) -> str:
    """Return what an error says, without the place that a SyntaxError names."""
    text = error.msg if isinstance(error, SyntaxError) else error
    return f"{type(error).__name__}: {text}"


def place_of(error: BaseException, folder: str) -> str:
    """Return the file, line and source in the function's folder that an error comes from."""
    places = [
        (frame.filename, frame.lineno, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno, error.text))
    ours = [place for place in places if place[0].startswith(folder + os.sep)]
    if not ours:
        return ""
    file, number, source = ours[-1]
    name = file.removeprefix(STARTED_IN)
    return f"\n  {name}, line {number}\n    {(source or '').strip()}"


def hook_breakpoints(stop_in: Callable[[FrameType], bool] | None) -> None:
    """Let breakpoint() stop in the debugger, or say why not. There is no terminal for pdb.

    stop_in: stops in a frame, and tells whether a debugger is attached.
    """

    def stop_or_say(*_: Any, **__: Any) -> None:
        frame = sys._getframe(1)
        if stop_in and stop_in(frame):
            return
        place = f"{frame.f_code.co_filename.removeprefix(STARTED_IN)}, line {frame.f_lineno}"
        why = "no debugger is attached" if stop_in else "to stop, run `make local ARGS=--debug`"
        print(f"breakpoint() in {place}, is skipped; {why}")

    # Whoever sets the variable has chosen another function.
    chosen = os.environ.get("PYTHONBREAKPOINT")
    sys.breakpointhook = sys.__breakpointhook__ if chosen else stop_or_say


def main() -> None:
    folder, handler, arn, *seconds = sys.argv[1:]
    Guard(daemon=True).start()
    # Standard input and output belong to the worker, so the function gets others.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    printed = PrintRelay(answers)
    sys.stdout = sys.stderr = io.TextIOWrapper(printed, "utf-8", write_through=True)
    logging.basicConfig(level=logging.INFO, handlers=[LogRelay(answers)])
    if seconds:
        from sqskit import debuggee

        answer(answers, debugger=debuggee.listen())
        debuggee.wait_for_debugger(float(seconds[0]))
    hook_breakpoints(debuggee.stop_in if seconds else None)
    sys.path.insert(0, folder)
    os.chdir(folder)

    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except BaseException as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            ours = error.name == module.partition(".")[0]
            hint = "; check Handler in the template" if ours else "; add it with `uv add`"
        reason = f"{one_line(error)}{hint}{place_of(error, folder)}"
        answer(answers, error=f"cannot import {handler}: {reason}")
        return
    answer(answers, response="null")
    for line in requests:
        request_id, event, seconds = json.loads(line)
        try:
            outcome = {"response": json.dumps(function(event, Context(request_id, arn, seconds)))}
        except Exception as error:
            outcome = {"error": f"{type(error).__name__}: {error}"}
        if printed.unfinished:
            printed.write(b"\n")
        answer(answers, **outcome)


if __name__ == "__main__":
    main()
