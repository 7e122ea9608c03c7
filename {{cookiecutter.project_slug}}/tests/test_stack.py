"""The stack in template.yaml keeps the rules of SQS and Lambda."""

from pathlib import Path

from sqskit.rules import problems

from sqs.batch import RESERVE_SECONDS

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


def test_stack_breaks_no_rule() -> None:
    assert problems(TEMPLATE, RESERVE_SECONDS) == []
