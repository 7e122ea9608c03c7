"""Examples: the body of a message as a JSON value, and the SQS event that carries it."""

import base64
import hashlib
import json
from decimal import Decimal
from typing import Any

from local_extensions.fields.limits import allowed, nearest_length
from local_extensions.fields.model import (
    Anything,
    Choice,
    DictOf,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Type,
    Union,
)
from local_extensions.fields.names import singular


def example(type_: Type, name: str = "", n: int = 1) -> Any:
    """Return the n-th example (from 1) of a type, for a field of this name."""
    match type_:
        case Message(fields=fields):
            return {field.wire_name: example(field.type, field.name, n) for field in fields}
        case Nullable(item=item):
            return example(item, name, n)
        case Union(options=options):
            return example(options[0], name, n)
        case Anything():
            return f"{_text(name, n)}"
        case Choice(values=values):
            return values[(n - 1) % len(values)]
        case ListOf(item=item, length=length):
            return [example(item, singular(name), n)] * nearest_length(length, 1)
        case DictOf(item=item, length=length):
            value = example(item, singular(name), n)
            return {f"key-{i}": value for i in range(1, nearest_length(length, 1) + 1)}
        case Scalar():
            return _scalar(type_, name, n)


def _scalar(type_: Scalar, name: str, n: int) -> Any:
    match type_.name:
        case "str":
            return _stretched(_text(name, n), type_.length)
        case "int":
            return allowed(type_.bounds, n)
        case "float":
            return allowed(type_.bounds, n + 0.5)
        case "Decimal":
            return str(allowed(type_.bounds, Decimal(f"{n}.50")))
        case "bool":
            return n % 2 == 1
        case "date":
            return f"2026-01-{n:02}"
        case "time":
            return f"08:30:{n:02}"
        case "datetime":
            return f"2026-01-{n:02}T08:30:00Z"
        case "UUID":
            return f"00000000-0000-4000-8000-{n:012}"
        case "bytes":
            return base64.b64encode(_stretched(_text(name, n), type_.length).encode()).decode()
    raise AssertionError(type_)


def _text(name: str, n: int) -> str:
    """Return `order-1` for `order_id`, and the field's own name for other fields."""
    if name.rpartition("_")[2] == "email":
        return f"customer-{n}@example.com"
    if name.rpartition("_")[2] == "url":
        return f"https://example.com/{n}"
    return f"{name.rstrip('_').removesuffix('_id').replace('_', '-')}-{n}"


def _stretched(text: str, length: Length) -> str:
    """Cut or repeat a text to get an allowed length."""
    wanted = nearest_length(length, len(text))
    return (text * (wanted // len(text) + 1))[:wanted]


def sqs_event(example: Any, class_name: str, *, fifo: bool) -> dict[str, Any]:
    """Return the event with which Lambda hands an example to the function, as `sqskit contract` writes it."""
    body = json.dumps(example, ensure_ascii=False)
    fifo_attributes = {
        "SequenceNumber": "18850371800000000001",
        "MessageGroupId": "group-1",
        "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
    }
    record = {
        "messageId": "00000000-0000-4000-8000-000000000001",
        "receiptHandle": "receipt-handle-1",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1767225600000",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1767225600250",
            **(fifo_attributes if fifo else {}),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{class_name}Queue{'.fifo' if fifo else ''}",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}
