"""Check that messages which producers send today stay valid when the message class changes."""

import json
from pathlib import Path

from sqskit.compatibility.comparison import breaks
from sqskit.compatibility.revision import SCHEMAS, schemas
from sqskit.compatibility.schemas import Schema
from sqskit.errors import UserError
from sqskit.template import read


def check(template: Path, revision: str) -> None:
    """Compare the schemas in contract/ with those of a git revision, and print the result.

    Raises UserError if a body that is valid at the revision would fail now.
    """
    read(template)
    root = template.parent
    before = schemas(root, revision)
    now = {f"contract/{path.name}" for path in root.glob(f"contract/*{SCHEMAS}")}
    refused = False
    for name in sorted(before.keys() | now):
        if name not in before:
            print(f"{name} is new")
            continue
        old = parsed(before[name], f"{name} at {revision}")
        if name in now:
            new = parsed((root / name).read_bytes(), name)
            found = compared(old, new)
        else:
            found = ["it is gone; producers that send this message today would fail"]
        for line in found:
            print(f"{name}: {line}")
        if not found:
            print(f"{name} accepts every body that it accepted at {revision}")
        refused = refused or bool(found)
    if refused:
        raise UserError(
            f"producers that follow the contract at {revision} would fail; make the change "
            "optional, or send the new message to a queue of its own"
        )


def compared(old: Schema, new: Schema) -> list[str]:
    """Return what breaks, or that it cannot be found out."""
    try:
        return breaks(old, new)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        return [f"cannot compare schemas that msgspec does not write: {error!r}"]


def parsed(text: bytes, name: str) -> Schema:
    """Return a JSON Schema. Raises UserError if it is not one."""
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise UserError(f"{name} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise UserError(f"{name} is not a JSON Schema; write it again with `make contract`")
    return schema
