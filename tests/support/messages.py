"""From the field language to a message, its source and its class."""

import types
from typing import Any

from local_extensions.fields import parse_message
from local_extensions.fields.model import Kinds, Message
from local_extensions.output.python import definitions, imports


def parsed(text: str) -> Message | Kinds:
    return parse_message(text, "Order")


def message_of(text: str) -> Message:
    message = parsed(text)
    assert isinstance(message, Message)
    return message


def kinds_in(message: Message | Kinds) -> tuple[Message, ...]:
    return message.kinds if isinstance(message, Kinds) else (message,)


def module_source(message: Message | Kinds) -> str:
    """Return the part of the generated module that depends on the fields."""
    lines = ["import logging", *imports(message), "", "import msgspec", ""]
    lines += ["logger = logging.getLogger(__name__)", ""]
    return "\n".join(lines) + "".join(f"\n\n{text}\n" for text in definitions(message))


def class_of(message: Message | Kinds) -> Any:
    module = types.ModuleType("generated")
    exec(compile(module_source(message), "generated.py", "exec"), module.__dict__)
    return module.Order
