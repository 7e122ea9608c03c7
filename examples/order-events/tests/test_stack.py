"""The stack in template.yaml keeps the rules of SQS and Lambda, and what deploys it fits it."""

from pathlib import Path

from sqskit.rules import environment_problems, missing_permissions, problems

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"


def test_stack_breaks_no_rule() -> None:
    assert problems(TEMPLATE) == []


def test_environments_fit_the_stack() -> None:
    assert environment_problems(TEMPLATE) == []


def test_deploy_role_allows_what_the_stack_needs_and_nothing_more() -> None:
    assert missing_permissions(TEMPLATE, ROOT / "deploy-role.yaml") == []
