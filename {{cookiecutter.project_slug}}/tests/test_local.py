"""The stack on this machine: what becomes of a good message, and of a broken one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqskit.template import examples
from sqskit.testing import RunningStack, running

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[1]
FUNCTION = "{{ cookiecutter.message_name }}ProcessorFunction"


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    with running(ROOT / "template.yaml", FUNCTION) as stack:
        yield stack


def test_good_messages_leave_the_queue(stack: RunningStack) -> None:
    for body in examples(ROOT / "contract" / "{{ cookiecutter.__message_module }}.json"):
        stack.send(body)
    stack.wait_until(stack.is_empty)
    assert stack.dead_letters() == []


{% if cookiecutter.idempotency_key %}
def test_message_sent_twice_is_handled_once(stack: RunningStack) -> None:
    body = examples(ROOT / "contract" / "{{ cookiecutter.__message_module }}.json")[0]
    handled = stack.counted("succeeded")
    for _ in range(2):
        stack.send(body)
    stack.wait_until(lambda: stack.is_empty() and stack.counted("duplicates") > 0)
    assert stack.counted("succeeded") - handled <= 1


{% endif %}
def test_broken_message_becomes_a_dead_letter(stack: RunningStack) -> None:
    stack.send("broken")
    stack.wait_until(stack.dead_letters)
    assert stack.dead_letters() == ["broken"]
