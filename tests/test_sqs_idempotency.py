"""sqs.idempotency: what is claimed, what is remembered, and what a duplicate is."""

import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import botocore.exceptions
import msgspec
import pytest
from shared.delivery import Delivery, Reject, RetryLater
from sqs import batch_handler
from sqs.idempotency import Once

from tests.support.claims import (
    CALLS,
    CLAIM,
    COMPLETE,
    RELEASE,
    TABLE,
    Queues,
    clear,
    hook,
    items,
    named,
    queues_of_function,
    table_in_moto,
    without_threads,
)
from tests.support.clock import Clock, ClockedContext, RealContext, clocked
from tests.support.projects import ROOT
from tests.support.records import event, failed_ids

Message = dict[str, Any]
Log = pytest.LogCaptureFixture

DAY = 86400


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with table_in_moto() as client:
        yield client


@pytest.fixture
def table(client: Any) -> Iterator[Any]:
    """The table of the function, which is empty, by a client for it."""
    clear(client)
    with named(client):
        yield client


@pytest.fixture
def queues() -> Iterator[Queues]:
    with queues_of_function() as queues:
        yield queues


@pytest.fixture
def clock() -> Iterator[Clock]:
    with clocked() as clock, without_threads():
        yield clock


@pytest.fixture(params=[False, True], ids=["def", "async def"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Function:
    """A function that handles each key once, and what it has handled."""

    def __init__(
        self,
        asynchronous: bool = False,
        act: Callable[[Message], object] = lambda message: None,
        key: Callable[[Message], object] = lambda message: message["id"],
        **options: Any,
    ) -> None:
        self.handled: list[Any] = []
        self.act = act

        def handle(message: Message) -> None:
            self.act(message)
            self.handled.append(message["id"])

        async def handle_async(message: Message) -> None:
            handle(message)

        self.once = Once[Message](handle_async if asynchronous else handle, key, **options)
        self.handler = batch_handler(dict, self.once)

    def run(self, *ids: object, context: Any = None, **options: Any) -> list[str]:
        """Process a batch of messages with these ids, and return the ids of the records that go back."""
        bodies = [json.dumps({"id": id_}) for id_ in ids]
        return failed_ids(self.handler(event(bodies, **options), context))


def fails(message: Message) -> None:
    raise ValueError("no")


def rejects(message: Message) -> None:
    raise Reject("never")


def later(message: Message) -> None:
    raise RetryLater(60)


def killed(message: Message) -> None:
    raise SystemExit


def counts(caplog: Log) -> dict[str, Any]:
    """Return the fields of the last summary."""
    lines = [vars(line) for line in caplog.records if hasattr(line, "received")]
    return {name: lines[-1][name] for name in lines[-1] if name in COUNTS}


COUNTS = ("received", "succeeded", "failedToHandle", "inProgress", "retried", "rejected", "duplicates")


def set_status(table: Any, value: str) -> None:
    """Change the status of the only key, as another process would."""
    table.update_item(
        TableName=TABLE,
        Key={"id": items(table)[0]["id"]},
        UpdateExpression="SET #status = :value",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":value": {"S": value}},
    )


def status(table: Any) -> list[str]:
    return [item["status"]["S"] for item in items(table)]


# --- keys ----------------------------------------------------------------------------------------


def test_prefix_is_the_name_of_the_lambda_function(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders-prod")
    Function().run("a")
    assert items(table)[0]["id"]["S"].startswith("orders-prod#")


@pytest.mark.parametrize("key", [None, "", (None, ""), [None], ()])
def test_message_without_a_key_is_handled_without_a_claim(table: Any, asynchronous: bool, key: object) -> None:
    function = Function(asynchronous, key=lambda message: key)
    assert function.run("a", "a") == []
    assert function.handled == ["a", "a"]
    assert items(table) == []


def test_key_can_be_anything_that_msgspec_encodes() -> None:
    once = Once[Any](lambda message: None, lambda message: message)
    number = UUID("12345678123456781234567812345678")
    assert once.id_of(number) == once.id_of(str(number))
    assert once.id_of(0)
    assert once.id_of(False) != once.id_of(0)
    assert once.id_of((1, None)) != once.id_of((None, 1))


def test_key_of_a_set_is_the_same_in_every_process() -> None:
    code = "from sqs.idempotency import Once; print(Once(print, lambda key: set(key)).id_of('abcdefgh'))"
    lambdas = str(ROOT / "{{cookiecutter.project_slug}}" / "lambdas")
    ids = {
        subprocess.check_output(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": lambdas}
        )
        for seed in "123"
    }
    assert len(ids) == 1


def test_key_function_that_raises_fails_its_message_alone(table: Any, asynchronous: bool, caplog: Log) -> None:
    function = Function(asynchronous, key=lambda message: {"a": 1}[message["id"]])
    assert function.run("a", "b") == ["id-1"]
    assert "KeyError: 'b'" in caplog.text
    assert status(table) == ["COMPLETED"]


def test_body_that_cannot_be_parsed_claims_nothing(table: Any, asynchronous: bool) -> None:
    assert failed_ids(Function(asynchronous).handler(event(["{"]), None)) == ["id-0"]
    assert items(table) == []


def test_function_without_its_table_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    with pytest.raises(RuntimeError, match="IDEMPOTENCY_TABLE is not set"):
        Once(fails, str)


def test_test_without_a_table_handles_every_message(asynchronous: bool) -> None:
    function = Function(asynchronous)
    assert function.run("a", "a") == []
    assert function.handled == ["a", "a"]


# --- how long a record counts --------------------------------------------------------------------


def test_claim_ends_with_the_invocation(table: Any, clock: Clock, asynchronous: bool) -> None:
    seen = []
    function = Function(asynchronous, lambda message: seen.extend(items(table)))
    function.run("a", context=ClockedContext(clock, 50))
    (claim,) = seen
    assert claim["status"] == {"S": "INPROGRESS"}
    assert int(claim["in_progress_expiration"]["N"]) == 1000 * (clock.time() + 50)
    assert int(claim["expiration"]["N"]) == clock.time() + 30 * DAY


def test_claim_without_a_deadline_ends_with_the_longest_invocation(table: Any, clock: Clock) -> None:
    seen = []
    Function(act=lambda message: seen.extend(items(table))).run("a")
    assert int(seen[0]["in_progress_expiration"]["N"]) == 1000 * (clock.time() + 900)


def test_claim_of_a_killed_process_is_free_after_its_deadline(table: Any, clock: Clock, asynchronous: bool) -> None:
    function = Function(asynchronous, killed)
    with pytest.raises(SystemExit):
        function.run("a", context=ClockedContext(clock, 50))
    function.act = lambda message: None
    clock.now += 49
    assert function.run("a", context=ClockedContext(clock, 50)) == ["id-0"]
    clock.now += 1.1
    assert function.run("a", context=ClockedContext(clock, 50)) == []
    assert function.handled == ["a"]


@pytest.mark.parametrize("days", [30, 2])
def test_done_key_is_forgotten_after_its_days_although_dynamodb_still_has_it(
    table: Any, clock: Clock, asynchronous: bool, days: int
) -> None:
    function = Function(asynchronous, days=days)
    function.run("a")
    clock.now += days * DAY - 1
    assert function.run("a") == []
    assert function.handled == ["a"]
    clock.now += 3
    assert function.run("a") == []
    assert function.handled == ["a", "a"]


def test_days_are_counted_from_the_end_of_handle(table: Any, clock: Clock) -> None:
    def act(message: Message) -> None:
        clock.now += 100

    Function(act=act).run("a")
    assert int(items(table)[0]["expiration"]["N"]) == clock.time() + 30 * DAY


# --- duplicates ----------------------------------------------------------------------------------


def test_duplicate_is_done_without_being_handled(table: Any, asynchronous: bool, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    function = Function(asynchronous)
    assert function.run("a") == []
    assert function.run("a", "b") == []
    assert function.handled == ["a", "b"]
    assert counts(caplog) == dict(zip(COUNTS, (2, 1, 0, 0, 0, 0, 1), strict=True))
    assert "Message id-0 is a duplicate: its key is done" in caplog.text
    assert "1 of 2 messages succeeded; duplicates: 1" in caplog.text


def test_twin_in_the_same_batch_is_done_if_they_are_handled_in_order(table: Any, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    function = Function()
    assert function.run("a", "a", "b", "a") == []
    assert function.handled == ["a", "b"]
    assert counts(caplog)["duplicates"] == 2


def test_twin_in_the_same_batch_is_retried_shortly_if_both_are_handled_at_once(table: Any, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    started, done = [], []

    async def handle(message: Message) -> None:
        started.append(message["id"])
        await asyncio.sleep(0.2)
        done.append(message["id"])

    handler = batch_handler(dict, Once[Message](handle, lambda message: message["id"]))
    batch = event([json.dumps({"id": id_}) for id_ in "aab"])
    assert len(failed_ids(handler(batch, None))) == 1
    assert sorted(started) == sorted(done) == ["a", "b"]
    assert counts(caplog) == dict(zip(COUNTS, (3, 2, 0, 1, 1, 0, 0), strict=True))
    assert failed_ids(handler(batch, None)) == []
    assert len(done) == 2


def test_twin_of_a_message_that_fails_in_the_same_batch_is_handled_with_it_later(table: Any) -> None:
    function = Function(act=fails)
    assert function.run("a", "a") == ["id-0", "id-1"]
    function.act = lambda message: None
    assert function.run("a", "a") == []
    assert function.handled == ["a"]


@pytest.mark.parametrize(("received", "longest"), [(1, 5), (2, 10), (3, 20), (6, 41)])
def test_twin_waits_at_most_until_the_claim_ends(
    table: Any, clock: Clock, asynchronous: bool, caplog: Log, received: int, longest: int
) -> None:
    with pytest.raises(SystemExit):
        Function(act=killed).run("a", context=ClockedContext(clock, 40))
    caplog.clear()
    function = Function(asynchronous)
    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sqs.queue.Calls.hide", lambda calls, waiting: waits.extend(wait for _, wait in waiting))
        assert function.run("a", received=[received], context=ClockedContext(clock, 99)) == ["id-0"]
    (wait,) = waits
    assert 0.8 * min(longest, 51) - 1 <= wait <= longest
    (line,) = (line for line in caplog.records if hasattr(line, "cause"))
    assert (vars(line)["cause"], line.levelname, line.exc_info) == ("inProgress", "WARNING", None)


def test_claim_of_powertools_without_an_end_is_waited_for(table: Any, clock: Clock, asynchronous: bool) -> None:
    function = Function(asynchronous)
    id_ = {"S": function.once.id_of({"id": "a"})}
    expiration = {"N": str(int(clock.time()) + 3600)}
    table.put_item(TableName=TABLE, Item={"id": id_, "status": {"S": "INPROGRESS"}, "expiration": expiration})
    assert function.run("a") == ["id-0"]
    clock.now += 3601
    assert function.run("a") == []
    assert function.handled == ["a"]


def test_handler_without_claims_logs_no_counts_of_them(caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    batch_handler(int, lambda number: None)(event(["1"]), None)
    assert {"inProgress", "duplicates"}.isdisjoint(counts(caplog))
    assert "received" in counts(caplog)


def test_two_processes_that_start_together_handle_a_key_once(table: Any) -> None:
    handled = []
    meeting = threading.Barrier(8)

    def handle(message: Message) -> None:
        handled.append(message["id"])
        time.sleep(0.1)

    def process() -> None:
        handler = batch_handler(dict, Once[Message](handle, lambda message: message["id"]))
        meeting.wait()
        handler(event(['{"id": "a"}']), None)

    threads = [threading.Thread(target=process) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handled == ["a"]


def test_handle_with_a_delivery_gets_it(table: Any) -> None:
    seen = []

    def handle(message: Message, delivery: Delivery) -> None:
        seen.append(delivery.message_id)

    batch_handler(dict, Once[Message](handle, lambda message: message["id"]))(event(['{"id": 1}', '{"id": 1}']), None)
    assert seen == ["id-0"]


# --- message groups ------------------------------------------------------------------------------


def test_duplicate_does_not_hold_its_group_back(table: Any, asynchronous: bool) -> None:
    function = Function(asynchronous)
    function.run(1)
    assert function.run(1, 2, 1, 3, groups="aaaa", fifo=True) == []
    assert function.handled == [1, 2, 3]


def test_group_waits_for_a_twin_in_progress(table: Any, asynchronous: bool, caplog: Log) -> None:
    caplog.set_level(logging.INFO)
    found = []

    def act(message: Message) -> None:
        function = Function(asynchronous)
        thread = threading.Thread(
            target=lambda: found.append((function.run(1, 2, 3, 4, groups="aaba", fifo=True), function.handled))
        )
        thread.start()
        thread.join()

    Function(act=act).run(1)
    assert found == [(["id-0", "id-1", "id-3"], [3])]


# --- messages that do not succeed ----------------------------------------------------------------


@pytest.mark.parametrize("act", [fails, later])
def test_key_of_a_message_that_is_retried_is_released(table: Any, asynchronous: bool, act: Any) -> None:
    function = Function(asynchronous, act)
    assert function.run("a") == ["id-0"]
    assert items(table) == []
    function.act = lambda message: None
    assert function.run("a") == []
    assert function.handled == ["a"]


def test_key_is_released_before_its_message_can_be_delivered_again(
    table: Any, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    function = Function(asynchronous, fails)
    hook(function.once, after=calls.append)
    monkeypatch.setattr("sqs.queue.Calls.hide", lambda self, waits: calls.append("hide") if waits else None)
    assert function.run("a") == ["id-0"]
    assert calls == [CLAIM, RELEASE, "hide"]


def test_release_leaves_the_claim_of_another_process_alone(table: Any, clock: Clock, asynchronous: bool) -> None:
    def act(message: Message) -> None:
        # The clock of this process is late, and another one has taken the key over.
        table.update_item(
            TableName=TABLE,
            Key={"id": items(table)[0]["id"]},
            UpdateExpression="SET in_progress_expiration = :other",
            ExpressionAttributeValues={":other": {"N": "1900000000000"}},
        )
        fails(message)

    assert Function(asynchronous, act).run("a", context=ClockedContext(clock, 20)) == ["id-0"]
    assert status(table) == ["INPROGRESS"]


def test_release_leaves_a_done_key_alone(table: Any, asynchronous: bool) -> None:
    def act(message: Message) -> None:
        set_status(table, "COMPLETED")
        fails(message)

    assert Function(asynchronous, act).run("a") == ["id-0"]
    assert status(table) == ["COMPLETED"]


def test_rejected_message_is_not_handled_again_until_it_is_sent_back(
    table: Any, queues: Queues, asynchronous: bool, caplog: Log
) -> None:
    caplog.set_level(logging.INFO)
    calls = []

    def act(message: Message) -> None:
        calls.append(message)
        rejects(message)

    function = Function(asynchronous, act)
    queues.send('{"id": "a"}')
    assert queues.deliver(function.handler) == []
    assert "rejected" in items(table)[0]
    assert status(table) == ["COMPLETED"]

    queues.send('{"id": "a"}')  # the producer's duplicate
    assert queues.deliver(function.handler) == []
    assert len(calls) == 1
    assert counts(caplog)["duplicates"] == 1

    assert queues.redrive() == 1
    assert queues.deliver(function.handler) == []
    assert len(calls) == 2
    assert queues.redrive() == 1  # it was rejected again
    function.act = lambda message: None
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]
    assert "rejected" not in items(table)[0]

    queues.send('{"id": "a"}', {"originalMessageId": {"DataType": "String", "StringValue": "old"}})
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]  # it was done, not rejected


def test_corrected_message_is_handled_after_one_with_its_key_was_rejected(
    table: Any, queues: Queues, asynchronous: bool
) -> None:
    function = Function(asynchronous, rejects)
    queues.send('{"id": "a", "total": "ten"}')
    assert queues.deliver(function.handler) == []
    function.act = lambda message: None
    queues.send('{"id": "a", "total": 10}')
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]


def test_late_rejection_does_not_mark_a_key_that_another_process_has_done(
    table: Any, queues: Queues, asynchronous: bool
) -> None:
    def before(name: str) -> None:
        if name == COMPLETE:
            set_status(table, "COMPLETED")

    function = Function(asynchronous, rejects)
    hook(function.once, before)
    queues.send('{"id": "a"}')
    assert queues.deliver(function.handler) == []
    assert status(table) == ["COMPLETED"]
    assert "rejected" not in items(table)[0]


def test_key_is_kept_only_after_the_dead_letter_has_arrived(table: Any, queues: Queues, asynchronous: bool) -> None:
    queues.client.delete_queue(QueueUrl=queues.dead_letter_url)
    function = Function(asynchronous, rejects)
    queues.send('{"id": "a"}')
    assert queues.deliver(function.handler) == ['{"id": "a"}']
    assert items(table) == []
    function.act = lambda message: None
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]


def test_rejected_message_without_room_for_its_attribute_is_handled_when_it_is_sent_back(
    table: Any, queues: Queues, asynchronous: bool
) -> None:
    function = Function(asynchronous, rejects)
    queues.send('{"id": "a"}', {f"n{n}": {"DataType": "String", "StringValue": "x"} for n in range(10)})
    assert queues.deliver(function.handler) == []
    assert items(table) == []
    assert queues.redrive() == 1
    function.act = lambda message: None
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]


def test_message_rejected_without_a_dead_letter_queue_is_retried(table: Any, asynchronous: bool) -> None:
    assert Function(asynchronous, rejects).run("a") == ["id-0"]
    assert items(table) == []


def test_message_that_fails_at_its_last_receive_is_handled_when_it_is_sent_back(
    table: Any, queues: Queues, asynchronous: bool
) -> None:
    function = Function(asynchronous, fails)
    queues.send('{"id": "a"}')
    assert [queues.deliver(function.handler) for _ in range(3)] == [['{"id": "a"}'], ['{"id": "a"}'], []]
    assert items(table) == []
    assert queues.redrive() == 1
    function.act = lambda message: None
    assert queues.deliver(function.handler) == []
    assert function.handled == ["a"]


def test_twin_in_progress_at_its_last_receive_becomes_a_dead_letter(
    table: Any, queues: Queues, asynchronous: bool
) -> None:
    with pytest.raises(SystemExit):
        Function(act=killed).run("a", context=RealContext(60))
    function = Function(asynchronous)
    queues.send('{"id": "a"}')
    for _ in range(3):
        queues.deliver(function.handler)
    assert queues.redrive() == 1
    assert function.handled == []
    assert status(table) == ["INPROGRESS"]


# --- the table out of reach ----------------------------------------------------------------------


def client_error(code: str) -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "PutItem")


def name_of(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__


FAULTS = [
    botocore.exceptions.EndpointConnectionError(endpoint_url="https://dynamodb"),
    botocore.exceptions.ConnectTimeoutError(endpoint_url="https://dynamodb"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="https://dynamodb"),
    client_error("ProvisionedThroughputExceededException"),
    client_error("AccessDeniedException"),
    client_error("ResourceNotFoundException"),
]


def breaks(function: Function, call: str, error: Exception, calls: list[str] | None = None) -> None:
    """Let a call to the table raise an error."""

    def before(name: str) -> None:
        if calls is not None:
            calls.append(name)
        if name == call:
            raise error

    hook(function.once, before)


def harmless_lines(caplog: Log) -> list[str]:
    """Return what is logged about messages, which must be warnings without a traceback."""
    lines = [line for line in caplog.records if line.name == "sqs" and line.levelno > logging.INFO]
    assert all(line.levelname == "WARNING" and not line.exc_info for line in lines)
    return [line.getMessage() for line in lines]


@pytest.mark.parametrize("error", FAULTS, ids=name_of)
def test_message_whose_key_cannot_be_claimed_returns_with_a_warning(
    table: Any, asynchronous: bool, caplog: Log, error: Exception
) -> None:
    function = Function(asynchronous)
    breaks(function, CLAIM, error)
    assert sorted(function.run("a", "b")) == ["id-0", "id-1"]
    assert function.handled == []
    lines = harmless_lines(caplog)
    assert len(lines) == 2
    assert all("NotClaimed: its key could not be claimed; caused by" in line for line in lines)
    hook(function.once)
    assert function.run("a", "b") == []
    assert sorted(function.handled) == ["a", "b"]


@pytest.mark.parametrize("error", FAULTS, ids=name_of)
def test_message_whose_key_cannot_be_remembered_is_done(
    table: Any, clock: Clock, asynchronous: bool, caplog: Log, error: Exception
) -> None:
    function = Function(asynchronous)
    breaks(function, COMPLETE, error)
    assert function.run("a", context=ClockedContext(clock, 20)) == []
    (line,) = harmless_lines(caplog)
    assert line.startswith("Message id-0 is done, but a duplicate of it would be handled too: ")
    assert function.run("a", context=ClockedContext(clock, 20)) == ["id-0"]  # until the claim ends
    assert function.handled == ["a"]


@pytest.mark.parametrize("error", FAULTS, ids=name_of)
def test_key_that_cannot_be_released_is_free_after_the_deadline(
    table: Any, clock: Clock, asynchronous: bool, error: Exception
) -> None:
    function = Function(asynchronous, fails)
    breaks(function, RELEASE, error)
    assert function.run("a", context=ClockedContext(clock, 20)) == ["id-0"]
    function.act = lambda message: None
    assert function.run("a", context=ClockedContext(clock, 20)) == ["id-0"]
    clock.now += 20.1
    assert function.run("a", context=ClockedContext(clock, 20)) == []
    assert function.handled == ["a"]


def test_missing_table_and_refused_connection_are_survived(
    client: Any, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "missing")
    assert Function().run("a") == ["id-0"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert Function().run("a") == ["id-0"]
    missing, refused = harmless_lines(caplog)
    assert "ResourceNotFoundException" in missing
    assert "EndpointConnectionError" in refused


@pytest.mark.parametrize("error", FAULTS[:3], ids=name_of)
def test_dead_network_is_asked_once_not_once_for_each_message(table: Any, asynchronous: bool, error: Exception) -> None:
    calls: list[str] = []
    function = Function(asynchronous)
    breaks(function, CLAIM, error, calls)
    with without_threads():
        assert len(function.run(*range(30))) == 30
    assert calls == [CLAIM]


def test_throttled_table_is_asked_for_each_message(table: Any, asynchronous: bool) -> None:
    calls: list[str] = []
    function = Function(asynchronous)
    breaks(function, CLAIM, FAULTS[3], calls)
    assert len(function.run(*range(3))) == 3
    assert calls == [CLAIM] * 3


def test_network_that_dies_is_not_asked_to_release_each_message(table: Any, asynchronous: bool) -> None:
    calls: list[str] = []
    function = Function(asynchronous, fails)

    def before(name: str) -> None:
        calls.append(name)
        if name == RELEASE:
            time.sleep(0.1)
            raise FAULTS[2]

    hook(function.once, before)
    assert len(function.run(*range(40))) == 40
    assert calls.count(RELEASE) <= 10


@pytest.mark.parametrize("call", CALLS)
def test_call_that_hangs_is_abandoned_in_time(table: Any, asynchronous: bool, call: str) -> None:
    function = Function(asynchronous, fails if call == RELEASE else lambda message: None)
    end = threading.Event()
    hook(function.once, lambda name: name != call or end.wait(5))
    context = RealContext(1.25)
    try:
        returned = function.run(call, context=context)  # the call may end after this test
    finally:
        end.set()
    assert returned == ([] if call == COMPLETE else ["id-0"])
    assert function.handled == ([call] if call == COMPLETE else [])
    assert context.get_remaining_time_in_millis() > 100


def test_message_claimed_too_late_is_not_handled(table: Any, clock: Clock, asynchronous: bool) -> None:
    function = Function(asynchronous)

    def after(name: str) -> None:
        clock.now += 9.6

    hook(function.once, after=after)
    assert function.run("a", context=ClockedContext(clock, 10)) == ["id-0"]
    assert function.handled == []


def test_no_call_is_made_without_time(table: Any, clock: Clock, asynchronous: bool) -> None:
    calls: list[str] = []
    function = Function(asynchronous)
    hook(function.once, calls.append)
    assert function.run("a", context=ClockedContext(clock, 0.9)) == ["id-0"]
    assert calls == []


# --- async def -----------------------------------------------------------------------------------


def asynchronous_handler(handle: Any) -> tuple[Once[Message], Any]:
    once = Once[Message](handle, lambda message: message["id"])
    return once, batch_handler(dict, once)


def test_slow_calls_do_not_block_the_event_loop_and_a_hundred_are_handled_at_once(table: Any) -> None:
    ticks: list[float] = []
    meeting = asyncio.Barrier(100)
    handled = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def handle(message: Message) -> None:
        if message["id"] == 0:
            ticker.append(asyncio.create_task(tick()))
        await meeting.wait()  # goes on when all hundred are claimed
        handled.append(message["id"])

    ticker: list[asyncio.Task[None]] = []
    once, handler = asynchronous_handler(handle)
    hook(once, lambda name: time.sleep(0.1))
    begin = time.monotonic()
    assert failed_ids(handler(event([json.dumps({"id": n}) for n in range(100)]), RealContext(30))) == []
    assert time.monotonic() - begin < 2 * 100 * 0.1 / 4  # one after the other, they would take 20 s
    assert sorted(handled) == list(range(100))
    gaps = [after - before for before, after in itertools.pairwise(ticks)]
    assert len(ticks) > 30
    assert max(gaps) < 0.5
    assert sorted(gaps)[len(gaps) * 3 // 4] < 0.08
    assert status(table) == ["COMPLETED"] * 100


def test_message_cancelled_during_its_claim_returns_without_being_handled(table: Any) -> None:
    function = Function(asynchronous=True)
    hook(function.once, lambda name: time.sleep(0.4))
    context = RealContext(1.2)
    assert function.run("a", context=context) == ["id-0"]
    assert context.get_remaining_time_in_millis() > 300
    time.sleep(0.5)  # the late claim arrives
    assert function.handled == []


def test_message_cancelled_during_handle_returns_and_is_handled_after_the_deadline(table: Any) -> None:
    handled = []

    async def handle(message: Message) -> None:
        await asyncio.sleep(message["seconds"])
        handled.append(message["id"])

    _, handler = asynchronous_handler(handle)
    assert failed_ids(handler(event(['{"id": "a", "seconds": 9}']), RealContext(1.2))) == ["id-0"]
    assert status(table) == ["INPROGRESS"]
    assert failed_ids(handler(event(['{"id": "a", "seconds": 0}']), RealContext(9))) == ["id-0"]
    time.sleep(1.1)
    assert failed_ids(handler(event(['{"id": "a", "seconds": 0}']), RealContext(9))) == []
    assert handled == ["a"]


@pytest.mark.parametrize("seconds", [0.4, 9], ids=["in time", "hanging"])
def test_message_whose_handle_has_finished_is_done_if_the_time_ends_during_completion(
    table: Any, seconds: float, caplog: Log
) -> None:
    function = Function(asynchronous=True)
    end = threading.Event()
    hook(function.once, lambda name: name != COMPLETE or end.wait(seconds))
    context = RealContext(1.25)
    assert function.run(seconds, context=context) == []  # the call may end after this test
    assert context.get_remaining_time_in_millis() > 100
    assert function.handled == [seconds]
    assert "ignored" not in caplog.text
    assert status(table) == (["COMPLETED"] if seconds < 1 else ["INPROGRESS"])
    end.set()


def test_message_that_finishes_after_its_cancellation_is_done(table: Any, caplog: Log) -> None:
    handled: list[str] = []

    async def handle(message: Message) -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            handled.append(message["id"])

    once, handler = asynchronous_handler(handle)
    hook(once, lambda name: time.sleep(name == COMPLETE))
    assert failed_ids(handler(event(['{"id": "a"}']), RealContext(1.2))) == []
    assert handled == ["a"]


def test_message_that_cancels_its_own_task_is_remembered(table: Any) -> None:
    async def handle(message: Message) -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()

    _, handler = asynchronous_handler(handle)
    assert failed_ids(handler(event(['{"id": "a"}']), None)) == []
    time.sleep(0.2)
    assert status(table) == ["COMPLETED"]


def test_key_of_a_struct_and_of_several_fields(table: Any) -> None:
    class Order(msgspec.Struct, rename="camel"):
        order_id: UUID
        line: int

    handled: list[Order] = []
    once = Once[Order](handled.append, lambda order: (order.order_id, order.line))
    handler = batch_handler(Order, once)
    bodies = [f'{{"orderId": "12345678-1234-5678-1234-56781234567{n}", "line": {n // 2}}}' for n in (1, 1, 2, 3)]
    assert failed_ids(handler(event(bodies), None)) == []
    assert len(handled) == 3
