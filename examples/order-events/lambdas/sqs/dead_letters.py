"""A dead letter: the message as it was, and why it is there."""

from base64 import b64decode
from typing import Any

from sqs.log import text_of, type_name
from sqs.records import Record, message_group, receive_count

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LARGEST_MESSAGE = 1_048_576
MOST_ATTRIBUTES = 10

# The attribute with the id that a message had before it became a dead letter.
ORIGINAL_ID = "originalMessageId"

# What SQS does not accept in a text: control characters and halves of surrogate pairs.
_REFUSED = {code: "?" for code in (*range(32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)}
_REFUSED = {code: text for code, text in _REFUSED.items() if chr(code) not in "\t\n\r"}


def entry_of(record: Record, error: BaseException, *, fifo: bool) -> dict[str, Any]:
    """Return the parameters of SendMessage for a dead letter, without its queue.

    The body and the sender's attributes are kept. The reason is added to them, as far as there is
    room; of the reason, the text of the error is added first.
    """
    attributes = {
        name: _sent(each) for name, each in (record.get("messageAttributes") or {}).items()
    }
    original_id = attributes.pop(ORIGINAL_ID, None) or _text(record["messageId"])
    reason = {
        "errorMessage": _text(text_of(error).translate(_REFUSED) or type_name(error)),
        "errorType": _text(type_name(error)),
        ORIGINAL_ID: original_id,
        "receiveCount": {"DataType": "Number", "StringValue": str(receive_count(record))},
    }
    for name in reason:
        attributes.pop(name, None)  # of an earlier failure, if the message was sent back
    entry: dict[str, Any] = {"MessageBody": record["body"], "MessageAttributes": attributes}
    for name, attribute in reason.items():
        attributes[name] = attribute
        if len(attributes) > MOST_ATTRIBUTES or size_of(entry) > LARGEST_MESSAGE:
            del attributes[name]
    if not attributes:
        del entry["MessageAttributes"]
    if fifo:
        entry["MessageGroupId"] = message_group(record)
        entry["MessageDeduplicationId"] = record["messageId"]
    return entry


def is_dead_letter(attributes: dict[str, Any] | None) -> bool:
    """Tell by the attributes of a message whether it is or was a dead letter."""
    return ORIGINAL_ID in (attributes or {})


def size_of(entry: dict[str, Any]) -> int:
    """Return how many bytes of a message's limit an entry takes."""
    size = len(entry["MessageBody"].encode())
    for name, attribute in entry.get("MessageAttributes", {}).items():
        value = attribute.get("BinaryValue") or attribute["StringValue"].encode()
        size += len(name.encode()) + len(attribute["DataType"].encode()) + len(value)
    return size


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _sent(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute of a record as it is sent."""
    if "binaryValue" in attribute:
        value: dict[str, Any] = {"BinaryValue": b64decode(attribute["binaryValue"])}
    else:
        value = {"StringValue": attribute["stringValue"]}
    return {"DataType": attribute["dataType"], **value}
