{% set name = cookiecutter.message_name %}
{% set module = cookiecutter.__message_module %}
"""The message, and what `handle` does with it."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.{{ module }} import {{ name }}, handle

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "contract" / "{{ module }}.json").read_bytes()


def test_every_field_of_the_example_is_read() -> None:
    message = msgspec.json.decode(EXAMPLE, type={{ name }})
    read = json.loads(msgspec.json.encode(message))
    assert json.loads(EXAMPLE).keys() <= read.keys()


def test_handle_logs_the_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle(msgspec.json.decode(EXAMPLE, type={{ name }}))
    assert "Handling the message" in caplog.text
