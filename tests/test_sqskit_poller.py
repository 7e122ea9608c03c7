"""The event source mapping of the local stack: batches, the response contract, crashes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqskit import poller
from sqskit.aws import Aws, EmbeddedAws
from sqskit.mapping import EventSourceMapping, Queue
from sqskit.outcomes import outcomes_of
from sqskit.poller import Batch, Poller
from sqskit.send import send
from sqskit.testing import wait_until

from tests.support.projects import TEMPLATE, Bake
from tests.support.records import record

pytestmark = pytest.mark.slow

# All functions of these tests begin with this. Their messages are numbers.
PRELUDE = f"""
import json
import os
import sys
import time
from pathlib import Path

sys.path.append({str(TEMPLATE / "lambdas")!r})

from sqs import batch_handler

def first_time():
    known = Path("known").exists()
    Path("known").touch()
    return not known

"""


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def mapping(aws: EmbeddedAws, bake: Bake) -> EventSourceMapping:
    """Deploy a generated project, and return its event source mapping."""
    return aws.deploy(bake().path / "template.yaml")[0]


def to_function(
    code: str, mapping: EventSourceMapping, aws: Aws, folder: Path, fifo: bool = False
) -> EventSourceMapping:
    """Return the same mapping, from a queue of its own to a function with this code."""
    name = f"{folder.name}{'.fifo' if fifo else ''}"
    attributes = {"FifoQueue": "true"} if fifo else {}
    url = aws.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = f"{mapping.queue.arn.rpartition(':')[0]}:{name}"
    (folder / "app.py").write_text(PRELUDE + code, "utf-8")
    return replace(
        mapping,
        queue=Queue(url, arn, 30, None, None),
        # Without the queue in its environment, lambdas/sqs leaves the retries to the poller.
        function=replace(mapping.function, folder=folder, handler="app.handler", timeout=2, environment={}),
        batch_size=10,
        window=0,
    )


def send_all(aws: Aws, queue: Queue, *bodies: str, group: str = "a") -> None:
    for body in bodies:
        send(aws, queue, body, group)


@contextmanager
def polling(aws: Aws, mapping: EventSourceMapping, retry_after: int = 0) -> Iterator[list[Batch]]:
    """Poll the queue, and yield the list to which each batch is added."""
    batches: list[Batch] = []
    thread = Poller(aws, mapping, batches.append, retry_after)
    thread.start()
    try:
        yield batches
    finally:
        thread.stop()


def done(batches: list[Batch]) -> list[str]:
    """Return the bodies of the messages that succeeded, once for each time."""
    return [record["body"] for batch in batches for record in batch.records if record["messageId"] not in batch.failed]


def test_broken_message_becomes_a_dead_letter_and_the_others_are_done_once(
    aws: Aws, mapping: EventSourceMapping
) -> None:
    queue = mapping.queue
    send_all(aws, queue, '{"orderId": "1"}', "broken, ünïcödé", '{"orderId": "2"}')
    with polling(aws, mapping) as batches:
        wait_until(lambda: aws.depth(str(queue.dead_letter_url)) == (1, 0))
    assert aws.depth(queue.url) == (0, 0)
    assert sorted(done(batches)) == ["broken, ünïcödé", '{"orderId": "1"}', '{"orderId": "2"}']
    assert not any(batch.failed for batch in batches)
    dead_letters = aws.client("sqs").receive_message(QueueUrl=queue.dead_letter_url)["Messages"]
    assert [letter["Body"] for letter in dead_letters] == ["broken, ünïcödé"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("os._exit(3)", "the process ended with exit status 3"),
        ("__import__('ctypes').string_at(0)", "the process was ended by SIGSEGV"),
        ("time.sleep(60)", "timed out after 2 seconds"),
        ("raise LookupError('gone')", "LookupError: gone"),
    ],
)
def test_function_that_crashes_loses_no_message(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path, fault: str, error: str
) -> None:
    code = f"def handler(event, context):\n    if first_time():\n        {fault}\n"
    crashing = to_function(code, mapping, aws, tmp_path)
    send_all(aws, crashing.queue, "1", "2", "3")
    with polling(aws, crashing) as batches:
        wait_until(lambda: len(done(batches)) == 3)
    assert aws.depth(crashing.queue.url) == (0, 0)
    assert [batch.error for batch in batches if batch.error] == [error]


def test_message_group_keeps_its_order_around_a_failure(aws: Aws, mapping: EventSourceMapping, tmp_path: Path) -> None:
    code = (
        "def handle(number):\n"
        "    with open('handled', 'a') as handled:\n"
        "        print(number, file=handled)\n"
        "    if number == 2 and first_time():\n"
        "        raise ValueError('not yet')\n"
        "handler = batch_handler(int, handle)\n"
    )
    fifo = to_function(code, mapping, aws, tmp_path, fifo=True)
    send_all(aws, fifo.queue, "1", "2", "3", "4", group="a")
    send_all(aws, fifo.queue, "11", "12", group="b")
    with polling(aws, fifo) as batches:
        wait_until(lambda: len(done(batches)) == 6)
    handled = [int(line) for line in (tmp_path / "handled").read_text("utf-8").split()]
    assert [number for number in handled if number < 10] == [1, 2, 2, 3, 4]
    assert [number for number in handled if number > 10] == [11, 12]


def test_error_of_a_poller_is_kept_for_its_owner(aws: Aws, mapping: EventSourceMapping, tmp_path: Path) -> None:
    accept = to_function("def handler(event, context): pass\n", mapping, aws, tmp_path)
    send_all(aws, accept.queue, "1")

    def report(batch: Batch) -> None:
        raise OSError("the disk is full")

    thread = Poller(aws, accept, report)
    thread.start()
    wait_until(lambda: thread.error)
    thread.stop()
    assert str(thread.error) == "the disk is full"


def test_batches_are_as_large_as_size_and_window_allow(aws: Aws, mapping: EventSourceMapping, tmp_path: Path) -> None:
    accept = to_function("def handler(event, context): pass\n", mapping, aws, tmp_path)
    send_all(aws, accept.queue, *map(str, range(30)))
    with polling(aws, replace(accept, batch_size=25, window=1)) as batches:
        wait_until(lambda: len(done(batches)) == 30)
    assert [len(batch.records) for batch in batches] == [25, 5]


def test_logged_and_printed_lines_stay_in_order(aws: Aws, mapping: EventSourceMapping, tmp_path: Path) -> None:
    code = (
        "import logging\n"
        "print('imported')\n"
        "def handler(event, context):\n"
        "    print('first', end='')\n"
        "    print()\n"
        "    logging.info('second', extra={'messageId': 'mine'})\n"
        "    print('third', end='')\n"
    )
    talking = to_function(code, mapping, aws, tmp_path)
    send_all(aws, talking.queue, "1")
    with polling(aws, talking) as batches:
        wait_until(lambda: batches)
    messages = [line["message"] for line in batches[0].invocation.log]
    assert messages == ["imported", "first", "second", "third"]


def test_edited_code_is_used_for_the_next_batch(aws: Aws, mapping: EventSourceMapping, tmp_path: Path) -> None:
    edited = to_function("def handler(event, context): x\n", mapping, aws, tmp_path)
    with polling(aws, edited) as batches:
        send_all(aws, edited.queue, "1")
        wait_until(lambda: batches)
        (tmp_path / ".#app.py").symlink_to("nowhere")  # a lock of Emacs
        (tmp_path / "app.py").write_text("def handler(event, context): pass\n", "utf-8")
        wait_until(lambda: done(batches) == ["1"])
    assert batches[0].error == "NameError: name 'x' is not defined"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        ("{'batchItemFailures': []}", None),
        ("{'batchItemFailures': None}", None),
        ("{}", None),
        ("None", None),
        ("{'batchItemFailures': [{'itemIdentifier': first}]}", "first"),
        ("{'batchItemFailures': [{'itemIdentifier': ''}]}", "has no itemIdentifier"),
        ("{'batchItemFailures': [{'itemIdentifier': None}]}", "has no itemIdentifier"),
        ("{'batchItemFailures': [{'itemIdentifier': [first]}]}", "has no itemIdentifier"),
        ("{'batchItemFailures': [{'itemIdentifer': first}]}", "has no itemIdentifier"),
        ("{'batchItemFailures': [{'itemIdentifier': 'x'}]}", "x is not the id of a message"),
        ("{'batchItemFailures': {'itemIdentifier': first}}", "is not a list"),
        ("'done'", "is not an object"),
        ("{1, 2}", "not JSON serializable"),
    ],
)
def test_response_is_obeyed_to_the_letter(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path, response: str, error: str | None
) -> None:
    code = f"def handler(event, context):\n    first = event['Records'][0]['messageId']\n    return {response}\n"
    answering = to_function(code, mapping, aws, tmp_path)
    send_all(aws, answering.queue, "1", "2")
    with polling(aws, answering, retry_after=60) as batches:
        wait_until(lambda: batches)
    (batch,) = batches
    ids = {record["messageId"] for record in batch.records}
    if error is None:
        assert (batch.failed, batch.error) == (set(), None)
    elif error == "first":
        assert (batch.failed, batch.error) == ({batch.records[0]["messageId"]}, None)
    else:
        assert batch.failed == ids
        assert error in str(batch.error)
    assert aws.depth(answering.queue.url) == (0, len(batch.failed))


def test_messages_done_before_one_that_ends_the_process_are_shown_as_done(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path
) -> None:
    code = """
