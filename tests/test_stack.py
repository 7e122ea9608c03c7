"""The stack: its rules fail when they are broken, it deploys, and its metrics are in the log."""

import importlib.util
import json
import logging
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from local.aws import EmbeddedAws
from samtranslator.yaml_helper import yaml_parse

from tests.support.projects import CHOICES, Bake, Project


def template_test(project: Project) -> ModuleType:
    """The generated project's own test of its template, to be used on templates that are broken."""
    spec = importlib.util.spec_from_file_location("template_test", project.path / "tests" / "unit" / "test_template.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def source(project: Project) -> str:
    return (project.path / "template.yaml").read_text("utf-8")


@pytest.mark.parametrize("batch_size", ["1", "11", "10000"])
def test_the_template_holds_the_answers(bake: Bake, batch_size: str) -> None:
    project = bake(batch_size=batch_size, project_name='Zoë\'s: "orders" # 1')
    assert "is a valid SAM Template" in project.run("sam", "validate")

    resources = yaml_parse(source(project))["Resources"]
    queue = resources["NewMessageQueue"]["Properties"]
    function = resources["NewMessageProcessorFunction"]["Properties"]
    mapping = function["Events"]["NewMessageQueue"]["Properties"]
    window = mapping.get("MaximumBatchingWindowInSeconds", 0)
    assert mapping["BatchSize"] == int(batch_size)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (window >= 1) == (int(batch_size) > 10)
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"] + window
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert function["LoggingConfig"]["LogFormat"] == "JSON"


# --- rules -------------------------------------------------------------------------------------

MAPPING, QUEUE, ROLE = "NewMessageProcessorFunctionNewMessageQueue", "NewMessageQueue", "NewMessageProcessorRole"


@pytest.mark.parametrize(
    ("queue_type", "found", "replacement", "rule"),
    [
        ("standard", "BatchSize: 10", "BatchSize: 11", f"{MAPPING}: a batch size above 10 needs a batching window"),
        ("fifo", "BatchSize: 10", "BatchSize: 11", f"{MAPPING}: a FIFO queue takes batches of at most 10"),
        ("fifo", "BatchSize: 10", "BatchSize: 10\n            MaximumBatchingWindowInSeconds: 1",
         f"{MAPPING}: a FIFO queue takes no batching window"),
        ("standard", "BatchSize: 10", "BatchSize: 10\n            MaximumBatchingWindowInSeconds: 1",
         f"{MAPPING}: the visibility timeout is too short"),
        ("standard", "VisibilityTimeout: 60", "VisibilityTimeout: 59",
         f"{MAPPING}: the visibility timeout is too short"),
        ("standard", "Timeout: 10", "Timeout: 1", f"{MAPPING}: the function's timeout leaves no time for any message"),
        ("standard", "Timeout: 10", "Timeout: 11", f"{MAPPING}: the visibility timeout is too short"),
        ("standard", "Period: 1209600", "Period: 345600", f"{QUEUE}: dead letters are kept no longer than messages"),
        ("standard",
         "RedrivePolicy:\n        deadLetterTargetArn: !GetAtt NewMessageDLQ.Arn\n        maxReceiveCount: 5", "",
         f"{MAPPING}: its queue has no dead-letter queue"),
        ("fifo", "-NewMessageQueue.fifo", "-NewMessageQueue", f"{QUEUE}: the name of a FIFO queue has to end in .fifo"),
        ("standard", "      Policies:",
         "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:",
         f"{ROLE}: a managed policy is for every queue of the account"),
        ("standard", "maxReceiveCount: 5", "maxReceiveCount: 0", f"{QUEUE}: maxReceiveCount is below 1"),
        ("standard", "FunctionResponseTypes: [ReportBatchItemFailures]", "",
         f"{MAPPING}: partial failures are not reported"),
        ("standard", "[ReportBatchItemFailures]", "[ReportBatchItemFailure]",
         f"{MAPPING}: partial failures are not reported"),
        ("standard", "sqs:GetQueueAttributes]\n                Resource: !GetAtt NewMessageQueue.Arn",
         'sqs:GetQueueAttributes]\n                Resource: "*"', f"{ROLE}: may use every queue of the account"),
        ("standard", "Role: !GetAtt NewMessageProcessorRole.Arn", "",
         f"{MAPPING.removesuffix('NewMessageQueue')}Role: a managed policy is for every queue of the account"),
        ("fifo", "DLQ.fifo\n      FifoQueue: true", "DLQ.fifo", f"{QUEUE}: one of queue and dead-letter queue is FIFO"),
    ],
)  # fmt: skip
def test_every_rule_fails_on_a_template_that_breaks_it(
    bake: Bake, queue_type: str, found: str, replacement: str, rule: str
) -> None:
    project = bake(queue_type=queue_type)
    own = template_test(project)
    assert found in source(project)
    assert list(own.broken_rules(own.transformed(source(project)))) == []
    assert rule in own.broken_rules(own.transformed(source(project).replace(found, replacement, 1)))


@pytest.mark.parametrize(
    ("found", "replacement"),
    [
        ("Threshold: 600", "Threshold: many"),
        ("RetentionInDays: 30", "RetentionInDays: 31"),
        ("Statistic: Sum", "Statistic: All"),
    ],
)
def test_cfn_lint_sees_what_cloudformation_would_refuse(bake: Bake, found: str, replacement: str) -> None:
    own = template_test(bake())
    broken = own.transformed(source(bake()).replace(found, replacement))
    assert own.cfnlint.api.lint(json.dumps(broken), regions=["us-east-1"])


def test_the_dashboard_is_json(bake: Bake) -> None:
    body, _ = template_test(bake()).transformed(source(bake()))["Resources"]["Dashboard"]["Properties"][
        "DashboardBody"
    ]["Fn::Sub"]
    titles = [widget["properties"]["title"] for widget in json.loads(body)["widgets"]]
    assert len(titles) == 7


# --- deployed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue_type", "batch_size"),
    [("standard", "1"), ("standard", "10"), ("standard", "11"), ("standard", "10000"), ("fifo", "10")],
)
def test_the_stack_deploys_with_what_was_asked_for(bake: Bake, queue_type: str, batch_size: str) -> None:
    project = bake(queue_type=queue_type, batch_size=batch_size)
    with EmbeddedAws() as aws:
        (deployed,) = aws.deploy(source(project), aws.known_types)
        assert deployed.queue.dead_letter_url
        queue, dead = (
            aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            for url in (deployed.queue.url, deployed.queue.dead_letter_url)
        )
        function = aws.client("lambda").get_function_configuration(FunctionName=deployed.function.name)
        (mapping,) = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]

    window = 1 if int(batch_size) > 10 else 0
    suffix = ".fifo" if queue_type == "fifo" else ""
    assert queue["QueueArn"] == mapping["EventSourceArn"]
    assert queue["QueueArn"].endswith(f":local-NewMessageQueue{suffix}")
    assert queue["VisibilityTimeout"] == str(60 + window)
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}
    # moto keeps no redrive allow policy: the name in it has to be the queue's.
    resources = template_test(project).transformed(source(project))["Resources"]
    (allowed,) = resources["NewMessageDLQ"]["Properties"]["RedriveAllowPolicy"]["sourceQueueArns"]
    assert allowed["Fn::Sub"].endswith(resources["NewMessageQueue"]["Properties"]["QueueName"]["Fn::Sub"])
    assert (queue["MessageRetentionPeriod"], dead["MessageRetentionPeriod"]) == ("345600", "1209600")
    for attributes in (queue, dead):
        assert attributes["SqsManagedSseEnabled"] == "true"
        assert attributes.get("FifoQueue") == ("true" if suffix else None)
    if suffix:
        assert queue["ContentBasedDeduplication"] == "true"
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"

    assert function["Handler"] == "new_message_processor.app.handler"
    assert (function["Runtime"], function["Timeout"]) == ("python3.13", 10)
    assert mapping["BatchSize"] == int(batch_size)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == window


