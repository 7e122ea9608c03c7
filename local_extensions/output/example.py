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
    Kinds,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Type,
    Union,
    parts,
)
from local_extensions.fields.names import singular


def examples(message: Message | Kinds) -> list[Any]:
    """Return the example bodies of a message: as many as it takes to show every kind of object once."""
    if isinstance(message, Kinds):
        return [body for kind in message.kinds for body in examples(kind)]
    return [example(message, n=n) for n in range(1, _most_kinds(message) + 1)]


def _most_kinds(type_: Type) -> int:
    """Return how many examples show each option of every union that has several kinds of objects."""
    options = type_.options if isinstance(type_, Union) else ()
    objects = [each for each in options if isinstance(each, Message)]
    return max([len(options) if len(objects) > 1 else 1, *map(_most_kinds, parts(type_))])


def example(type_: Type, name: str = "", n: int = 1) -> Any:
    """Return the n-th example (from 1) of a type, for a field of this name."""
    match type_:
        case Message(fields=fields, tag=tag):
            constant = {tag.wire_name: tag.value} if tag else {}
            return constant | {field.wire_name: example(field.type, field.name, n) for field in fields}
        case Nullable(item=item):
            return example(item, name, n)
        case Union(options=options):
            return example(options[(n - 1) % len(options)], name, n)
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


def in_event(example: Any, n: int, source: str, detail_type: str) -> dict[str, Any]:
    """Return the n-th event of EventBridge, with an example in it, as `sqskit contract` writes it."""
    return {
        "version": "0",
        "id": f"00000000-0000-4000-9000-{n:012}",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": example,
    }


def sqs_event(examples: list[Any], class_name: str, *, fifo: bool) -> dict[str, Any]:
    """Return the event with which Lambda hands bodies to the function, as `sqskit contract` writes it."""
    arn = f"arn:aws:sqs:us-east-1:123456789012:{class_name}Queue{'.fifo' if fifo else ''}"
    bodies = [json.dumps(example, ensure_ascii=False) for example in examples]
    return {"Records": [_record(body, n, arn, fifo=fifo) for n, body in enumerate(bodies, 1)]}


def _record(body: str, n: int, arn: str, *, fifo: bool) -> dict[str, Any]:
    fifo_attributes = {
        "SequenceNumber": f"188503718{n:011}",
        "MessageGroupId": "group-1",
        "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
    }
    return {
        "messageId": f"00000000-0000-4000-8000-{n:012}",
        "receiptHandle": f"receipt-handle-{n}",
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
        "eventSourceARN": arn,
        "awsRegion": "us-east-1",
    }
