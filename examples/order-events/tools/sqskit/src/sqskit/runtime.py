"""The process of a Lambda function: `python -P runtime.py FOLDER HANDLER`.

Reads a line of JSON from standard input for each invocation. Answers with lines of JSON: what the
function logs, and what it returns or raises. Imports only the standard library, as in Lambda.
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
    """The context that Lambda passes to a handler."""

    def __init__(self, request_id: str, seconds: float) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self._deadline = time.time() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round(1000 * (self._deadline - time.time())))


class LogRelay(logging.Handler):
    """Passes log lines on, with the fields of `extra` at the top level as in Lambda's JSON."""

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
    """Passes printed lines on as log lines."""

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


answering = threading.Lock()  # because threads of the function may log at the same time


def main() -> None:
    folder, handler = sys.argv[1:]
    # Standard input and output belong to the worker, so the function gets others.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    printed = PrintRelay(answers)
    sys.stdout = sys.stderr = io.TextIOWrapper(printed, "utf-8", write_through=True)
    logging.basicConfig(level=logging.INFO, handlers=[LogRelay(answers)])
    sys.path.insert(0, folder)
    os.chdir(folder)

    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError):
            ours = error.name == module.partition(".")[0]
            reason += "; check Handler in the template" if ours else "; add it with `uv add`"
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(folder):
                reason += f" ({frame.filename}, line {frame.lineno})"
        answer(answers, error=f"cannot import {handler}: {reason}")
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
