"""The process of a Lambda function: `python -m local.runtime FOLDER HANDLER`.

Takes a line of JSON from standard input for each invocation. Answers with lines of JSON: what the
function logs, and what it returns or raises. Imports nothing that Lambda would not have.
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
from typing import Any, TextIO


class Context:
    """What Lambda passes to a handler along with the event."""

    def __init__(self, request_id: str, seconds: float) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self._deadline = time.time() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round(1000 * (self._deadline - time.time())))


class LogRelay(logging.Handler):
    """Sends log lines along, with the fields in `extra` at their top level as in Lambda's JSON."""

    standard = frozenset(vars(logging.makeLogRecord({})))

    def __init__(self, answers: TextIO) -> None:
        super().__init__()
        self.answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        line = {key: value for key, value in vars(record).items() if key not in self.standard}
        line |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[2]:
            line["stackTrace"] = "".join(traceback.format_exception(*record.exc_info))
        answer(self.answers, log=line)


class PrintRelay(io.RawIOBase):
    """Sends along as log lines what is printed."""

    def __init__(self, answers: TextIO) -> None:
        super().__init__()
        self.answers = answers
        self.unfinished = b""

    def writable(self) -> bool:
        return True

    def write(self, printed: Any) -> int:
        *lines, self.unfinished = (self.unfinished + bytes(printed)).split(b"\n")
        for line in lines:
            answer(self.answers, log={"message": line.decode("utf-8", "replace")})
        return len(printed)


def answer(answers: TextIO, **line: Any) -> None:
    with answering:
        answers.write(json.dumps(line, default=str) + "\n")
        answers.flush()


answering = threading.Lock()  # threads of the function may log and print at the same time


def main() -> None:
    folder, handler = sys.argv[1:]
    # Standard input and output are for talking with the worker: the function gets others.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    printed = PrintRelay(answers)
    sys.stdout = sys.stderr = io.TextIOWrapper(printed, "utf-8", write_through=True)
    logging.basicConfig(level=logging.INFO, handlers=[LogRelay(answers)])
    sys.path[0] = folder
    os.chdir(folder)

    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError):
            reason += "; does pyproject.toml name it, and lambdas/requirements.txt?"
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(folder):
                reason += f" ({frame.filename}, line {frame.lineno})"
        answer(answers, error=f"{handler} cannot be imported: {reason}")
        return
    answer(answers, response="null")
    for line in requests:
        request_id, event, seconds = json.loads(line)
        try:
            outcome = {"response": json.dumps(function(event, Context(request_id, seconds)))}
        except Exception as error:
            outcome = {"error": f"{type(error).__name__}: {error}"}
        if printed.unfinished:
            printed.write(b"\n")
        answer(answers, **outcome)


if __name__ == "__main__":
    main()
