"""The stack of a generated project: it holds the answers, it deploys, and its metrics are in the log."""

import json
import logging

import pytest
from samtranslator.yaml_helper import yaml_parse
from sqs import batch_handler
from sqskit.aws import EmbeddedAws
from sqskit.rules.metrics import matches
from sqskit.template import transformed

from tests.support.projects import CHOICES, Bake, Project
from tests.support.records import event

pytestmark = pytest.mark.slow


def source(project: Project) -> str:
    return (project.path / "template.yaml").read_text("utf-8")


@pytest.mark.parametrize("batch_size", ["1", "11", "10000"])
def test_template_holds_the_answers(bake: Bake, batch_size: str) -> None:
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


def test_dashboard_is_json(bake: Bake) -> None:
    dashboard = transformed(source(bake()))["Resources"]["Dashboard"]
    body, _ = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
    titles = [widget["properties"]["title"] for widget in json.loads(body)["widgets"]]
    assert len(titles) == 7


# --- deployed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue_type", "batch_size"),
    [("standard", "1"), ("standard", "10"), ("standard", "11"), ("standard", "10000"), ("fifo", "10")],
)
def test_stack_deploys_with_the_answers(bake: Bake, queue_type: str, batch_size: str) -> None:
    project = bake(queue_type=queue_type, batch_size=batch_size)
    with EmbeddedAws() as aws:
        (deployed,) = aws.deploy(project.path / "template.yaml")
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
    timeout = max(10, 0.03 * int(batch_size))  # 30 ms for each message of a full batch
    assert function["Timeout"] == timeout
    assert queue["VisibilityTimeout"] == str(round(6 * timeout + window))
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 7}
    # moto does not keep the redrive allow policy: the name in it must be the queue's.
    resources = transformed(source(project))["Resources"]
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
    assert function["Runtime"] == "python3.13"
    assert mapping["BatchSize"] == int(batch_size)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == window


# --- metrics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_metrics_are_in_the_line_that_is_logged_for_a_batch(
    bake: Bake, queue_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    formatter = pytest.importorskip("awslambdaric.lambda_runtime_log_utils", reason="Lambda's client needs Linux")
    with caplog.at_level(logging.INFO):
        batch_handler(int, lambda number: None)(event(["1", "{"]), None)

    filters = {
        name: resource["Properties"]
        for name, resource in transformed(source(bake(queue_type=queue_type)))["Resources"].items()
        if resource["Type"] == "AWS::Logs::MetricFilter"
    }
    values = {
        name: [
            json.loads(formatter.JsonFormatter().format(line))[field.removeprefix("$.")]
            for line in caplog.records
            if matches(properties["FilterPattern"], line)
            for field in [properties["MetricTransformations"][0]["MetricValue"]]
        ]
        for name, properties in filters.items()
    }
    expected = {
        "MessagesReceivedMetric": [2],
        "MessagesSucceededMetric": [1],
        "MessagesFailedToParseMetric": [1],
        "MessagesFailedToHandleMetric": [0],
        "MessagesRetriedMetric": [1],
        "MessagesRejectedMetric": [0],
        "MessagesOutOfTimeMetric": [0],
    }
    if queue_type == "fifo":
        expected["MessagesHeldBackMetric"] = [0]
    assert values == expected
