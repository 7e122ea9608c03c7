"""Messages on their way to the queue: sent to it, published to a topic, or put on an event bus."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqskit.aws import EmbeddedAws
from sqskit.send import distinct

from tests.support.projects import Bake, Project
from tests.support.running import running_local

pytestmark = pytest.mark.slow

SQSKIT = (sys.executable, "-m", "sqskit")
ACTIONS = {"queue": ["sqs", "send-message"], "sns": ["sns", "publish"], "eventbridge": ["events", "put-events"]}


@pytest.fixture(
    params=[(source, queue_type) for source in ACTIONS for queue_type in ("standard", "fifo")], ids=" ".join
)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    source, queue_type = request.param
    return bake(source=source, queue_type=queue_type)


def test_message_of_the_aws_cli_is_handled(project: Project) -> None:
    with running_local(project, *SQSKIT, "local", "--plain") as local:
        (line,) = (line for line in local.lines if "AWS_ACCESS_KEY_ID=local" in line)
        words = shlex.split(line)
        assert words[words.index("aws") + 1 :][:2] == ACTIONS[project.answers["source"]]
        project.run("bash", "-c", line)
        local.until("    done    ")
        project.run(*SQSKIT, "send")
        assert len(local.until("    (done|dead) ", times=2)) == 2
        sent = project.run(*SQSKIT, "send", "--count", "3")
        assert [row.rpartition("order-")[2] for row in sent.splitlines()] == ['1"}', '2"}', '3"}']
        local.until("    done    ", times=3)


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


def received(aws: EmbeddedAws, url: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = (
        aws.client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1)
        .get("Messages", [])
    )
    return messages


def test_example_is_sent_to_a_stack_on_aws(project: Project, aws: EmbeddedAws, tmp_path: Path) -> None:
    project = project.copied(tmp_path)
    (mapping,) = aws.deploy(project.path / "template.yaml")
    example = "contract/new_message.json"
    samconfig = project.path / "samconfig.toml"
    samconfig.write_text(samconfig.read_text("utf-8") + '[local.global.parameters]\nstack_name = "local"\n', "utf-8")
    to_stack = ("--env", "local", "--name", "NewMessage", "--example", example)
    project.run(*SQSKIT, "send", *to_stack, AWS_ENDPOINT_URL=aws.endpoint)
    (message,) = received(aws, mapping.queue.url)
    body = json.loads(message["Body"])
    if project.answers["source"] == "eventbridge":
        assert (body["source"], body["detail-type"]) == ("order-events", "NewMessage")
        body = body["detail"]
    assert body == json.loads((project.path / example).read_text("utf-8"))


def test_stack_can_use_a_topic_that_exists_and_filter_its_messages(bake: Bake, aws: EmbeddedAws) -> None:
    sns = aws.client("sns")
    arn = sns.create_topic(Name="orders")["TopicArn"]
    parameters = {"ExistingTopicArn": arn, "FilterPolicy": '{"kind": ["placed"]}'}
    (mapping,) = aws.deploy(bake(source="sns").path / "template.yaml", parameters)
    assert not [topic for topic in sns.list_topics()["Topics"] if ":local-Topic" in topic["TopicArn"]]
    for kind in ("placed", "cancelled"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=arn, Message=f'"{kind}"', MessageAttributes=attributes)
    (message,) = received(aws, mapping.queue.url)
    assert message["Body"] == '"placed"'
    assert message["MessageAttributes"]["kind"]["StringValue"] == "placed"


def test_rule_selects_the_events_that_the_parameters_name(bake: Bake, aws: EmbeddedAws) -> None:
    events = aws.client("events")
    events.create_event_bus(Name="orders")
    parameters = {"EventBusName": "orders", "EventSource": "shop", "EventDetailType": "Placed"}
    (mapping,) = aws.deploy(bake(source="eventbridge").path / "template.yaml", parameters)
    for bus, source, kind in [
        ("orders", "shop", "Placed"),
        ("orders", "office", "Placed"),
        ("orders", "shop", "Cancelled"),
        ("default", "shop", "Placed"),
    ]:
        detail = json.dumps({"orderId": f"{bus} {source} {kind}"})
        events.put_events(Entries=[{"EventBusName": bus, "Source": source, "DetailType": kind, "Detail": detail}])
    found = [json.loads(message["Body"])["detail"]["orderId"] for message in received(aws, mapping.queue.url)]
    assert found == ["orders shop Placed"]


@pytest.mark.parametrize(
    ("body", "second"),
    [
        ('{"orderId": "order-1"}', '{"orderId": "order-2"}'),
        ('{"id": "a-b-7", "order-1": "x"}', '{"id": "a-b-2", "order-1": "x"}'),
        ('{"id": "3f2b8c1e-5d4a-4b7c-9e10-a1b2c3d4e5f6"}', '{"id": "3f2b8c1e-5d4a-4b7c-9e10-000000000002"}'),
        ('{"at": "2026-01-01", "n": 1, "zip": "12-3"}', None),
        ('{"text": "say \\"order-1\\""}', None),
    ],
)
def test_messages_are_distinct_where_they_can_be(body: str, second: str | None) -> None:
    bodies = distinct([body])
    assert [next(bodies), next(bodies)][1] == (second or body)
