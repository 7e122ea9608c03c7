"""The screen of the local stack shows every message and log line, whatever is in it."""

import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from sqs import batch_handler
from sqs.log import log_duplicate, log_forgotten, logger
from sqskit import outcomes, poller, screen
from sqskit.aws import Aws
from sqskit.mapping import EventSourceMapping, Function, Queue
from sqskit.poller import MESSAGE_ID, SAID_WHEN, Batch, Poller, deleted_in, retries_in
from sqskit.routes import ToQueue
from sqskit.worker import Invocation

from tests.support.records import event
from tests.support.sqs_model import model

QUEUE = Queue("http://127.0.0.1/q", "arn:aws:sqs:us-east-1:123456789012:q", 60, "http://127.0.0.1/dead", 5)
MAPPING = EventSourceMapping(
    QUEUE, Function("F", Path(), "app.handler", 10, 128, "python3.13", "arn", {}), 10, 0, 10, True
)


def test_names_in_the_log_are_those_that_the_screen_reads(caplog: pytest.LogCaptureFixture) -> None:
    batch_handler(int, lambda number: None)(event(["x"]), None)
    line = next(line for line in caplog.records if line.levelname == "ERROR")
    assert poller.LOGGER == logger.name == line.name
    assert hasattr(line, MESSAGE_ID)


@pytest.mark.parametrize(
    "line",
    [
        {"logger": "root", "message": "the job failed; it is retried in 300 s", "deleted": ["id-0"]},
        {"logger": "sqs", "message": "it is retried in inf s", "deleted": 5},
        {"logger": "sqs", "message": "it is retried in a while", "deleted": None},
        {"message": "it is retried in 300 s", "deleted": "id-0"},
    ],
)
def test_log_line_of_handle_is_not_taken_for_one_of_the_template(line: dict[str, Any]) -> None:
    log = [{**line, MESSAGE_ID: "id-0"}]
    assert (retries_in(log), deleted_in(log)) == ({}, set())


def test_words_of_an_arranged_retry_are_those_that_the_poller_reads(caplog: pytest.LogCaptureFixture) -> None:
    def handle(number: int) -> None:
        raise ValueError

    with model() as sqs:
        sqs.send(["1"])
        sqs.invoke(batch_handler(int, handle))
    lines = [{**vars(line), "logger": line.name, "message": line.getMessage()} for line in caplog.records]
    assert any(SAID_WHEN in line["message"] for line in lines)
    assert all(seconds > 0 for seconds in retries_in(lines).values())
    assert retries_in(lines)


def test_reason_of_a_failure_is_shown_with_its_message(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = event(["1", "x"])
    batch_handler(int, lambda number: None)(batch, None)
    lines = [{**vars(line), "logger": line.name, "message": line.getMessage()} for line in caplog.records]
    done = Batch(MAPPING, batch["Records"], Invocation(response="{}", log=lines), {"id-1"}, None)

    screen.Screen(plain=True).batch(done)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert printed == [
        "done id-0 1",
        "failed id-1 x",
        "receive 1 of 5: JSON is malformed: invalid character (byte 0) - at `$`; it is retried",
    ]


def shown(capsys: pytest.CaptureFixture[str], *log: dict[str, object]) -> list[str]:
    """Return the lines below the heading for a batch with this log."""
    done = Batch(MAPPING, event(["1"])["Records"], Invocation(response="{}", log=list(log)), set(), None)
    screen.Screen(plain=True).batch(done)
    return capsys.readouterr().out.splitlines()[1:]


DUPLICATE = {
    "logger": "sqs",
    "message": "Message id-1 is a duplicate: its key is done",
    "messageId": "id-1",
    "receiveCount": 2,
    "cause": "duplicate",
}
TWIN = {
    "logger": "sqs",
    "message": "Message id-2 failed at receive 1: InProgress: its key is claimed; it is retried in 5 s",
    "messageId": "id-2",
    "receiveCount": 1,
    "cause": "failedToHandle",
}


def test_duplicate_is_known_by_the_cause_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        log_duplicate(event("1")["Records"][0], "function#key")
    assert vars(caplog.records[0])[outcomes.CAUSE] == outcomes.DUPLICATE


def test_duplicate_is_an_outcome_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    done = Batch(MAPPING, event("123")["Records"], Invocation("{}", log=[DUPLICATE, TWIN]), {"id-2"}, None)
    screen.Screen(plain=True).batch(done)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "    done    id-0  1",
        "    dup     id-1  2",
        "    failed  id-2  3",
        "            receive 1 of 5: InProgress: its key is claimed; it is retried in 5 s",
    ]
    assert [line.style for line in screen.outcomes(done)] == ["green", "cyan", "red", "red"]


