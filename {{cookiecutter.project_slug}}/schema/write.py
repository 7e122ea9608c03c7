{% set name = cookiecutter.message_name %}
{% set module = cookiecutter.__message_module %}
"""Writes the JSON Schema of {{ name }} from the class."""

import json
from pathlib import Path

import msgspec

from shared.{{ module }} import {{ name }}

SCHEMA = Path(__file__).parent / "{{ module }}.json"


def text() -> str:
    """What has to stand in the file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= msgspec.json.schema({{ name }})
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8", newline="\n")
