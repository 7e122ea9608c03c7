{% set module = cookiecutter.__message_module %}
"""The Lambda function, called with an SQS event."""

import json
from pathlib import Path

import pytest
from sqskit.rules import silent_metrics

from {{ module }}_processor.app import handler

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "contract"
EVENT = json.loads((CONTRACT / "{{ module }}.event.json").read_text("utf-8"))


def test_good_messages_succeed() -> None:
    assert handler(EVENT, None) == {"batchItemFailures": []}


def test_only_the_broken_message_is_reported() -> None:
    good = EVENT["Records"][0]
    broken = good | {"messageId": "broken", "body": "{"}
    assert handler({"Records": [good, broken]}, None) == {
        "batchItemFailures": [{"itemIdentifier": "broken"}]
    }


def test_every_metric_of_the_stack_is_found_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handler(EVENT, None)
    assert silent_metrics(ROOT / "template.yaml", caplog.records) == []