def test_message_that_is_done_but_not_remembered_is_done(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    log_forgotten(event("1")["Records"][0], TimeoutError("no answer"))
    (line,) = ({**vars(each), "logger": each.name, "message": each.getMessage()} for each in caplog.records)
    assert shown(capsys, line) == ["    done    id-0  1"]


def test_duplicate_goes_back_with_a_batch_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    ended = "the process ended with exit status 1"
    records, invocation = event("12")["Records"], Invocation(error=ended, log=[DUPLICATE])
    times = {"id-0": time.time() + 60.3, "id-1": time.time() - 1}
    screen.Screen(plain=True).batch(Batch(MAPPING, records, invocation, set(times), ended, retry_at=times))
    assert capsys.readouterr().out.splitlines()[2:] == [
        "    back    id-0  1",
        "            receive 1 of 5: it returns in 60 s",
        "    back    id-1  2",
        "            receive 1 of 5: it returns in 0 s",
    ]


@pytest.mark.parametrize(("is_fifo", "expected"), [(False, [90, 60, 60]), (True, [90, 90, 60])])
def test_message_that_follows_another_in_its_group_does_not_return_earlier(is_fifo: bool, expected: list[int]) -> None:
    queue = replace(QUEUE, arn=f"{QUEUE.arn}.fifo") if is_fifo else QUEUE
    poller = Poller(Aws("http://127.0.0.1"), replace(MAPPING, queue=queue), report=lambda batch: None)
    records = event("123")["Records"]
    for each, group in zip(records, "aab", strict=True):
        each["attributes"]["MessageGroupId"] = group
    suspect = {
        "logger": "sqs",
        "message": "If message id-0 ends the process, it is retried in 90 s",
        MESSAGE_ID: "id-0",
    }
    begun = time.time()
    retry_at, _, _ = poller._retries(records, Invocation(log=[suspect]), begun)
    assert [round(retry_at[f"id-{place}"] - begun) for place in range(3)] == expected


def test_poller_keeps_the_retry_of_a_twin_and_knows_that_a_duplicate_has_none() -> None:
    poller = Poller(Aws("http://127.0.0.1"), MAPPING, report=lambda batch: None, retry_after=60)
    records = event("123")["Records"]
    retry_at, _, to_hide = poller._retries(records, Invocation(log=[DUPLICATE, TWIN]), begun=0)
    assert [record["messageId"] for record in to_hide] == ["id-0", "id-1"]
    assert 50 < retry_at["id-0"] - retry_at["id-2"] < 60


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"message": "m", "stackTrace": ["a"]}, "    ['a']"),
        ({"message": "m", "stackTrace": None}, "    m"),
        ({"message": ":smile: [bold]x[/bold]"}, "    :smile: [bold]x[/bold]"),
        ({"message": "clear\x1b[2J \ud800 注\u3000文"}, "    clear\\u001b[2J \\ud800 注\u3000文"),
        ({"message": "two\n\tlines\n"}, "    two\n        lines"),
    ],
)
def test_odd_log_line_is_shown(capsys: pytest.CaptureFixture[str], line: dict[str, object], text: str) -> None:
    assert shown(capsys, line) == [*text.splitlines(), "    done    id-0  1"]


def test_odd_id_in_the_log_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, {"logger": "sqs", "messageId": ["id-0"], "cause": "c", "message": "x: y"}) == [
        "    done    id-0  1"
    ]


def test_error_of_the_screen_is_shown_instead_of_the_batch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "short", None)
    done = Batch(MAPPING, event(["1"])["Records"], Invocation(response="{}"), set(), None)
    screen.Screen(plain=True).batch(done)
    assert capsys.readouterr().out == "cannot show a batch: TypeError: 'NoneType' object is not callable\n"


@pytest.mark.parametrize("is_live", [True, False])
def test_only_a_terminal_cuts_lines(is_live: bool) -> None:
    narrow = screen.Screen(plain=True)
    narrow.console = Console(file=StringIO(), width=20)
    narrow.is_live = is_live
    narrow.print(screen.Line("注文" * 20, cut=True), screen.Line("whole " * 9))
    assert isinstance(narrow.console.file, StringIO)
    cut, whole = narrow.console.file.getvalue().splitlines()
    assert (cell_len(cut) <= 20, cut.endswith("…")) == (is_live, is_live)
    assert whole == "whole " * 9


def test_status_of_several_queues_fits_into_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws("http://127.0.0.1")
    monkeypatch.setattr(aws, "depth", lambda url: (7, 3))
    live = screen.Screen(plain=True)
    live.is_live = True
    live.console = Console(file=StringIO(), width=80)
    name = "local-InvoicesOfAllCustomersInEuropeQueue-PF6KCCU5NY8W"
    long = replace(MAPPING, queue=replace(QUEUE, arn=f"{QUEUE.arn}-{name}"))
    live.queues(aws.depths([MAPPING, long]))
    live.console.print(live.status.renderable)
    assert isinstance(live.console.file, StringIO)
    first, second = live.console.file.getvalue().splitlines()
    assert first.strip().endswith("q: 7 waiting, 3 in flight, 10 dead letters")
    assert second.strip().endswith("…: 7 waiting, 3 in flight, 10 dead letters")


def test_command_of_the_aws_cli_avoids_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)

    def command() -> str:
        return screen.send_command("http://127.0.0.1:5", ToQueue("q"), "app.handler", Path())

    assert "proxy" not in command()
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    assert " no_proxy=127.0.0.1 aws sqs " in command()
