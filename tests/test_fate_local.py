"""The fate of messages on the local stack, with real processes: what kills or hangs one is alone in it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqskit.aws import EmbeddedAws
from sqskit.poller import Poller
from sqskit.send import send
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
    if message.order_id.startswith("rejects"):
        raise Reject("unknown tenant")
"""


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    """Return a project with a short timeout and a fast backoff, whose `handle` notes what it is called with."""
    project = bake().copied(tmp_path)
    module = project.path / "lambdas/shared/new_message.py"
    head = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    imports = "import os\nimport time\n\nfrom shared.delivery import Delivery, Reject\n"
    module.write_text(imports + head + HANDLE.format(log=str(tmp_path / "handled")), "utf-8")
    app = project.path / "lambdas/new_message_processor/app.py"
    source = app.read_text("utf-8").replace("import batch_handler", "import Backoff, batch_handler")
    app.write_text(source.replace("handle)", "handle, backoff=Backoff(first=1, factor=1))"), "utf-8")
    template = project.path / "template.yaml"
    text = template.read_text("utf-8").replace("Timeout: 10", "Timeout: 2")
    template.write_text(text.replace("VisibilityTimeout: 60", "VisibilityTimeout: 3"), "utf-8")
    return project


@contextmanager
def played(project: Project, orders: list[str]) -> Iterator[Callable[[], dict[str, dict[str, str]]]]:
    """Send orders to the stack, and yield a function that returns the dead letters when all is over."""
    with EmbeddedAws() as aws:
        (mapping,) = aws.deploy(project.path / "template.yaml")
        for order in orders:
            send(aws, mapping.queue, json.dumps({"orderId": order}))
        poller = Poller(aws, mapping, report=lambda batch: None)
        poller.prepare()
        poller.start()

        def dead() -> dict[str, dict[str, str]]:
            wait_until(lambda: aws.depth(mapping.queue.url) == (0, 0))
            found: dict[str, dict[str, str]] = {}
            sqs = aws.client("sqs")
            while messages := sqs.receive_message(
                QueueUrl=mapping.queue.dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            ).get("Messages"):
                for message in messages:
                    reason = {name: each["StringValue"] for name, each in message.get("MessageAttributes", {}).items()}
                    found[json.loads(message["Body"])["orderId"]] = reason
            return found

        try:
            yield dead
        finally:
            poller.stop()


@pytest.mark.parametrize("bad", [["kills"], ["hangs"], ["kills-1", "kills-2"]], ids=" ".join)
def test_only_killers_become_dead_letters(project: Project, bad: list[str], tmp_path: Path, patience: None) -> None:
    good = [f"good-{n}" for n in range(10 - len(bad))]
    with played(project, [*good[:4], *bad, *good[4:]]) as dead:
        assert dead() == {each: {} for each in bad}
    handled = Counter((tmp_path / "handled").read_text().split())
    assert set(handled) == {*good, *bad}
    assert all(handled[each] <= 1 + len(bad) for each in good)


def test_dead_letters_say_why(project: Project, patience: None) -> None:
    with played(project, ["good", "fails", "rejects"]) as dead:
        found = dead()
    assert set(found) == {"fails", "rejects"}
    assert found["fails"]["errorType"] == found["fails"]["errorMessage"] == "TimeoutError"
    assert (found["fails"]["receiveCount"], found["rejects"]["receiveCount"]) == ("5", "1")
    assert found["rejects"]["errorMessage"] == "unknown tenant"


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for up to a minute: a killer is tried five times, and hidden for some seconds each time."""
    monkeypatch.setattr("sqskit.testing.SECONDS_TO_WAIT", 60)
