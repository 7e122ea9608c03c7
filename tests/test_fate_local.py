"""The fate of messages on the local stack, with real processes: what kills or hangs one is alone in it."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqskit.aws import EmbeddedAws
from sqskit.dead_letter_queue import MOVED_BY_SQS, DeadLetter, DeadLetterQueue
from sqskit.dead_letters import send_all_back
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Poller
from sqskit.testing import wait_until

from tests.support.projects import Bake, Project

pytestmark = pytest.mark.slow

HANDLE = """
def handle(message: NewMessage, delivery: Delivery) -> None:
    with open({log!r}, "a") as log:
        log.write(message.order_id + chr(10))
    if message.order_id.startswith("kills"):
        os._exit(1)
    if message.order_id.startswith("hangs"):
        time.sleep(60)
    if message.order_id.startswith("fails"):
        raise TimeoutError
    if message.order_id.startswith("later"):
        raise RetryLater(1, "not yet " * 20)
    if message.order_id.startswith("rejects"):
        raise Reject("unknown tenant")
"""

# An entry point that accepts every body.
FIXED = """
def handler(event, context):
    for record in event["Records"]:
        with open({log!r}, "a") as log:
            print(ascii(record["body"]), file=log)
"""


def prepared(project: Project, folder: Path) -> Project:
    """Copy a project, with a short timeout, a fast backoff, and a `handle` that notes what it is called with."""
    project = project.copied(folder)
    module = project.path / "lambdas/shared/new_message.py"
    head = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    imports = "import os\nimport time\n\nfrom shared.delivery import Delivery, Reject, RetryLater\n"
    module.write_text(imports + head + HANDLE.format(log=str(folder / "handled")), "utf-8")
    app = project.path / "lambdas/new_message_processor/app.py"
    source = app.read_text("utf-8").replace("import batch_handler", "import Backoff, batch_handler")
    app.write_text(source.replace("handle)", "handle, backoff=Backoff(first=1, factor=1))"), "utf-8")
    template = project.path / "template.yaml"
    text = template.read_text("utf-8").replace("Timeout: 10", "Timeout: 2")
    template.write_text(text.replace("VisibilityTimeout: 60", "VisibilityTimeout: 3"), "utf-8")
    return project


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    return prepared(bake(), tmp_path)


class Stack:
    """The stack of a project while it runs."""

    def __init__(self, aws: EmbeddedAws, mapping: EventSourceMapping) -> None:
        self.aws = aws
        self.queue = mapping.queue
        self.dead_letters = DeadLetterQueue(aws.client("sqs"), str(mapping.queue.dead_letter_url))

    def finished(self) -> dict[str, DeadLetter]:
        """Wait until the queue is empty, and return the dead letters by their bodies."""
        wait_until(lambda: self.aws.depth(self.queue.url) == (0, 0))
        with self.dead_letters as queue:
            return {letter.body: letter for letter in queue.letters()}


@contextmanager
def played(project: Project, bodies: list[str], **attributes: Any) -> Iterator[Stack]:
    """Send messages to the stack, each in a group of its own if it has groups."""
    with EmbeddedAws() as aws:
        (mapping,) = aws.deploy(project.path / "template.yaml")
        for body in bodies:
            fifo = {"MessageGroupId": str(uuid.uuid4()), "MessageDeduplicationId": str(uuid.uuid4())}
            aws.client("sqs").send_message(
                QueueUrl=mapping.queue.url,
                MessageBody=body,
                MessageAttributes=attributes,
                **(fifo if mapping.queue.is_fifo else {}),
            )
        poller = Poller(aws, mapping, report=lambda batch: None)
        poller.prepare()
        poller.start()
        try:
            yield Stack(aws, mapping)
        finally:
            poller.stop()


def order(order_id: str) -> str:
    return json.dumps({"orderId": order_id})


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(["kills"], id="one kills"),
        pytest.param(["hangs"], id="one hangs", marks=pytest.mark.wide),
        pytest.param(["kills-1", "kills-2"], id="two kill", marks=pytest.mark.wide),
    ],
)
def test_only_killers_become_dead_letters(project: Project, bad: list[str], tmp_path: Path, patience: None) -> None:
    good = [f"good-{n}" for n in range(10 - len(bad))]
    with played(project, [order(each) for each in [*good[:4], *bad, *good[4:]]]) as stack:
        dead = stack.finished()
    assert {body: letter.reason for body, letter in dead.items()} == {order(each): MOVED_BY_SQS for each in bad}
    handled = Counter((tmp_path / "handled").read_text().split())
    assert set(handled) == {*good, *bad}
    assert all(handled[each] <= 1 + len(bad) for each in good)


@pytest.mark.wide
@pytest.mark.parametrize("queue_type", ["standard", "fifo"])
def test_every_dead_letter_is_as_it_was_sent_and_succeeds_later(
    bake: Bake, queue_type: str, tmp_path: Path, patience: None
) -> None:
    project = prepared(bake(queue_type=queue_type), tmp_path)
    attributes = {
        "tenant": {"DataType": "String.name", "StringValue": "Zoë \U0001f600"},
        "n": {"DataType": "Number", "StringValue": "7"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    reasons = {
        ' {"orderId": "fails"}\r\n': "TimeoutError",
        '{"orderId": "later", "more": "\\ud83d\\ude00 \U0001f600 \u2028"}': f"RetryLater: {'not yet ' * 20}",
        '{"orderId": "rejects"}\t': "Reject: unknown tenant",
        '{"orderId": 1}': "CannotDeserialize: Expected `str`, got `int` - at `$.orderId`",
        '{"orderId": "caf\u00e9': "CannotDeserialize: Input data was truncated - at `$`",
        '{"orderId":  "kills"}': MOVED_BY_SQS,
    }
    with played(project, list(reasons), **attributes) as stack:
        dead = stack.finished()
        assert {body: letter.reason for body, letter in dead.items()} == reasons
        for letter in dead.values():
            assert {name: letter.attributes[name] for name in attributes} == attributes
            assert letter.added("originalMessageId") != letter.own_id

        app = project.path / "lambdas/new_message_processor/app.py"
        app.write_text(FIXED.format(log=str(tmp_path / "fixed")), "utf-8")
        assert send_all_back(stack.dead_letters) == len(reasons)
        assert stack.finished() == {}
    assert Counter((tmp_path / "fixed").read_text("utf-8").splitlines()) == Counter(map(ascii, reasons))


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for up to a minute: a killer is tried five times, and hidden for some seconds each time."""
    monkeypatch.setattr("sqskit.testing.SECONDS_TO_WAIT", 60)
