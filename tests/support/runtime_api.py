"""Lambda's Runtime API on loopback, for Lambda's own runtime client to run a function against.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """The result of an invocation. kind: response, error or exit; payload: what was sent, or the exit status."""

    kind: str
    payload: Any


class LambdaFunction:
    """A function that runs as in Lambda, in one process for all invocations."""

    def __init__(self, folder: Path, handler: str, output: Path, options: Sequence[str] = (), **variables: str) -> None:
        """Start a process. options: of Python; variables: in its environment."""
        # A file, not a pipe: by the time a response arrives, the lines logged before it can be read.
        self.output = output
        self.events: queue.Queue[tuple[Any, float]] = queue.Queue()
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._request_handler())
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:{}".format(*self.server.server_address[1:2]),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "LAMBDA_TASK_ROOT": str(folder),
        }
        # From this working directory, the modules of the function come before those installed here.
        with output.open("wb") as stream:
            self.started = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, *options, "-m", "awslambdaric", handler],
                cwd=folder,
                env={**os.environ, **environment, **variables},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "LambdaFunction":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()

    def invoke(self, event: Any, seconds: float = 10) -> Outcome:
        """Give an event to the function, which has this many seconds for it."""
        self.events.put((event, seconds))
        while True:
            try:
                return self.outcomes.get(timeout=0.05)
            except queue.Empty:
                status = self.process.poll()
                if status is not None:
                    return Outcome("exit", status)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines that the function has logged so far."""
        return [json.loads(line) for line in self.output.read_text("utf-8").splitlines() if line.startswith("{")]

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        events, outcomes = self.events, self.outcomes

        class RequestHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # it could hold back the second half of a response

            def handle(self) -> None:
                with suppress(ConnectionResetError):  # the process was killed
                    super().handle()

            def do_GET(self) -> None:  # …/runtime/invocation/next
                event, seconds = events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(round(1000 * (time.time() + seconds))))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:function")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:  # …/runtime/invocation/{id}/response or …/error, or …/runtime/init/error
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outcomes.put(Outcome(self.path.rpartition("/")[2], json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        return RequestHandler
