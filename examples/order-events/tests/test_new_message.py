"""The message, and what `handle` does with it."""

import json
from pathlib import Path

import msgspec
import pytest
from sqskit.template import examples

from shared.new_message import NewMessage, handle

ROOT = Path(__file__).parents[1]
EXAMPLES = examples(ROOT / "contract" / "new_message.json")


@pytest.mark.parametrize("body", EXAMPLES)
def test_every_field_of_the_example_is_read(body: str) -> None:
    message = msgspec.json.decode(body, type=NewMessage)
    read = json.loads(msgspec.json.encode(message))
    assert json.loads(body).keys() <= read.keys()


@pytest.mark.parametrize("body", EXAMPLES)
def test_handle_logs_the_message(body: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle(msgspec.json.decode(body, type=NewMessage))
    assert "Handling" in caplog.text
