"""The commands about dead letters, against moto's server over HTTP."""

import io
import itertools
import json
import os
import re
import uuid
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.sqs.responses import SQSResponse
from sqskit import dead_letters
from sqskit.aws import Aws
from sqskit.dead_letter_queue import MOVED_BY_SQS, DeadLetterQueue
from sqskit.errors import UserError

from tests.support.projects import posix, run

pytestmark = pytest.mark.slow

REASON = {
    "errorType": {"DataType": "String", "StringValue": "LookupError"},
    "errorMessage": {"DataType": "String", "StringValue": "gone"},
    "originalMessageId": {"DataType": "String", "StringValue": "0123-original"},
    "receiveCount": {"DataType": "Number", "StringValue": "5"},
}


class Queues:
    """A queue, its dead-letter queue, and the commands as they work on AWS."""

    def __init__(self, endpoint: str, fifo: bool = False) -> None:
        self.sqs = Aws(endpoint).client("sqs")
        suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
        self.fifo = fifo
        name = uuid.uuid4()
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["All"])["Attributes"]["QueueArn"]
        policy = {"RedrivePolicy": f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 5}}'}
        self.source = self.sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes | policy)["QueueUrl"]

    def bury(self, body: str, attributes: dict[str, Any] | None = None) -> str:
        fifo = {"MessageGroupId": "a", "MessageDeduplicationId": str(uuid.uuid4())} if self.fifo else {}
        sent = self.sqs.send_message(
            QueueUrl=self.dead, MessageBody=body, MessageAttributes=REASON if attributes is None else attributes, **fifo
        )
        return str(sent["MessageId"])

    def queue(self) -> DeadLetterQueue:
        return DeadLetterQueue(self.sqs, self.dead)

    def received(self) -> list[dict[str, Any]]:
        """Return what is in the source queue."""
        received = self.sqs.receive_message(
            QueueUrl=self.source,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(received.get("Messages", []))

    def shown(self) -> list[str]:
        """Return what `dead-letters` prints."""
        with redirect_stdout(io.StringIO()) as printed:
            dead_letters.show([self.queue()])
        return printed.getvalue().splitlines()


def environment(folder: Path, stack: str) -> Path:
    """Make a stack the default environment, and return the path of its template."""
    (folder / "samconfig.toml").write_text(f'[default.global.parameters]\nstack_name = "{stack}"\n', "utf-8")
    return folder / "template.yaml"


@pytest.fixture
def queues(endpoint: str) -> Queues:
    return Queues(endpoint)


def test_every_dead_letter_is_listed_with_its_reason(queues: Queues) -> None:
    for n in range(25):
        queues.bury(f'{{\n  "n": {n}\n}}')
    for _ in range(2):  # they stay where they are
        *lines, count = queues.shown()
        assert count == f"25 dead letters in {queues.queue().name}"
        assert len(lines) == 3 * 25
        assert {lines[n].split()[0] for n in range(0, 75, 3)} == {"0123-original"}
        assert all(lines[n].endswith(" old, at receive 5") for n in range(0, 75, 3))
        assert set(lines[1::3]) == {"    LookupError: gone"}
        assert sorted(lines[2::3]) == sorted(f'    {{ "n": {n} }}' for n in range(25))


def test_reading_ends_although_dead_letters_arrive(queues: Queues) -> None:
    for n in range(13):
        queues.bury(str(n))
    read = list[str]()
    with queues.queue() as queue:
        for letter in itertools.islice(queue.letters(), 100):
            read.append(letter.body)
            queues.bury("more")
    assert {str(n) for n in range(13)} <= set(read)
    assert len(read) < 50


def test_empty_queue_is_listed(queues: Queues) -> None:
    assert queues.shown() == [f"0 dead letters in {queues.queue().name}"]


def test_dead_letter_that_sqs_moved_has_no_reason(queues: Queues) -> None:
    id_ = queues.bury("killer", {})
    first, reason, _, _ = queues.shown()
    assert (first.split()[0], reason) == (id_, f"    {MOVED_BY_SQS}")
    assert "receive" not in first


def test_dead_letters_of_another_reader_are_counted(queues: Queues) -> None:
    for n in range(5):
        queues.bury(str(n))
    queues.sqs.receive_message(QueueUrl=queues.dead, MaxNumberOfMessages=3, VisibilityTimeout=60)
    assert queues.shown()[-2:] == [
        f"2 dead letters in {queues.queue().name}",
        "3 more cannot be shown now: another reader has them",
    ]


def test_rest_of_a_message_group_is_counted(endpoint: str) -> None:
    fifo = Queues(endpoint, fifo=True)
    for n in range(12):
        fifo.bury(str(n))
    *_, count, rest = fifo.shown()
    assert count.startswith("10 dead letters in ")
    assert rest == "2 more cannot be shown now: another reader has them, or they follow others in their message groups"
    why = f"0123-originax can be read from {fifo.queue().name}; 2 more cannot be read now: another reader has them, or"
    with pytest.raises(UserError, match=why):
        dead_letters.send_back([fifo.queue()], "0123-originax")
    assert dead_letters.send_all_back(fifo.queue()) == 12
    assert [message["Body"] for message in fifo.received()] == [str(n) for n in range(10)]


def test_body_cannot_control_the_terminal(queues: Queues) -> None:
    queues.bury("a\u202eb \U0001f600 é\tc")
    *_, body, _ = queues.shown()
    assert body == "    a\\u202eb \U0001f600 é c"


@posix
def test_lines_are_cut_at_the_width_of_the_terminal(queues: Queues, endpoint: str, tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    queues.bury("漢" * 100)
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"WideDLQUrl": {"Value": queues.dead}}}
    Aws(endpoint).client("cloudformation").create_stack(StackName="wide", TemplateBody=json.dumps(template))
    terminal = pexpect.spawn(
        "sqskit",
        ["dead-letters", "--env", "default", "--name", "Wide"],
        cwd=str(environment(tmp_path, "wide").parent),
        env={**os.environ, "AWS_ENDPOINT_URL": endpoint, "TERM": "xterm", "COLUMNS": "50"},
        encoding="utf-8",
        timeout=30,
    )
    printed = terminal.read()
    assert f"    {'漢' * 22} …" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed)


