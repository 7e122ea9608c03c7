"""Bodies in which another service has wrapped the message."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shared.delivery import Delivery, Event
from sqs import BatchHandler, batch_handler, eventbridge

from tests.support.records import event, failures

CONTRACTS = Path(__file__).parent / "messages"

EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "OrderPlaced",
    "source": "shop",
    "time": "2026-01-31T12:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"orderId": "order-1"},
}
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "1",
    "TopicArn": "arn:aws:sns:us-east-1:1:t",
    "Message": '{"orderId": "order-1"}',
}
S3_EVENT = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}
S3_TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-31T12:00:00Z", "Bucket": "b"}

MISSING = "Object missing required field `{}` - at `$`"
HINTS = {
    "sns": "the body is an SNS notification: set RawMessageDelivery on the subscription",
    "eventbridge": "the body is an event of EventBridge: write batch_handler(..., envelope=eventbridge), which comes "
    "from sqs",
    "s3": "the body is an event of S3: write a message class for its Records",
    "s3 test": "the body is the test event of S3, which it sends once: drop it",
    "plain": "the body is not an event of EventBridge: send it to the event bus",
}


class Order(msgspec.Struct, rename="camel"):
    order_id: str


def handled() -> tuple[BatchHandler[Order], list[tuple[Order, Event | None]]]:
    """Return a handler of events of EventBridge, and a list of what it handles."""
    found: list[tuple[Order, Event | None]] = []

    def handle(order: Order, delivery: Delivery) -> None:
        found.append((order, delivery.event))

    return batch_handler(Order, handle, envelope=eventbridge), found


def test_message_is_the_detail_of_the_event() -> None:
    handler, found = handled()
    assert handler(event([json.dumps(EVENT)]), None) == failures()
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert found == [(Order("order-1"), Event(str(EVENT["id"]), at, "shop", "OrderPlaced"))]


def test_delivery_of_a_plain_message_has_no_event() -> None:
    found: list[Delivery] = []
    handler = batch_handler(Order, lambda order, delivery: found.append(delivery))
    handler(event(['{"orderId": "1"}']), None)
    assert found[0].event is None


class Placed(msgspec.Struct, tag_field="type", tag="placed"):
    id: str


class Cancelled(msgspec.Struct, tag_field="type", tag="cancelled"):
    id: str


def test_detail_can_be_one_of_several_kinds() -> None:
    found: list[Any] = []
    handler = batch_handler(Placed | Cancelled, found.append, envelope=eventbridge)
    bodies = [json.dumps(EVENT | {"detail": {"type": kind, "id": "1"}}) for kind in ("placed", "cancelled", "lost")]
    assert handler(event(bodies), None) == failures("id-2")
    assert found == [Placed("1"), Cancelled("1")]


def test_error_points_into_the_detail(caplog: pytest.LogCaptureFixture) -> None:
    handler, _ = handled()
    handler(event([json.dumps(EVENT | {"detail": {"orderId": 1}})]), None)
    assert "Expected `str`, got `int` - at `$.detail.orderId`; it is retried" in caplog.text


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (NOTIFICATION, HINTS["sns"]),
        (EVENT, HINTS["eventbridge"]),
        (S3_EVENT, HINTS["s3"]),
        (S3_TEST, HINTS["s3 test"]),
        (json.loads((CONTRACTS / "sns_envelope.json").read_text("utf-8")), HINTS["sns"]),
        (json.loads((CONTRACTS / "eb_s3_created.json").read_text("utf-8")), HINTS["eventbridge"]),
        (json.loads((CONTRACTS / "s3_notification.json").read_text("utf-8")), HINTS["s3"]),
        ({"Records": []}, None),
        ({"Records": [{"eventSource": "aws:sqs"}]}, None),
        ({"Type": "Notification"}, None),
        ({"detail": 1}, None),
    ],
)
def test_envelope_is_recognised(body: Any, hint: str | None, caplog: pytest.LogCaptureFixture) -> None:
    batch_handler(Order, lambda order: None)(event([json.dumps(body)]), None)
    line = next(line for line in caplog.records if line.levelno == logging.ERROR)
    reason = MISSING.format("orderId") + (f"; {hint}" if hint else "")
    assert line.getMessage() == f"Message id-0 failed at receive 1: {reason}; it is retried"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"orderId": "order-1"}, HINTS["plain"]),
        (NOTIFICATION, HINTS["sns"]),
        (S3_EVENT, HINTS["s3"]),
        ({**EVENT, "id": 1}, None),
    ],
)
def test_body_that_is_not_an_event_is_recognised(body: Any, hint: str | None, caplog: pytest.LogCaptureFixture) -> None:
    handler, _ = handled()
    handler(event([json.dumps(body)]), None)
    line = next(line for line in caplog.records if line.levelno == logging.ERROR)
    assert (f"; {hint}; it is retried" in line.getMessage()) if hint else "the body is" not in line.getMessage()


def test_body_that_is_not_json_has_no_hint(caplog: pytest.LogCaptureFixture) -> None:
    handler, _ = handled()
    handler(event(['{"Type": "Notification", ']), None)
    assert "the body is" not in caplog.text
