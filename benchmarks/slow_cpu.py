"""The first failing batch of a cold process, with as much of a core as Lambda gives a function.

A function has a full core while it starts, and then a share by its memory: 128 MB get about 7 % of a core. The first
message that fails has boto3 imported, which takes half a second of a full core. The answer must still be in time.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqskit.aws import EmbeddedAws

from tests.support.records import event
from tests.support.runtime_api import LambdaFunction

# A function with 1,769 MB has a full core.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEGABYTES_OF_A_CORE = 1769
MEMORY = (128, 256, 512)
TIMEOUT = 10
SLICE = 0.1  # in seconds


def first_failures(project: Path, module: str) -> Iterator[tuple[str, str, str]]:
    """Yield a row of the benchmark for each memory size."""
    for megabytes in MEMORY:
        seconds, dead = first_failure(project / "lambdas", f"{module}_processor.app.handler", megabytes)
        fate = "dead letter sent" if dead else "left to the queue's own settings"
        figure = f"answered after {seconds / TIMEOUT:.0%} of the timeout, {fate}"
        yield f"first failure of a cold process with {megabytes} MB", figure, "below 100 %"


def first_failure(folder: Path, handler: str, megabytes: int) -> tuple[float, int]:
    """Return how many seconds the first failing batch takes, and how many dead letters it sends."""
    with TemporaryDirectory() as output, EmbeddedAws() as aws:
        sqs = aws.client("sqs")
        queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("queue", "dead"))
        os.environ |= {
            "QUEUE_URL": queue,
            "DEAD_LETTER_QUEUE_URL": dead,
            "MAX_RECEIVE_COUNT": "5",
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": aws.region,
        }
        with LambdaFunction(folder, handler, output=Path(output) / "log") as function:
            function.invoke(event([]))  # its start is over
            with throttled(function.process.pid, megabytes / MEGABYTES_OF_A_CORE):
                begin = time.monotonic()
                kind, _ = function.invoke(event(["{"]), TIMEOUT)
                took = time.monotonic() - begin
        assert kind == "response"
        return took, sum(aws.depth(dead))


@contextmanager
def throttled(pid: int, share: float) -> Iterator[None]:
    """Let a process run only for a share of each tenth of a second."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGCONT)
            time.sleep(SLICE * share)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(SLICE * (1 - share))
        os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
