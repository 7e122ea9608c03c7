"""Records of sqs.idempotency read by Powertools, and the other way round."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from sqs import batch_handler
from sqs.idempotency import Once

from tests.support.claims import TABLE, items, make_table
from tests.support.clock import RealContext
from tests.support.projects import ROOT
from tests.support.records import event, failed_ids

Message = dict[str, Any]

PREFIX = "orders.__main__.handle"  # by default, the names of the function and of `handle` with its module

KEYS: list[tuple[Message, str, Callable[[Message], object]]] = [
    ({"id": "a-1"}, "id", lambda message: message["id"]),
    ({"id": 17}, "id", lambda message: message["id"]),
    ({"id": "größer ☃ 😀"}, "id", lambda message: message["id"]),
    ({"id": "x", "line": 3}, "[id, line]", lambda message: (message["id"], message["line"])),
    ({"id": "x", "line": None}, "[id, line]", lambda message: [message["id"], message["line"]]),
]


class Powertools:
    """Powertools in another process, with the same table."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, command: str, message: Message, key: str, seconds: float = 60) -> str:
        assert self.process.stdin
        assert self.process.stdout
        call = {"command": command, "message": message, "key": key, "seconds": seconds}
        print(json.dumps(call), file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def powertools(endpoint: str) -> Iterator[Powertools]:
    command = [sys.executable, "-m", "tests.support.powertools_peer", TABLE]
    variables = os.environ | {"AWS_ENDPOINT_URL": endpoint, "AWS_LAMBDA_FUNCTION_NAME": "orders"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield Powertools(process)
        process.kill()


@pytest.fixture
def shared_table(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty table that Powertools reads, too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("IDEMPOTENCY_TABLE", TABLE)
    client = boto3.client("dynamodb")
    make_table(client)
    yield client
    client.delete_table(TableName=TABLE)


class Function:
    """A function that handles each key once, and what it has handled."""

    def __init__(
        self,
        key: Callable[[Message], object] = lambda message: message["id"],
        act: Callable[[Message], object] = lambda message: None,
    ) -> None:
        self.handled: list[Message] = []
        self.act = act
        self.handler = batch_handler(dict, Once(self.handle, key, prefix=PREFIX))

    def handle(self, message: Message) -> None:
        self.act(message)
        self.handled.append(message)

    def deliver(self, message: Message, seconds: float = 60) -> list[str]:
        return failed_ids(self.handler(event([json.dumps(message)]), RealContext(seconds)))


def killed(message: Message) -> None:
    raise SystemExit


@pytest.mark.parametrize(("message", "path", "key"), KEYS)
def test_powertools_and_a_function_know_what_the_other_has_done(
    powertools: Powertools, shared_table: Any, message: Message, path: str, key: Callable[[Message], object]
) -> None:
    function = Function(key)

    assert powertools("handle", message, path) == "handled"
    (theirs,) = items(shared_table)
    assert function.deliver(message) == []
    assert function.handled == []
    shared_table.delete_item(TableName=TABLE, Key={"id": theirs["id"]})

    assert function.deliver(message) == []
    assert function.handled == [message]
    (ours,) = items(shared_table)
    assert powertools("handle", message, path) == "duplicate"

    assert ours["id"] == theirs["id"]
    assert ours["status"] == theirs["status"] == {"S": "COMPLETED"}
    assert ours.keys() == theirs.keys() - {"data"}  # nothing that handle returns is kept
    assert [list(value) for value in ours.values()] == [list(theirs[name]) for name in ours]
    in_progress = [int(item["in_progress_expiration"]["N"]) / 1000 for item in (ours, theirs)]
    assert in_progress == pytest.approx([time.time() + 60] * 2, abs=10)


def test_powertools_waits_for_a_claim_and_takes_it_when_it_has_ended(powertools: Powertools, shared_table: Any) -> None:
    message = {"id": "a"}
    found = []
    function = Function(act=lambda message: found.append(powertools("handle", message, "id")))
    assert function.deliver(message) == []
    assert found == ["in progress"]

    function.act = killed
    with pytest.raises(SystemExit):
        function.deliver({"id": "b"}, 0.05 + 1)
    assert powertools("handle", {"id": "b"}, "id") == "in progress"
    time.sleep(1.1)
    assert powertools("handle", {"id": "b"}, "id") == "handled"


def test_function_waits_for_a_claim_of_powertools_and_takes_it_when_it_has_ended(
    powertools: Powertools, shared_table: Any
) -> None:
    function = Function()
    assert powertools("claim", {"id": "a"}, "id", 0.5) == "claimed"
    assert function.deliver({"id": "a"}) == ["id-0"]
    time.sleep(0.6)
    assert function.deliver({"id": "a"}) == []
    assert function.handled == [{"id": "a"}]
