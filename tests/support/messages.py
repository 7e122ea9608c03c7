"""From the field language to a message, its source and its class."""

import types
from typing import Any

from local_extensions.fields import parse_fields
from local_extensions.fields.model import Message
from local_extensions.output.python import definitions, imports


def message_of(text: str) -> Message:
    return Message("Order", parse_fields(text, "Order"))


def module_source(message: Message) -> str:
    """Return the part of the generated module that depends on the fields."""
    lines = ["import logging", *imports(message), "", "import msgspec", ""]
    lines += ["logger = logging.getLogger(__name__)", ""]
    return "\n".join(lines) + "".join(f"\n\n{text}\n" for text in definitions(message))


def class_of(message: Message) -> Any:
    module = types.ModuleType("generated")
    exec(compile(module_source(message), "generated.py", "exec"), module.__dict__)
    return getattr(module, message.class_name)
