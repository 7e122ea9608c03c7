"""Sample events: the JSON with which Lambda hands a batch of messages to the function."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from local_extensions.answers import message


def sqs_event(answers: Mapping[str, Any], *kinds_: str) -> dict[str, Any]:
    """An event with one record for each kind, "valid" or "broken".

    The shape is the one of `sam local generate-event sqs receive-message`.
    """
    sample = message(answers)
    kinds = ["valid"]
    fifo = answers["queue_type"] == "fifo"
    queue = f"{sample.class_name}Queue{'.fifo' if fifo else ''}"
    records = []
    for n, kind in enumerate(kinds, start=1):
        body = json.dumps(sample.example(n=n) if kind == "valid" else sample.broken_example(n), ensure_ascii=False)
        records.append(
            {
                "messageId": f"00000000-0000-4000-8000-{n:012}",
                "receiptHandle": f"receipt-handle-{n}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1767225600000",
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1767225600250",
                    **(_fifo_attributes(n, body) if fifo else {}),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
                "awsRegion": "us-east-1",
            }
        )
    return {"Records": records}


def _fifo_attributes(n: int, body: str) -> dict[str, str]:
    """What a FIFO queue adds to the n-th message, each in a group of its own."""
    return {
        "SequenceNumber": f"188503718{n:011}",
        "MessageGroupId": f"group-{n}",
        "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
    }
