"""The records of an SQS event.

Their shape: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from operator import itemgetter
from typing import Any

Record = dict[str, Any]


class NotAnSqsEvent(ValueError):
    """The event cannot be answered with the ids of failed messages.

    It is raised before any message is handled, so that Lambda retries the whole event.
    """

    def __init__(self) -> None:
        super().__init__(
            "expected an SQS event: a list of Records, each with a messageId, from an SQS queue"
        )


def records_of(event: dict[str, Any]) -> list[Record]:
    """Return the records of an SQS event. Raises NotAnSqsEvent."""
    try:
        records: list[Record] = event["Records"]
        # All records of an event come from the same queue.
        from_sqs = not records or ":sqs:" in records[0]["eventSourceARN"]
        if isinstance(records, list) and from_sqs and all(map(itemgetter("messageId"), records)):
            return records
    except (KeyError, TypeError) as error:
        raise NotAnSqsEvent from error
    raise NotAnSqsEvent


def from_fifo_queue(records: list[Record]) -> bool:
    """Tell whether the queue keeps an order.

    A message group does not tell: a standard queue can have groups, but promises no order.
    """
    return bool(records) and records[0]["eventSourceARN"].endswith(".fifo")


def message_group(record: Record) -> str | None:
    """Return the message group of a record, None if it has none."""
    attributes = record.get("attributes")
    group = attributes.get("MessageGroupId") if isinstance(attributes, dict) else None
    return group if isinstance(group, str) else None


def receive_count(record: Record) -> int:
    """Return how often a message has been received, this time included."""
    try:
        return int(record["attributes"]["ApproximateReceiveCount"])
    except Exception:  # it is malformed
        return 1
