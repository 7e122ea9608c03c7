"""The screen of the local stack shows what lambdas/sqs logs about a failed message."""

from pathlib import Path

import pytest
from sqs import batch_handler
from sqs.log import logger
from sqskit import screen
from sqskit.aws import Aws
from sqskit.mapping import EventSourceMapping, Function, Queue
from sqskit.poller import SAID_WHEN, Batch
from sqskit.worker import Invocation

from tests.support.records import event
from tests.support.sqs_model import model

QUEUE = Queue("http://127.0.0.1/q", "arn:aws:sqs:us-east-1:123456789012:q", 60, "http://127.0.0.1/dead", 5)
MAPPING = EventSourceMapping(QUEUE, Function("F", Path(), "app.handler", 10, {}), 10, 0, 10, True)


def test_names_in_the_log_are_those_that_the_screen_reads(caplog: pytest.LogCaptureFixture) -> None:
    batch_handler(int, lambda number: None)(event(["x"]), None)
    line = next(line for line in caplog.records if line.levelname == "ERROR")
    assert screen.LOGGER == logger.name == line.name
    assert hasattr(line, screen.MESSAGE_ID)


def test_words_of_an_arranged_retry_are_those_that_the_poller_reads(caplog: pytest.LogCaptureFixture) -> None:
    def handle(number: int) -> None:
        raise ValueError

    with model() as sqs:
        sqs.send(["1"])
        sqs.invoke(batch_handler(int, handle))
    assert any(SAID_WHEN in line.getMessage() for line in caplog.records)


def test_reason_of_a_failure_is_shown_with_its_message(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = event(["1", "x"])
    batch_handler(int, lambda number: None)(batch, None)
    lines = [{**vars(line), "logger": line.name, "message": line.getMessage()} for line in caplog.records]
    done = Batch(MAPPING, batch["Records"], Invocation(response="{}", log=lines), {"id-1"}, None)

    screen.Screen(Aws("http://127.0.0.1"), Path(), retry_after=None, plain=True).batch(done)
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert shown == [
        "done id-0 1",
        "failed id-1 x",
        "receive 1 of 5: JSON is malformed: invalid character (byte 0) - at `$`; it is retried",
    ]
