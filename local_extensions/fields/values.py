"""Fixed values, bounds and defaults: which values the generated source can hold."""

import ast
import math
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from local_extensions.fields.expressions import NOT_CONSTANT, Wrong, constant
from local_extensions.fields.faults import code, columns
from local_extensions.fields.limits import allows, nearest_length
from local_extensions.fields.model import Anything, Choice, Default, DictOf, ListOf, Nullable, Scalar, Type, Union

# A string needs at most one line of its own, and lines are 100 wide.
LONGEST_STRING = 60

# msgspec accepts bounds and fixed values of 64 bits. Without the outermost number, there is always one beyond.
LARGEST_NUMBER = 2**63 - 2

# A Decimal and the name of its field fit into one line.
LONGEST_DECIMAL = 20

_EMPTY: dict[str, Any] = {"[]": [], "{}": {}}
_NOT_PYTHON = {"true": "True", "false": "False", "null": "None", "none": "None"}


def unfit(value: Any) -> str | None:
    """Say why the generated source cannot hold a value; None if it can."""
    if isinstance(value, str) and not value.isprintable():
        return "contains a character that cannot be printed"
    if isinstance(value, str) and columns(value) > LONGEST_STRING:
        return f"is {columns(value)} columns wide; the limit is {LONGEST_STRING}"
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        return "is too large for 64 bits"
    return None


def as_number(text: str, value: int | float | str, type_name: str) -> int | float | Decimal | None:
    """Return the number of a type that is written as `text`; None if there is none or it is too large."""
    if type_name == "int":
        return value if type(value) is int and abs(value) <= LARGEST_NUMBER else None
    try:
        if type_name == "float":
            # -0.0 becomes 0.0, because typing treats annotations with the two as equal.
            finite = float(value) + 0.0
            return finite if math.isfinite(finite) else None
        number = Decimal(value if type(value) is int else re.sub(r"[\s_()]", "", text))
    except (InvalidOperation, OverflowError):
        return None
    return number if number.is_finite() and len(str(number)) <= LONGEST_DECIMAL else None


def read_default(node: ast.expr, text: str, type_: Type) -> Default:
    """Return the default that is written as `text`, for a field of a type. Raises Wrong."""
    shown = code(text)
    if isinstance(type_, Nullable) and text != "None":
        type_ = type_.item
    elif isinstance(type_, Nullable | Anything) and text == "None":
        return Default(None)
    empty = _EMPTY.get(text)
    if empty is not None and any(_may_be_empty(each, type(empty)) for each in _options(type_)):
        return Default(empty)
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp) or text.startswith("{"):
        raise Wrong(node, f"{shown} cannot be a default here; a list can default to [], a dict to {{}}, others to None")
    if text in _NOT_PYTHON:
        raise Wrong(node, f"{shown} is not a value in Python; write {_NOT_PYTHON[text]}")
    value = constant(node)
    if value is NOT_CONSTANT:
        raise Wrong(node, f"{shown} cannot be a default; use a number, a string, True, False or None")
    if value is None:
        raise Wrong(node, "None cannot be a default here; write | None = None after the type")
    is_decimal = isinstance(type_, Scalar) and type_.name == "Decimal"
    if complaint := None if is_decimal else unfit(value):
        raise Wrong(node, f"{shown} {complaint}")
    return Default(_converted(node, text, value, type_))


def _options(type_: Type) -> tuple[Type, ...]:
    return type_.options if isinstance(type_, Union) else (type_,)


def _may_be_empty(type_: Type, empty: type) -> bool:
    """Tell whether a type allows an empty list, or an empty dict."""
    match type_:
        case ListOf(length=length) if empty is list:
            return nearest_length(length, 0) == 0
        case DictOf(length=length) if empty is dict:
            return nearest_length(length, 0) == 0
    return False


def _converted(node: ast.expr, text: str, value: Any, type_: Type) -> Any:
    """Return a default as a value of the field's type. Raises Wrong."""
    shown = code(text)
    match type_:
        case Anything():
            return value
        case Union(options=options):
            for option in options:
                with suppress(Wrong):
                    return _converted(node, text, value, option)
            raise Wrong(node, f"{shown} is not a value of any of the types")
        case Choice(values=values):
            if value in values and type(value) is type(values[0]):
                return value
            raise Wrong(node, f"{shown} is not one of the fixed values")
        case Scalar(name="str", length=length) if type(value) is str:
            if nearest_length(length, len(value)) == len(value):
                return value
            raise Wrong(node, f"{shown} has a length of {len(value)}, which is not allowed")
        case Scalar(name="bool") if type(value) is bool:
            return value
        case Scalar(name="int" | "float" | "Decimal" as name, bounds=bounds) if type(value) in (int, float, str):
            is_text = type(value) is str
            number = None if is_text and name != "Decimal" else as_number(value if is_text else text, value, name)
            if number is not None and not allows(bounds, number):
                raise Wrong(node, f"{shown} is outside the bounds")
            if number is not None:
                return number
            if name == "Decimal":
                raise Wrong(node, f"{shown} is not a Decimal of up to {LONGEST_DECIMAL} characters")
    if isinstance(type_, Scalar) and type_.name in {"str", "bool", "int", "float", "Decimal"}:
        better = f'; write "{text}"' if type_.name == "str" else ""
        raise Wrong(node, f"{shown} is not a valid {type_.name}{better}")
    raise Wrong(node, f"{shown} cannot be a default; this type can only default to None: | None = None")