def test_dead_letter_is_sent_back_as_it_was(queues: Queues, endpoint: str) -> None:
    mine = {
        "n": {"DataType": "Number.int", "StringValue": "7"},
        "b": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    body = ' {"a": "\u2028 \U0001f600"}\r\n\t'
    id_ = queues.bury(body, mine | REASON)
    dead_letters.send_back([queues.queue()], id_[:12])
    (message,) = queues.received()
    assert (message["Body"], message["MessageAttributes"]) == (body, mine | REASON)
    assert queues.queue().length() == 0


def test_fifo_dead_letter_goes_back_into_its_group(endpoint: str) -> None:
    fifo = Queues(endpoint, fifo=True)
    id_ = fifo.bury("1")
    dead_letters.send_back([fifo.queue()], id_)
    (message,) = fifo.received()
    assert message["Attributes"]["MessageGroupId"] == "a"
    assert message["Attributes"]["MessageDeduplicationId"] == id_


def test_dead_letter_that_fails_again_is_sent_back_once(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    queues.bury("fails")
    queue = queues.queue()
    send_back = queue.send_back

    def fail_again(letter: Any) -> None:
        send_back(letter)
        queues.bury("fails")

    monkeypatch.setattr(queue, "send_back", fail_again)
    assert dead_letters.send_all_back(queue) == 1
    assert queue.length() == 1


def test_ids_are_told_apart(queues: Queues) -> None:
    first, second = queues.bury("1"), queues.bury("2", {})
    queue = queues.queue()
    with dead_letters.searched([queue], "0123-ori") as (_, letter):
        assert letter.own_id == first
    with dead_letters.searched([queue], second) as (_, letter):
        assert letter.body == "2"
    with pytest.raises(UserError, match=f"no dead letter with the id x can be read from {queue.name}"):
        dead_letters.send_back([queue], "x")
    queues.bury("3")
    with pytest.raises(UserError, match=f"several dead letters have an id that begins with 0123: .*{first}"):
        dead_letters.send_back([queue], "0123")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("y", None),
        ("YES", None),
        ("", "nothing is deleted"),
        ("n", "nothing is deleted"),
        (None, "nobody has confirmed"),
    ],
)
def test_drop_asks_first(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, answer: str | None, error: str | None
) -> None:
    id_ = queues.bury("1")
    queues.bury("2")

    def input_(prompt: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", input_)
    if error:
        with pytest.raises(UserError, match=error):
            dead_letters.drop([queues.queue()], id_)
    else:
        dead_letters.drop([queues.queue()], id_)
    left = ["1", "2"] if error else ["2"]
    with queues.queue() as queue:
        assert sorted(letter.body for letter in queue.letters()) == left


@pytest.mark.parametrize(("env", "here"), [(None, "local-"), ("prod", "")])
def test_drop_without_an_id_says_how_to_name_one(tmp_path: Path, env: str | None, here: str) -> None:
    error = f"^name the dead letter to delete, as in make {here}drop ID=2cc1c1f5; make {here}dead-letters lists them$"
    with pytest.raises(UserError, match=error):
        dead_letters.run("drop", tmp_path / "template.yaml", env, "NewMessage", None)


Serve = Callable[..., None]


@pytest.fixture
def serve_move(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Let moto answer to the two actions that it does not have, with a status for each time it is asked."""
    monkeypatch.setattr(dead_letters, "SECONDS_TO_ASK", 0)

    def serve(*statuses: dict[str, Any]) -> None:
        following = itertools.chain(statuses)

        def start(request: SQSResponse) -> ActionResult:
            assert request._get_param("DestinationArn")
            return ActionResult({"TaskHandle": "task"})

        def list_(request: SQSResponse) -> ActionResult:
            return ActionResult({"Results": [next(following)]})

        monkeypatch.setattr(SQSResponse, "start_message_move_task", start, raising=False)
        monkeypatch.setattr(SQSResponse, "list_message_move_tasks", list_, raising=False)

    return serve


def test_move_is_awaited(queues: Queues, serve_move: Serve) -> None:
    queues.bury("1")
    serve_move({"Status": "RUNNING"}, {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1})
    assert dead_letters.move(queues.queue()) == 1


def test_move_that_fails_says_why(queues: Queues, serve_move: Serve) -> None:
    queues.bury("1")
    serve_move({"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"})
    with pytest.raises(UserError, match="FAILED, CouldNotDetermineMessageSource"):
        dead_letters.move(queues.queue())


def test_queue_that_no_queue_uses_cannot_send_back(queues: Queues) -> None:
    with pytest.raises(UserError, match=r"no queue uses .+ as its dead-letter queue"):
        DeadLetterQueue(queues.sqs, queues.source).source_url()


def test_errors_of_aws_are_one_line(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UserError, match=r"AWS says: .+ Stack with id gone does not exist"):
        dead_letters.run("dead-letters", environment(tmp_path, "gone"), "default", "Order", None)
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}
    Aws(endpoint).client("cloudformation").create_stack(StackName="other", TemplateBody=json.dumps(template))
    with pytest.raises(UserError, match="the stack other has no output OrderDLQUrl"):
        dead_letters.run("dead-letters", environment(tmp_path, "other"), "default", "Order", None)
    done = run("sqskit", "redrive", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "error: no local stack is running here; start it with `make local`\n")
