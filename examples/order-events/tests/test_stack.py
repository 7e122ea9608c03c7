"""The stack in template.yaml: it keeps the rules of SQS and Lambda, and its metrics are logged."""

import json
from pathlib import Path

import pytest
from sqskit.rules import problems, silent_metrics

from new_message_processor.app import handler
from sqs.batch import RESERVE_SECONDS

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"


def test_stack_breaks_no_rule() -> None:
    assert problems(TEMPLATE, RESERVE_SECONDS) == []


def test_every_metric_is_found_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    event = json.loads((ROOT / "contract" / "new_message.event.json").read_text("utf-8"))
    with caplog.at_level("INFO"):
        handler(event, None)
    assert silent_metrics(TEMPLATE, caplog.records) == []
