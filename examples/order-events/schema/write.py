"""Writes the JSON Schema of NewMessage from the class."""

import json
from pathlib import Path

import msgspec

from shared.new_message import NewMessage

SCHEMA = Path(__file__).parent / "new_message.json"


def text() -> str:
    """What has to stand in the file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= msgspec.json.schema(NewMessage)
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8", newline="\n")
