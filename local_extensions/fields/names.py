"""One name in several spellings, and the names that the generated code already uses."""

import builtins
import keyword
import re

# The names that generated modules import or define beside the message class.
TAKEN_CLASS_NAMES = frozenset(
    {
        "Annotated",
        "CONTRACT",
        "Decimal",
        "EVENT",
        "EXAMPLE",
        "FUNCTION",
        "Iterator",
        "Literal",
        "Path",
        "ROOT",
        "RunningStack",
        "TEMPLATE",
        "UUID",
    }
)

# Names that read like digits, which linters refuse.
_AMBIGUOUS = {"I", "O"}


def is_taken(class_name: str) -> bool:
    """Tell whether a class of this name would hide something in the generated code, or read like a digit."""
    taken = class_name in TAKEN_CLASS_NAMES or class_name in _AMBIGUOUS
    return taken or keyword.iskeyword(class_name) or hasattr(builtins, class_name)


def snake_case(name: str) -> str:
    """Turn `NewMessage` into `new_message`, and `HTTPRequest` into `http_request`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel_case(name: str) -> str:
    """Turn `order_id` into `orderId`, as msgspec's `rename="camel"` does."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def pascal_case(name: str) -> str:
    """Turn `order_item` into `OrderItem`."""
    return "".join(word.title() for word in name.split("_"))


def singular(name: str) -> str:
    """Turn `items` into `item`."""
    name = name.rstrip("_")
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if name.endswith(("sses", "shes", "ches", "xes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 2 else name
