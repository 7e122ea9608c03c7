"""One name in several spellings, and the names that the generated code already uses."""

import builtins
import keyword
import re

from slugify import slugify

# The generated line that logs a field of this length fits into 100 characters.
LONGEST_PYTHON_NAME = 44

# The names that generated modules import or define beside the message class.
TAKEN_CLASS_NAMES = frozenset(
    {
        "Annotated",
        "Any",
        "CONTRACT",
        "Decimal",
        "Delivery",
        "EVENT",
        "EXAMPLES",
        "FUNCTION",
        "Iterator",
        "Literal",
        "Once",
        "Path",
        "ROOT",
        "Reject",
        "RetryLater",
        "RunningStack",
        "TEMPLATE",
        "UUID",
        "UserError",
    }
)

# The longest name in JSON.
LONGEST_NAME = 64

# Names that read like digits, which linters refuse.
_AMBIGUOUS = {"I", "O"}


def is_taken(class_name: str) -> bool:
    """Tell whether a class of this name would hide something in the generated code, or read like a digit."""
    taken = class_name in TAKEN_CLASS_NAMES or class_name in _AMBIGUOUS
    return taken or keyword.iskeyword(class_name) or hasattr(builtins, class_name)


# A word of a name: capitals (a plural s included), a word with or without a capital, or digits.
_WORD = re.compile(r"[A-Z]+s(?![a-z])[0-9]*|[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")


def snake_case(name: str) -> str:
    """Turn `NewMessage` into `new_message`, `sourceIPAddress` into `source_ip_address`."""
    return "_".join(_WORD.findall(name)).lower()


def camel_case(name: str) -> str:
    """Turn `order_id` into `orderId`."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def pascal_case(name: str) -> str:
    """Turn `order_item` into `OrderItem`."""
    return "".join(word.title() for word in name.split("_"))


def is_id(name: str) -> bool:
    """Tell whether a name in Python, such as `order_id`, is that of an id."""
    return name.rstrip("_").rpartition("_")[2] in {"id", "uuid"}


def singular(name: str) -> str:
    """Turn `items` into `item`."""
    name = name.rstrip("_")
    if name.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if name.endswith(("sses", "shes", "ches", "xes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) and len(name) > 2 else name


def python_name(wire_name: str) -> str:
    """Turn a name in JSON into a name in Python: `detail-type` into `detail_type`, `2nd` into `field_2nd`."""
    name = snake_case(slugify(wire_name, lowercase=False, separator="_"))[:LONGEST_PYTHON_NAME].strip("_")
    return name if name[:1].isalpha() else f"field_{name}".rstrip("_")


def can_be_wire_name(name: str) -> bool:
    """Tell whether a key in JSON can be the name of a field; msgspec allows no " and no \\ in one."""
    return len(name) <= LONGEST_NAME and name.isprintable() and not set(name) & {'"', "\\"}
