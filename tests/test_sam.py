"""The stack: SAM validates it, builds it for its runtime and architecture, and the result is complete."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.conftest import CHOICES, MACHINES, ROOT, THIS_ARCHITECTURE, THIS_RUNTIME, Bake, Project, run


def resources(project: Project) -> Any:
    return yaml_parse((project.path / "template.yaml").read_text("utf-8"))["Resources"]


@pytest.mark.parametrize("batch_size", ["1", "11", "10000"])
def test_the_template_holds_the_answers(bake: Bake, batch_size: str) -> None:
    project = bake(batch_size=batch_size, project_name='Zoë\'s: "orders" # 1')
    assert "is a valid SAM Template" in project.run("sam", "validate")

    queue = resources(project)["NewMessageQueue"]["Properties"]
    function = resources(project)["NewMessageProcessorFunction"]["Properties"]
    mapping = function["Events"]["NewMessageQueue"]["Properties"]
    window = mapping.get("MaximumBatchingWindowInSeconds", 0)
    assert mapping["BatchSize"] == int(batch_size)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (window >= 1) == (int(batch_size) > 10)
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"] + window
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert function["LoggingConfig"]["LogFormat"] == "JSON"


@pytest.mark.parametrize("runtime", CHOICES["runtime"])
def test_uv_builds_for_every_runtime_on_this_machine(bake: Bake, runtime: str) -> None:
    check_build(bake(runtime=runtime), runtime, "arm64")


@pytest.mark.parametrize("architecture", CHOICES["architecture"])
@pytest.mark.parametrize("builder", CHOICES["sam_builder"])
@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_every_stack_validates_and_builds(bake: Bake, queue_type: str, builder: str, architecture: str) -> None:
    project = bake(runtime=THIS_RUNTIME, architecture=architecture, sam_builder=builder, queue_type=queue_type)
    assert "is a valid SAM Template" in project.run("sam", "validate")
    check_build(project, THIS_RUNTIME, architecture)


def check_build(project: Project, runtime: str, architecture: str) -> None:
    project.run("sam", "build")
    artifact = project.path / ".aws-sam" / "build" / "NewMessageProcessorFunction"
    names = {path.name for path in artifact.iterdir()}
    assert {name for name in names if not name.startswith((".", "msgspec-"))} == {
        "msgspec",
        "new_message_processor",
        "requirements.txt",
        "shared",
    }
    (binary,) = artifact.rglob("*.so")
    assert f"cpython-{runtime.removeprefix('python').replace('.', '')}-{MACHINES[architecture]}-linux" in binary.name


@pytest.mark.skipif(sys.platform != "linux", reason="the artifact holds Linux binaries")
def test_the_artifact_of_this_machine_needs_nothing_else(bake: Bake) -> None:
    project = bake(
        project_name="Payments",
        message_name="PaymentReceived",
        message_fields="payment_id: str, amount: float, express: bool",
        batch_size="5",
        runtime=THIS_RUNTIME,
        architecture=THIS_ARCHITECTURE,
    )
    project.run("sam", "build")
    artifact = project.path / ".aws-sam" / "build" / "PaymentReceivedProcessorFunction"
    handler = resources(project)["PaymentReceivedProcessorFunction"]["Properties"]["Handler"]
    event = (project.path / "events" / "one_broken.json").read_text("utf-8")
    done = run(
        *(sys.executable, "-I", "-S", str(ROOT / "tests" / "invoke.py"), str(artifact), handler),
        cwd=artifact.parent,
        stdin=event,
    )
    assert done.returncode == 0, done.stdout
    broken = json.loads(event)["Records"][1]["messageId"]
    assert json.loads(done.stdout.splitlines()[-1]) == {"batchItemFailures": [{"itemIdentifier": broken}]}
    assert "Expected `str`, got `int` - at `$.paymentId`" in done.stdout


def test_sam_init_gives_the_same_project(bake: Bake, tmp_path: Path) -> None:
    extra = json.dumps({"project_name": "Payments", "runtime": "python3.12"})
    done = run(
        *("sam", "init", "--location", str(ROOT), "--no-input", "--output-dir", str(tmp_path)),
        *("--extra-context", extra),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    ours = bake(project_name="Payments", runtime="python3.12")
    theirs = Project(tmp_path / "Payments", {})
    assert theirs.files == ours.files
    for name in ours.files:
        assert (theirs.path / name).read_bytes() == (ours.path / name).read_bytes()


def test_make_send_puts_the_sample_message_into_the_queue_of_the_stack(bake: Bake, endpoint: str) -> None:
    project = bake(message_name="PaymentReceived", message_fields="payment_id: str, amount: float, express: bool")
    queues = {name: queue for name, queue in resources(project).items() if queue["Type"] == "AWS::SQS::Queue"}
    outputs = {"PaymentReceivedQueueUrl": {"Value": {"Ref": "PaymentReceivedQueue"}}}
    region = "il-central-1"  # where the AWS CLI 1 heeds AWS_ENDPOINT_URL for SQS; in older regions it does not
    cloudformation = boto3.client("cloudformation", region, endpoint_url=endpoint)
    cloudformation.create_stack(
        StackName="order-events", TemplateBody=json.dumps({"Resources": queues, "Outputs": outputs})
    )
    project.run("make", "send", AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION=region)

    (stack,) = cloudformation.describe_stacks(StackName="order-events")["Stacks"]
    (output,) = stack["Outputs"]
    sqs = boto3.client("sqs", region, endpoint_url=endpoint)
    (message,) = sqs.receive_message(QueueUrl=output["OutputValue"])["Messages"]
    sample = (project.path / "messages" / "payment_received.json").read_text("utf-8")
    assert json.loads(message["Body"]) == json.loads(sample)


def test_the_demo_runs_to_its_end() -> None:
    done = run(sys.executable, "scripts/demo.py", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "received 5 times, then a dead letter" in done.stdout


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark runs what Lambda runs")
def test_the_benchmark_runs_to_its_end() -> None:
    done = run("make", "bench", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "| built artifact |" in done.stdout
