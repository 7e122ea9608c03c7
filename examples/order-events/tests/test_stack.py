"""The stack in template.yaml keeps the rules of SQS and Lambda, and samconfig.toml fits it."""

from pathlib import Path

from sqskit.rules import environment_problems, problems

from new_message_processor.app import handler

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


def test_stack_breaks_no_rule() -> None:
    assert problems(TEMPLATE, handler.settings) == []


def test_environments_fit_the_stack() -> None:
    assert environment_problems(TEMPLATE) == []
