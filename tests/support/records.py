"""SQS events as Lambda hands them to a function."""

from collections.abc import Iterable, Sequence
from typing import Any

Event = dict[str, Any]

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"


def record(
    body: object, message_id: str = "id-0", group: str | None = None, *, fifo: bool = False, received: int = 1
) -> dict[str, Any]:
    """Return the record of a message; received: how often, this time included.

    A group on a standard queue makes it a fair queue, not an ordered one.
    """
    attributes = {
        "ApproximateReceiveCount": str(received),
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    if group is not None:
        attributes["MessageGroupId"] = group
    if fifo:
        attributes |= {"MessageDeduplicationId": message_id, "SequenceNumber": "18849496460467696128"}
    return {
        "messageId": message_id,
        "receiptHandle": f"{message_id} " + "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 8,
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"{QUEUE}.fifo" if fifo else QUEUE,
        "awsRegion": "us-east-1",
    }


def event(
    bodies: Iterable[object],
    groups: Sequence[str | None] | None = None,
    *,
    fifo: bool = False,
    received: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return an event with a record for each body; the ids are id-0, id-1 and so on.

    groups: the message group of each, such as "aab". Records of a FIFO queue have one.
    received: how often each was received; once if not given.
    """
    bodies = list(bodies)
    groups = groups or ["a" if fifo else None] * len(bodies)
    counts = received or [1] * len(bodies)
    rows = enumerate(zip(bodies, groups, counts, strict=True))
    return {
        "Records": [
            record(body, f"id-{place}", group, fifo=fifo, received=count) for place, (body, group, count) in rows
        ]
    }


def failed_ids(response: Any) -> list[str]:
    """Return the ids in a response, which must have the shape that Lambda expects."""
    assert list(response) == ["batchItemFailures"]
    assert all(list(failure) == ["itemIdentifier"] for failure in response["batchItemFailures"])
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def failures(*ids: str) -> dict[str, list[dict[str, str]]]:
    """Return the response that names these ids."""
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}
