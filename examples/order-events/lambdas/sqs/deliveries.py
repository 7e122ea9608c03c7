"""The `Delivery` for a `handle` that asks for one, and the log fields of the current message."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from shared.delivery import Delivery, Event
from sqs.records import Record, message_group, receive_count

# The record that is being handled.
current: ContextVar[Record | None] = ContextVar("current", default=None)


def delivery_of(
    record: Record, *, is_last: bool, event_of: Callable[[str], Event] | None
) -> Delivery:
    """Return the delivery of a record. Raises an exception if the record is malformed.

    event_of: reads the event in a body, if the messages come in events.
    """
    attributes = record["attributes"]
    return Delivery(
        message_id=record["messageId"],
        receive_count=receive_count(record),
        is_last_receive=is_last,
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        message_group=message_group(record),
        attributes={
            name: value_of(attribute)
            for name, attribute in (record.get("messageAttributes") or {}).items()
        },
        event=event_of(record["body"]) if event_of else None,
    )


def value_of(attribute: dict[str, Any]) -> str | int | float | bytes:
    """Return the value of a message attribute by its data type, such as String or Number.int."""
    kind = attribute["dataType"].partition(".")[0]
    if kind == "Binary":
        from base64 import b64decode  # few messages need it

        return b64decode(attribute["binaryValue"])
    text: str = attribute["stringValue"]
    if kind != "Number":
        return text
    try:
        return int(text)
    except ValueError:
        return float(text)


class MessageFields(logging.Filter):
    """Adds messageId and receiveCount to each line that is logged while a message is handled."""

    def filter(self, line: logging.LogRecord) -> bool:
        record = current.get()
        if record is not None and not hasattr(line, "messageId"):
            line.messageId = record["messageId"]
            line.receiveCount = receive_count(record)
        return True


def add_message_fields() -> None:
    """Add the fields to what the handlers of the root logger write, as Lambda's own does."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, MessageFields) for each in handler.filters):
            handler.addFilter(MessageFields())
