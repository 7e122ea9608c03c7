"""The message, and what `handle` does with it."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.new_message import NewMessage, handle

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "contract" / "new_message.json").read_bytes()


def test_every_field_of_the_example_is_read() -> None:
    message = msgspec.json.decode(EXAMPLE, type=NewMessage)
    read = json.loads(msgspec.json.encode(message))
    assert json.loads(EXAMPLE).keys() <= read.keys()


def test_handle_logs_the_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle(msgspec.json.decode(EXAMPLE, type=NewMessage))
    assert "Handling the message" in caplog.text
