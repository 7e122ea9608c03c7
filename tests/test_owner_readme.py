"""The README of a generated project, followed: each of its commands does what it says, on what stands in for AWS."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from local.template import transformed
from moto.cloudformation.parsing import get_model_map
from moto.core.responses import ActionResult
from moto.sqs.responses import SQSResponse

from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.cases import ORDER
from tests.support.projects import Bake, Project, posix, run
from tests.support.running import running, running_local

pytestmark = posix

REGION = "il-central-1"  # where the AWS CLI 1 heeds AWS_ENDPOINT_URL for SQS; in older regions it does not

# The commands of the README, by what is to be expected of them. Those on AWS are in their order.
RUN_LOCALLY = ["make local", 'make local ARGS="--retry-after 2"']
ON_THIS_MACHINE = ["make schema", "make test", "make lint", "make build", "sam validate"]
ON_AWS = ["make send", "make logs", "make dead-letters", "make redrive", "make destroy"]
REFUSED_WITHOUT_AWS = [
    "sam build && sam deploy",
    "sam deploy --parameter-overrides AlarmEmail=team@example.com MaximumConcurrency=50",
]

WITHOUT_INTEGRATION = "--ignore=tests/integration"  # these tests run elsewhere

ANSWERS: dict[str, dict[str, str]] = {
    "defaults": {},
    "odd": {
        "project_name": "Zoë's `orders`",
        "message_name": "OrderPlaced",
        "message_fields": ORDER,
        "queue_type": "fifo",
        "batch_size": "3",
        "sam_builder": "pip",
        "ci": "none",
    },
}


@pytest.fixture(scope="module", params=ANSWERS)
def project(request: pytest.FixtureRequest, bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that a test may change."""
    baked = bake(runtime=RUNTIME, architecture=ARCHITECTURE, **ANSWERS[request.param])
    folder = tmp_path_factory.mktemp("owned") / baked.path.name
    shutil.copytree(baked.path, folder, ignore=shutil.ignore_patterns(".aws-sam", ".venv"))
    return Project(folder, baked.answers)