def handle(number: int) -> None:
    if number == 2 and not first_time():
        os._exit(1)
    if number < 4 and not Path(f"failed-{number}").exists():
        Path(f"failed-{number}").touch()
        raise ValueError("no")

handler = batch_handler(int, handle, backoff=Backoff(first=1, factor=1))
"""
    queue = to_function(
        PRELUDE.replace("import batch_handler", "import Backoff, batch_handler") + code, mapping, aws, tmp_path
    )
    queue.function.environment["QUEUE_URL"] = queue.queue.url
    send_all(aws, queue.queue, "1", "2", "3")
    with polling(aws, queue, retry_after=1) as batches:
        wait_until(lambda: any(batch.error for batch in batches))
    (batch,) = (batch for batch in batches if batch.error)
    outcomes = {outcome.record["body"]: outcome.kind for outcome in outcomes_of(batch)}
    retried = {each["body"] for each in batch.records if each["messageId"] in batch.retry_at}
    assert outcomes["2"] == "returned"
    assert outcomes["1"] == "done"
    assert retried == {body for body, kind in outcomes.items() if kind == "returned"}


def test_response_is_ignored_if_the_mapping_reports_no_failures(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path
) -> None:
    code = "def handler(event, context): return 'done'\n"
    silent = replace(to_function(code, mapping, aws, tmp_path), reports_failures=False)
    send_all(aws, silent.queue, "1")
    with polling(aws, silent) as batches:
        wait_until(lambda: batches)
    assert (batches[0].failed, batches[0].error) == (set(), None)
    assert aws.depth(silent.queue.url) == (0, 0)


def test_event_has_everything_that_was_sent_with_a_message(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path
) -> None:
    code = "def handler(event, context):\n    Path('event').write_text(json.dumps(event))\n"
    writing = to_function(code, mapping, aws, tmp_path)
    aws.client("sqs").send_message(
        QueueUrl=writing.queue.url,
        MessageBody="1",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "a"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    with polling(aws, writing) as batches:
        wait_until(lambda: batches)
    (written,) = json.loads((tmp_path / "event").read_text("utf-8"))["Records"]
    assert record("1").keys() <= written.keys()
    assert written["eventSourceARN"] == writing.queue.arn
    assert written["attributes"]["ApproximateReceiveCount"] == "1"
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    assert written["messageAttributes"] == {
        "text": {**lists, "dataType": "String", "stringValue": "a"},
        "bytes": {**lists, "dataType": "Binary", "binaryValue": "AAE="},
    }


def test_batch_too_large_for_an_invocation_is_cut_short(
    aws: Aws, mapping: EventSourceMapping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "LARGEST_PAYLOAD", 10_000)
    accept = to_function("def handler(event, context): pass\n", mapping, aws, tmp_path)
    send_all(aws, accept.queue, *("x" * 1000 for _ in range(10)))
    with polling(aws, replace(accept, window=1)) as batches:
        wait_until(lambda: len(done(batches)) == 10)
    sizes = [len(json.dumps({"Records": batch.records})) for batch in batches]
    assert len(sizes) == 2
    assert 8000 < sizes[0] <= 10_000
