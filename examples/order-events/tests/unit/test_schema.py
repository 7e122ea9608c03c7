"""The JSON Schema in schema/ says what the class of the message says."""

from schema.write import SCHEMA, text


def test_the_schema_is_that_of_the_class() -> None:
    stale = f"schema/{SCHEMA.name} is not that of the class: run `make schema`"
    assert SCHEMA.read_text("utf-8") == text(), stale
