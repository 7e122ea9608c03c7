"""The Lambda function, on every event in events/ and the message in messages/."""

import json
from pathlib import Path

import pytest

from new_message_processor.app import handler

EVENTS = Path(__file__).parents[2] / "events"
MESSAGES = Path(__file__).parents[2] / "messages"

# The messages that fail, by their place in the batch.
FAILING = {"all_valid.json": [], "one_broken.json": [1]}


@pytest.mark.parametrize("name", sorted(path.name for path in EVENTS.glob("*.json")))
def test_the_response_names_the_broken_messages(name: str) -> None:
    event = json.loads((EVENTS / name).read_text("utf-8"))
    ids = [record["messageId"] for record in event["Records"]]
    assert handler(event, None) == {
        "batchItemFailures": [{"itemIdentifier": ids[place]} for place in FAILING[name]]
    }


def test_every_expected_event_is_there() -> None:
    assert {path.name for path in EVENTS.glob("*.json")} == set(FAILING)


def test_the_sample_message_is_handled(caplog: pytest.LogCaptureFixture) -> None:
    event = json.loads((EVENTS / "all_valid.json").read_text("utf-8"))
    body = (MESSAGES / "new_message.json").read_text("utf-8")
    with caplog.at_level("INFO"):
        assert handler({"Records": [event["Records"][0] | {"body": body}]}, None) == {
            "batchItemFailures": []
        }
    assert "1 of 1 messages succeeded" in caplog.text
