{% set name = cookiecutter.message_name %}
{% set module = cookiecutter.__message_module %}
"""The message, and what `handle` does with it."""

import json
from pathlib import Path

import msgspec
import pytest
from sqskit.template import examples

from shared.{{ module }} import {{ name }}, handle

ROOT = Path(__file__).parents[1]
EXAMPLES = examples(ROOT / "contract" / "{{ module }}.json")


@pytest.mark.parametrize("body", EXAMPLES)
def test_every_field_of_the_example_is_read(body: str) -> None:
    message = msgspec.json.decode(body, type={{ name }})
    read = json.loads(msgspec.json.encode(message))
    assert json.loads(body).keys() <= read.keys()


@pytest.mark.parametrize("body", EXAMPLES)
def test_handle_logs_the_message(body: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle(msgspec.json.decode(body, type={{ name }}))
    assert "Handling" in caplog.text
