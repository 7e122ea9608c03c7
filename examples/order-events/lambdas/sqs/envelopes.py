"""Recognise a body in which another service has wrapped the message."""

from typing import Any

import msgspec


def hint_about(body: str, *, in_event: bool) -> str | None:
    """Return what the body is and what to change, if it is the envelope of another service.

    in_event: the handler expects events of EventBridge.
    """
    try:
        content: Any = msgspec.json.decode(body)
    except Exception:  # it is not JSON
        return None
    match content:
        case {"Type": "Notification", "TopicArn": _, "Message": _}:
            return "the body is an SNS notification: set RawMessageDelivery on the subscription"
        case {"source": _, "detail-type": _, "detail": _}:
            wanted = "write batch_handler(..., envelope=eventbridge), which comes from sqs"
            return None if in_event else f"the body is an event of EventBridge: {wanted}"
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            return "the body is the test event of S3, which it sends once: drop it"
        case {"Records": [{"s3": {"bucket": _, "object": _}}, *_]}:
            return "the body is an event of S3: write a message class for its Records"
    return "the body is not an event of EventBridge: send it to the event bus" if in_event else None
