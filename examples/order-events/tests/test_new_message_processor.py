"""The Lambda function, called with an SQS event."""

import json
from pathlib import Path

from new_message_processor.app import handler

ROOT = Path(__file__).parents[1]
EVENT = json.loads((ROOT / "contract" / "new_message.event.json").read_text("utf-8"))


def test_good_message_succeeds() -> None:
    assert handler(EVENT, None) == {"batchItemFailures": []}


def test_only_the_broken_message_is_reported() -> None:
    good = EVENT["Records"][0]
    broken = good | {"messageId": "broken", "body": "{"}
    assert handler({"Records": [good, broken]}, None) == {
        "batchItemFailures": [{"itemIdentifier": "broken"}]
    }
