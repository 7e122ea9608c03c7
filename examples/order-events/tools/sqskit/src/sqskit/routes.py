"""The ways to send a message: to a queue, to a topic, or to an event bus."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqskit.errors import UserError

# Returns a client of a service of AWS.
Client = Callable[[str], Any]


@dataclass(frozen=True)
class ToQueue:
    """Messages go to a queue."""

    url: str

    def command(self, body: str) -> list[str]:
        """Return the arguments with which the AWS CLI sends a body, or the file:// of one."""
        command = ["sqs", "send-message", "--queue-url", self.url, "--message-body", body]
        return command + (GROUP if self.url.endswith(".fifo") else [])

    def send(self, client: Client, body: str, **fifo: str) -> None:
        client("sqs").send_message(
            QueueUrl=self.url, MessageBody=body, **(fifo if self.url.endswith(".fifo") else {})
        )

    def send_batch(self, client: Client, bodies: list[str], group: str = "example") -> None:
        """Send up to ten bodies in this order. Raises UserError if one of them is refused."""
        is_fifo = self.url.endswith(".fifo")
        entries = [
            {"Id": str(place), "MessageBody": body, **(once(group) if is_fifo else {})}
            for place, body in enumerate(bodies)
        ]
        result = client("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)
        for refused in result.get("Failed", []):
            raise UserError(f"SQS refuses a message: {refused.get('Message', refused['Code'])}")


@dataclass(frozen=True)
class ToTopic:
    """Messages go to a topic, which a queue subscribes to."""

    arn: str

    def command(self, body: str) -> list[str]:
        command = ["sns", "publish", "--topic-arn", self.arn, "--message", body]
        return command + (GROUP if self.arn.endswith(".fifo") else [])

    def send(self, client: Client, body: str, **fifo: str) -> None:
        client("sns").publish(
            TopicArn=self.arn, Message=body, **(fifo if self.arn.endswith(".fifo") else {})
        )


@dataclass(frozen=True)
class ToBus:
    """Messages go to an event bus, from which a rule sends them to a queue."""

    bus: str
    source: str
    detail_type: str

    def command(self, body: str) -> list[str]:
        return ["events", "put-events", "--entries", json.dumps([self._entry(body)])]

    def send(self, client: Client, body: str, **fifo: str) -> None:
        """Put an event on the bus; its group is up to the rule. Raises UserError."""
        (result,) = client("events").put_events(Entries=[self._entry(body)])["Entries"]
        if "ErrorCode" in result:
            raise UserError(f"EventBridge refuses the event: {result['ErrorMessage']}")

    def _entry(self, body: str) -> dict[str, str]:
        return {
            "EventBusName": self.bus,
            "Source": self.source,
            "DetailType": self.detail_type,
            "Detail": body,
        }


Route = ToQueue | ToTopic | ToBus

GROUP = ["--message-group-id", "example"]


def once(group: str = "example") -> dict[str, str]:
    """Return the group of a message in a FIFO queue, and an id with which it is never dropped."""
    return {"MessageGroupId": group, "MessageDeduplicationId": str(uuid.uuid4())}


def route_to(client: Client, queue_arn: str, queue_url: str) -> Route:
    """Return how messages get into a queue: from a topic or a rule, if one sends to it."""
    for subscription in client("sns").list_subscriptions()["Subscriptions"]:
        if subscription["Endpoint"] == queue_arn:
            return ToTopic(subscription["TopicArn"])
    events = client("events")
    for bus in events.list_event_buses()["EventBuses"]:
        names = events.list_rule_names_by_target(TargetArn=queue_arn, EventBusName=bus["Name"])
        for name in names["RuleNames"]:
            rule = events.describe_rule(Name=name, EventBusName=bus["Name"])
            pattern = json.loads(rule.get("EventPattern", "{}"))
            source, detail_type = pattern.get("source"), pattern.get("detail-type")
            return ToBus(bus["Name"], (source or ["example"])[0], (detail_type or ["example"])[0])
    return ToQueue(queue_url)
