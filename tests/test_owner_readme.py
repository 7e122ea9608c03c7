"""The README of a generated project, followed: every command does what it says, on a stand-in for AWS."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.sqs.models import Queue
from moto.sqs.responses import SQSResponse
from sqskit import server
from sqskit.aws import Aws

from local_extensions.fields.names import snake_case
from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.cases import ORDER
from tests.support.projects import Bake, Project, posix, run
from tests.support.recipes import SECOND_PROCESSOR
from tests.support.running import running, running_local

pytestmark = [posix, pytest.mark.slow]

REGION = "il-central-1"  # in older regions, the AWS CLI 1 ignores AWS_ENDPOINT_URL for SQS

# The commands of the README, by what to expect of them. Those on AWS are in their order.
RUN_LOCALLY = ["make local", 'make local ARGS="--retry-after 2"']
IN_A_REPOSITORY = ["make contract-check"]
ON_THIS_MACHINE = ["make contract", "make test", "make lint", "make build", "sam validate"]
ADD_A_LIBRARY = ["uv add httpx", "make requirements"]
ON_AWS = ["make send", "make logs", "make dead-letters", "make redrive", "make pause", "make resume", "make destroy"]
REFUSED_WITHOUT_AWS = ["sam build && sam deploy", "make deploy ENV=prod"]

WITHOUT_LOCAL = "ARGS=-m 'not local'"

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
    """Return a project that a test may change."""
    baked = bake(runtime=RUNTIME, architecture=ARCHITECTURE, **ANSWERS[request.param])
    return baked.copied(tmp_path_factory.mktemp("owned"))


# For tests that take long: one project is enough, except in a wide run.
ONE_PROJECT = pytest.mark.parametrize(
    "project", ["defaults", pytest.param("odd", marks=pytest.mark.wide)], indirect=True
)


@pytest.fixture
def python(with_python: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return with_python(RUNTIME)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def name_of(project: Project) -> str:
    return project.answers.get("message_name", "NewMessage")


def module_of(project: Project) -> str:
    return snake_case(name_of(project))


def first_words(command: str) -> str:
    return command.partition("  #")[0].strip()


def test_every_command_is_tested_here(project: Project) -> None:
    overview, *rest = blocks((project.path / "README.md").read_text("utf-8"), "sh")
    assert [first_words(line) for line in overview.splitlines()] == [
        "make local",
        "make local-send",
        "make test",
        "make",
    ]
    tested = [*RUN_LOCALLY, "make local-send", *IN_A_REPOSITORY, *ON_THIS_MACHINE, *ADD_A_LIBRARY, *ON_AWS]
    tested += REFUSED_WITHOUT_AWS
    assert sorted(line for block in rest for line in block.splitlines()) == sorted(tested)


def test_make_lists_every_target(project: Project) -> None:
    listed = [line.split()[1] for line in project.run("make").splitlines()]
    targets = re.findall(r"^([a-z-]+):", (project.path / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert listed == [target for target in targets if target not in ("env", "uv")]


@pytest.mark.parametrize("command", ON_THIS_MACHINE)
def test_command_works_on_this_machine(project: Project, python: dict[str, str], command: str) -> None:
    before = {path: path.read_bytes() for path in project.path.glob("contract/*.json")}
    project.run("bash", "-c", command, **python)
    assert before == {path: path.read_bytes() for path in project.path.glob("contract/*.json")}


def test_settings_of_the_shell_do_not_matter(project: Project, python: dict[str, str], tmp_path: Path) -> None:
    for name in ("moto", "shared", "sqs", "sqskit"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    shell = {"PYTHONPATH": str(tmp_path), "PYTHONOPTIMIZE": "2", "AWS_CONFIG_FILE": str(tmp_path)}
    project.run("make", "test", WITHOUT_LOCAL, **python, **shell)


@pytest.mark.parametrize("command", RUN_LOCALLY)
def test_command_runs_the_stack(project: Project, python: dict[str, str], command: str) -> None:
    with running_local(project, "bash", "-c", f"exec {command}", **python) as running:
        project.run("make", "local-send", **python)
        outcomes = running.until("    (done|dead) ", times=2)
    assert sorted(line.split()[0] for line in outcomes) == ["dead", "done"]


@ONE_PROJECT
@pytest.mark.parametrize("command", REFUSED_WITHOUT_AWS)
def test_command_needs_an_aws_account(
    project: Project, python: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "", "AWS_CONFIG_FILE": ""}
    done = run("bash", "-c", command, cwd=project.path, **python, **nowhere)
    assert done.returncode != 0
    assert "Error: Unable to locate credentials\n" in done.stdout


@ONE_PROJECT
def test_library_is_added_to_the_tests_and_to_lambda(project: Project, python: dict[str, str], tmp_path: Path) -> None:
    project = project.copied(tmp_path)
    add, requirements = ADD_A_LIBRARY
    project.run(*add.split(), **python)
    done = run("make", "test", WITHOUT_LOCAL, cwd=project.path, **python)
    assert "run `make requirements`" in done.stdout
    project.run(*requirements.split(), **python)
    project.run("make", "test", WITHOUT_LOCAL, **python)
    pinned = (project.path / "lambdas" / "requirements.txt").read_text("utf-8")
    assert re.search(r"^httpx==", pinned, re.MULTILINE)
    assert re.search(r"^h11==", pinned, re.MULTILINE), "what httpx needs is pinned too"
    project.run("make", "build", **python)
    (artifact,) = (path for path in (project.path / ".aws-sam" / "build").iterdir() if path.is_dir())
    assert (artifact / "httpx").is_dir()


@ONE_PROJECT
def test_new_field_touches_the_class_the_example_and_nothing_else(
    project: Project, python: dict[str, str], tmp_path: Path
) -> None:
    project = project.copied(tmp_path)
    module = module_of(project)
    code, example = project.path / f"lambdas/shared/{module}.py", project.path / f"contract/{module}.json"
    source = code.read_text("utf-8")
    code.write_text(
        source.replace("\n\n\ndef handle(", "\n    added_later: int | None = None\n\n\ndef handle("), "utf-8"
    )
    example.write_text(json.dumps({**json.loads(example.read_text("utf-8")), "addedLater": 7}), "utf-8")

    stale = run("make", "test", WITHOUT_LOCAL, cwd=project.path, **python)
    assert "is stale: run `make contract`" in stale.stdout
    assert project.run("make", "contract", **python).count(" written\n") == 2
    project.run("make", "test", WITHOUT_LOCAL, **python)
    project.run("make", "lint", **python)
    assert '"addedLater"' in (project.path / f"contract/{module}.schema.json").read_text("utf-8")


@pytest.mark.parametrize("command", IN_A_REPOSITORY)
def test_command_compares_with_the_main_branch(
    project: Project, python: dict[str, str], tmp_path: Path, command: str
) -> None:
    project = project.copied(tmp_path)
    commit = "git -c user.name=A -c user.email=a@example.com commit --quiet --message=first"
    project.run("bash", "-euc", f"git init --quiet --initial-branch=main; git add contract; {commit}")
    assert " accepts every body that it accepted at main\n" in project.run("bash", "-c", command, **python)
    module = module_of(project)
    code, example = project.path / f"lambdas/shared/{module}.py", project.path / f"contract/{module}.json"
    first_field = rf'(class {name_of(project)}\(.+\):\n    """.+"""\n\n)'
    code.write_text(re.sub(first_field, r"\1    added_later: int\n", code.read_text("utf-8")), "utf-8")
    example.write_text(json.dumps({**json.loads(example.read_text("utf-8")), "addedLater": 7}), "utf-8")
    done = run("bash", "-c", command, cwd=project.path, **python)
    assert done.returncode != 0
    assert "$.addedLater: a new required field; give it a default, such as None\n" in done.stdout


# --- on AWS ------------------------------------------------------------------------------------


class Stack:
    """A project's stack as deployed, without the resources that moto does not know."""

    def __init__(self, project: Project, endpoint: str, name: str | None = None) -> None:
        self.project = project
        self.name = name or project.path.name
        self.environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}
        self.aws = Aws(endpoint, REGION)
        self.aws.create_stack((project.path / "template.yaml").read_text("utf-8"), self.name, {})
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def run(self, command: str, stdin: str = "") -> str:
        done = run(*command.split(), cwd=self.project.path, stdin=stdin, **self.environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def url(self, which: str) -> str:
        return str(self.outputs[f"{name_of(self.project)}{which}Url"])

    def mapping_states(self) -> list[str]:
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        queue = self.url("Queue").rpartition("/")[2]
        return [each["State"] for each in mappings if each["EventSourceArn"].endswith(f":{queue}")]

    def bodies(self, which: str) -> list[Any]:
        """Return the messages in the "Queue" or the "DLQ", which stay there."""
        messages = self.client("sqs").receive_message(
            QueueUrl=self.url(which), VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


def start_message_move_task(request: SQSResponse) -> ActionResult:
    """Send all dead letters back to the queue they came from, as AWS does; moto has no such action."""
    arn = request._get_param("SourceArn")
    assert request._get_param("DestinationArn"), "AWS needs it for messages that were sent to a dead-letter queue"
    (dead_letters,) = (queue for queue in request.sqs_backend.queues.values() if queue.queue_arn == arn)
    (queue,) = request.sqs_backend.list_dead_letter_source_queues(dead_letters.name)
    for message in dead_letters._messages:
        queue.add_message(message)
    dead_letters._messages = []
    return ActionResult({"TaskHandle": "task"})


def list_message_move_tasks(request: SQSResponse) -> ActionResult:
    """Say that a message was moved."""
    return ActionResult({"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1}]})


@pytest.fixture(autouse=True)
def no_mapping_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "add_message", server.add_message)


@pytest.fixture
def stack(project: Project, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setattr(SQSResponse, "start_message_move_task", start_message_move_task, raising=False)
    monkeypatch.setattr(SQSResponse, "list_message_move_tasks", list_message_move_tasks, raising=False)
    stack = Stack(project, endpoint)
    yield stack
    stack.client("cloudformation").delete_stack(StackName=project.path.name)


@ONE_PROJECT
def test_commands_work_on_aws(stack: Stack, project: Project) -> None:
    example = json.loads((project.path / "contract" / f"{module_of(project)}.json").read_text("utf-8"))
    send, logs, dead_letters, redrive, pause, resume, destroy = ON_AWS

    stack.run(send)
    assert stack.bodies("Queue") == [example]
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

    bury(stack, '{"dead": "letter"}')
    for _ in range(2):  # they stay where they are
        *_, body, count = stack.run(dead_letters).splitlines()
        assert body == '    {"dead": "letter"}'
        assert count.startswith("1 dead letter in ")

    assert "Sent back 1 dead letter from " in stack.run(redrive)
    assert (stack.bodies("Queue"), stack.bodies("DLQ")) == ([{"dead": "letter"}], [])
    assert "Sent back 0 dead letters from " in stack.run(redrive)

    one = bury(stack, '{"dead": 1}')
    assert f"Sent back {one} from " in stack.run(f"make redrive ID={one[:8]}")
    two = bury(stack, '{"dead": 2}')
    assert f'    {{"dead": 2}}\nDelete it for good? [y/N] Deleted {two} ' in stack.run(
        f"make drop ID={two}", stdin="y\n"
    )
    assert stack.bodies("DLQ") == []

    assert f"Paused: messages wait in {stack.url('Queue').rpartition('/')[2]} for up to 4 days" in stack.run(pause)
    assert stack.mapping_states() == ["Disabled"]
    assert "Resumed: " in stack.run(resume)
    assert stack.mapping_states() == ["Enabled"]

    stack.run(destroy, stdin="y\ny\n")
    assert "QueueUrls" not in stack.client("sqs").list_queues(QueueNamePrefix=f"{project.path.name}-")


def bury(stack: Stack, body: str) -> str:
    """Put a message into the dead-letter queue, and return its id."""
    fifo = {"MessageGroupId": "a", "MessageDeduplicationId": body} if "fifo" in stack.url("DLQ") else {}
    sent = stack.client("sqs").send_message(QueueUrl=stack.url("DLQ"), MessageBody=body, **fifo)
    return str(sent["MessageId"])


def test_every_target_obeys_the_environment(project: Project, endpoint: str) -> None:
    prod = Stack(project, endpoint, name=f"{project.path.name}-prod")
    prod.run("make send ENV=prod")
    assert len(prod.bodies("Queue")) == 1
    prod.client("cloudformation").delete_stack(StackName=prod.name)
    targets = ["send", "deploy", "logs", "dead-letters", "redrive", "drop", "pause", "resume", "destroy"]
    commands = project.run("make", "--dry-run", "ENV=prod", *targets)
    assert len(re.findall(r"^sam (?:build|deploy|logs|delete) --config-env prod\b", commands, re.MULTILINE)) == 4
    assert len(re.findall(r"^uv run sqskit [a-z-]+ --env prod\b", commands, re.MULTILINE)) == 6
    assert project.path.name not in commands.replace(str(project.path), "")


# --- a second processor ------------------------------------------------------------------------


def add_second_processor(project: Project) -> None:
    """Follow the recipe to the letter."""
    recipe = SECOND_PROCESSOR.read_text("utf-8")
    recipe = recipe.replace("NewMessage", name_of(project)).replace("new_message", module_of(project))
    domain, imports = blocks(recipe, "python")
    copy, contract = blocks(recipe, "sh")
    (path,) = re.findall(r"second function does into `(.+?)`", recipe)
    (project.path / path).write_text(domain, "utf-8")

    project.run("bash", "-euo", "pipefail", "-c", copy)
    (path,) = re.findall(r"^In `(.+?)`, import `handle` from", recipe, re.MULTILINE)
    entry = project.path / path
    (old,) = re.findall(r"^from shared\..+ import .+\n", entry.read_text("utf-8"), re.MULTILINE)
    entry.write_text(entry.read_text("utf-8").replace(old, imports), "utf-8")

    step = r"copy the block from `(.+?)` to the line before `(.+?)` .+?names begin with `(.+?)`"
    begin, end, prefix = re.findall(step, recipe, re.DOTALL)[0]
    table = recipe.split("\n| from | to |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    renamings = [re.findall("`(.+?)`", row) for row in table.splitlines()]

    def renamed(text: str) -> str:
        for old, new in renamings:
            text = text.replace(old, new)
        return text

    template = project.path / "template.yaml"
    text = template.read_text("utf-8")
    before, found, rest = text.partition(f"  {begin}")
    block, found_end, after = rest.partition(f"  {end}")
    assert found
    assert found_end
    text = before + found + block + renamed(found + block) + found_end + after
    outputs = re.findall(rf"^  {prefix}\w+:\n    Value: .+\n", text, re.MULTILINE)
    template.write_text(text.replace("Outputs:\n", "Outputs:\n" + renamed("".join(outputs))), "utf-8")

    project.run("bash", "-euo", "pipefail", "-c", contract)


@ONE_PROJECT
def test_second_processor(
    project: Project, python: dict[str, str], endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = project.copied(tmp_path)
    for name, value in python.items():
        monkeypatch.setenv(name, value)
    add_second_processor(second)

    second.run("make", "lint")
    second.run("make", "test", WITHOUT_LOCAL)
    built = second.run("make", "build")
    (once,) = (line for line in built.splitlines() if line.startswith("Building codeuri: "))
    assert once.endswith(f" functions: {name_of(project)}ProcessorFunction, AuditProcessorFunction")

    with running_local(second, "make", "local") as running:
        second.run("make", "local-send")
        running.until("    (done|dead) ", times=4)
    shown = "".join(running.lines)
    for function in (f"{name_of(project)}ProcessorFunction", "AuditProcessorFunction"):
        assert f"1 message to {function}" in shown or f"2 messages to {function}" in shown

    stack = Stack(second, endpoint)
    stack.run("make send NAME=Audit EXAMPLE=contract/audit.json")
    assert len(stack.client("sqs").receive_message(QueueUrl=stack.outputs["AuditQueueUrl"])["Messages"]) == 1
    assert stack.bodies("Queue") == []