@pytest.fixture
def python(with_python: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return with_python(RUNTIME)


def blocks(project: Project, language: str) -> list[str]:
    readme = (project.path / "README.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)


def name_of(project: Project) -> str:
    return project.answers.get("message_name", "NewMessage")


def test_every_command_is_among_these(project: Project) -> None:
    *commands, recipe = sorted(blocks(project, "sh"), key=lambda block: block.startswith("copy"))
    known = [*RUN_LOCALLY, "make local-send", *ON_THIS_MACHINE, *ON_AWS, *REFUSED_WITHOUT_AWS]
    assert sorted(line for block in commands for line in block.splitlines()) == sorted(known)
    assert recipe.startswith("copy")


@pytest.mark.parametrize("command", ON_THIS_MACHINE)
def test_what_runs_on_this_machine(project: Project, python: dict[str, str], command: str) -> None:
    before = {path: path.read_bytes() for path in project.path.glob("schema/*.json")}
    project.run("bash", "-c", command, PYTEST_ADDOPTS=WITHOUT_INTEGRATION, **python)
    assert before == {path: path.read_bytes() for path in project.path.glob("schema/*.json")}


@pytest.mark.parametrize("command", RUN_LOCALLY)
def test_what_runs_the_stack(project: Project, python: dict[str, str], command: str) -> None:
    with running_local(project, "bash", "-c", f"exec {command}", **python) as running:
        project.run("make", "local-send", **python)
        outcomes = running.until("    (done|failed) ", times=2)
    assert sorted(line.split()[0] for line in outcomes) == ["done", "failed"]


@pytest.mark.parametrize("command", REFUSED_WITHOUT_AWS)
def test_what_is_refused_without_aws(
    project: Project, python: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "", "AWS_CONFIG_FILE": ""}
    done = run("bash", "-c", command, cwd=project.path, **python, **nowhere)
    assert done.returncode == 1
    assert done.stdout.endswith("Error: Unable to locate credentials\n")


# --- on AWS ------------------------------------------------------------------------------------


class Stack:
    """A project's stack as deployed, apart from what moto does not know."""

    def __init__(self, project: Project, endpoint: str) -> None:
        self.project = project
        self.environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}
        self.endpoint = endpoint
        template = transformed((project.path / "template.yaml").read_text("utf-8"))
        known = get_model_map()
        for name, resource in list(template["Resources"].items()):
            if resource["Type"] not in known or resource["Type"] == "AWS::Lambda::EventSourceMapping":
                del template["Resources"][name]
        del template["Outputs"]["DashboardUrl"]
        s3 = self.client("s3")
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="bucket", Key="code", Body=b"")
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=project.path.name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        (stack,) = cloudformation.describe_stacks(StackName=project.path.name)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def client(self, service: str) -> Any:
        return boto3.session.Session().client(service, REGION, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    def run(self, command: str, stdin: str = "") -> str:
        done = run(*command.split(), cwd=self.project.path, stdin=stdin, **self.environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def answer(self, command: str) -> Any:
        """What the AWS CLI says at the end of a command of the Makefile."""
        found = re.search(r"^\{.*^\}", self.run(command), re.MULTILINE | re.DOTALL)
        assert found
        return json.loads(found[0])

    def url(self, which: str) -> str:
        return str(self.outputs[f"{name_of(self.project)}{which}Url"])

    def bodies(self, which: str) -> list[Any]:
        """The messages in the "Queue" or the "DLQ", which stay there."""
        messages = self.client("sqs").receive_message(
            QueueUrl=self.url(which), VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


def start_message_move_task(request: SQSResponse) -> ActionResult:
    """As AWS has it, and moto not: all dead letters go back to the queue they came from."""
    arn = request._get_param("SourceArn")
    (dead_letters,) = (queue for queue in request.sqs_backend.queues.values() if queue.queue_arn == arn)
    (queue,) = request.sqs_backend.list_dead_letter_source_queues(dead_letters.name)
    for message in dead_letters._messages:
        queue.add_message(message)
    dead_letters._messages = []
    return ActionResult({"TaskHandle": "task"})


@pytest.fixture
def stack(project: Project, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setattr(SQSResponse, "start_message_move_task", start_message_move_task, raising=False)
    stack = Stack(project, endpoint)
    yield stack
    stack.client("cloudformation").delete_stack(StackName=project.path.name)


def test_what_is_done_on_aws(stack: Stack, project: Project) -> None:
    sample = json.loads(next((project.path / "messages").glob("*.json")).read_text("utf-8"))
    send, logs, dead_letters, redrive, destroy = ON_AWS

    stack.run(send)
    assert stack.bodies("Queue") == [sample]
    stack.client("sqs").purge_queue(QueueUrl=stack.url("Queue"))

    group = f"/aws/lambda/{stack.outputs[f'{name_of(project)}ProcessorFunctionName']}"
    client = stack.client("logs")
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="stream")
    client.put_log_events(
        logGroupName=group,
        logStreamName="stream",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": "3 of 3 messages succeeded"}],
    )
    with running(project, *logs.split(), **stack.environment) as tail:
        tail.until(".*3 of 3 messages succeeded")

    fifo = {"MessageGroupId": "a", "MessageDeduplicationId": "1"} if "fifo" in stack.url("DLQ") else {}
    stack.client("sqs").send_message(QueueUrl=stack.url("DLQ"), MessageBody='{"dead": "letter"}', **fifo)
    for _ in range(2):  # they are only looked at
        (shown,) = stack.answer(dead_letters)["Messages"]
        assert shown["Body"] == '{"dead": "letter"}'
        assert "ApproximateFirstReceiveTimestamp" in shown["Attributes"]

    stack.run(redrive)
    assert (stack.bodies("Queue"), stack.bodies("DLQ")) == ([{"dead": "letter"}], [])

    stack.run(destroy, stdin="y\ny\n")
    assert "QueueUrls" not in stack.client("sqs").list_queues(QueueNamePrefix=f"{project.path.name}-")


# --- a second processor ------------------------------------------------------------------------


def test_a_second_processor(project: Project, python: dict[str, str], endpoint: str, tmp_path: Path) -> None:
    second = Project(tmp_path / project.path.name, project.answers)
    shutil.copytree(project.path, second.path, ignore=shutil.ignore_patterns(".aws-sam"))
    (module,) = blocks(second, "python")
    path, _, source = module.removeprefix("# ").partition("\n")
    (second.path / path).parent.mkdir()
    (second.path / path).write_text(source, "utf-8")
    (recipe,) = (block for block in blocks(second, "sh") if block.startswith("copy"))
    second.run("bash", "-euo", "pipefail", "-c", recipe)

    second.run("make", "lint", **python)
    second.run("make", "test", PYTEST_ADDOPTS=WITHOUT_INTEGRATION, **python)
    built = second.run("make", "build", **python)
    (once,) = (line for line in built.splitlines() if line.startswith("Building codeuri: "))
    assert once.endswith(f" functions: AuditProcessorFunction, {name_of(project)}ProcessorFunction")

    with running_local(second, "make", "local", **python) as running:
        second.run("make", "local-send", **python)
        running.until("    (done|failed) ", times=4)
    shown = "".join(running.lines)
    for function in (f"{name_of(project)}ProcessorFunction", "AuditProcessorFunction"):
        assert f"1 message to {function}" in shown or f"2 messages to {function}" in shown

    stack = Stack(second, endpoint)
    stack.run("make send NAME=Audit")
    assert len(stack.client("sqs").receive_message(QueueUrl=stack.outputs["AuditQueueUrl"])["Messages"]) == 1
    assert stack.bodies("Queue") == []