# --- metrics -----------------------------------------------------------------------------------


def value_of(resource: Any, line: dict[str, Any]) -> Any:
    """What a metric filter makes of a log line: the metric's value, or None where the pattern does not match."""
    properties = resource["Properties"]
    match = re.fullmatch(r'\{ \(\$\.(\w+) = "([^"]+)"\) && \(\$\.(\w+) = \*\) \}', properties["FilterPattern"])
    assert match, properties["FilterPattern"]
    selector, wanted, present = match.groups()
    (transformation,) = properties["MetricTransformations"]
    if line.get(selector) != wanted or present not in line:
        return None
    return line[transformation["MetricValue"].removeprefix("$.")]


@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_the_metrics_are_in_the_line_that_the_function_logs(
    bake: Bake, queue_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    formatter = pytest.importorskip("awslambdaric.lambda_runtime_log_utils", reason="Lambda's client is for Linux")
    project = bake(queue_type=queue_type)
    resources = template_test(project).transformed(source(project))["Resources"]
    filters = {name: each for name, each in resources.items() if each["Type"] == "AWS::Logs::MetricFilter"}

    lines: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(formatter.JsonFormatter())
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    monkeypatch.setattr(root, "level", logging.INFO)
    monkeypatch.syspath_prepend(str(project.path / "lambdas"))
    for name in [name for name in sys.modules if name.split(".")[0] in {"shared", "new_message_processor"}]:
        monkeypatch.delitem(sys.modules, name)
    try:
        app = importlib.import_module("new_message_processor.app")
        app.handler(json.loads((project.path / "events" / "one_broken.json").read_text("utf-8")), None)
    finally:
        root.removeHandler(handler)
        for name in [name for name in sys.modules if name.split(".")[0] in {"shared", "new_message_processor"}]:
            del sys.modules[name]

    values = {
        name: [value for line in lines if (value := value_of(resource, json.loads(line))) is not None]
        for name, resource in filters.items()
    }
    expected = {
        "MessagesReceivedMetric": [3],
        "MessagesSucceededMetric": [2],
        "MessagesFailedToParseMetric": [1],
        "MessagesFailedToHandleMetric": [0],
        "MessagesOutOfTimeMetric": [0],
    }
    if queue_type == "fifo":
        expected["MessagesHeldBackMetric"] = [0]
    assert values == expected
