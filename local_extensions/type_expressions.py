"""Types and defaults of the field language: Python expressions, read with `ast` and never evaluated."""

import ast
import difflib
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from local_extensions.faults import Span, columns, short
from local_extensions.field_types import (
    SIGNS,
    Bounds,
    Choice,
    Container,
    Length,
    Message,
    Nullable,
    Scalar,
    Type,
    source,
)

SCALARS = ("str", "int", "float", "bool", "Decimal", "date", "time", "datetime", "UUID", "bytes")
ALLOWED = f'{", ".join(SCALARS)}, list[...], dict[str, ...], {{...}}, "a" | "b"'
CHOICE_FORMS = '"a" | "b"'
BOUND_FORMS = "int >= 1 or 1 <= int <= 5"
LENGTH_FORMS = "str[1:64], str[:64], str[1:] or str[8]"

# A string stands in a line of its own at worst, and that line is 100 wide.
LONGEST_STRING = 60

# msgspec takes bounds and choices of 64 bits. The outermost number is left out: nothing is beyond it.
LARGEST_NUMBER = 2**63 - 2

# So that a Decimal and the name of its field fit into one line.
LONGEST_DECIMAL = 20

# An SQS message has at most 1 MiB, and no part of it can be longer.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LONGEST_VALUE = 1_048_576

# What types are called in other languages and libraries, and here.
_OTHER_NAMES = {
    **dict.fromkeys(["string", "text", "varchar", "char"], "str"),
    **dict.fromkeys(["integer", "long", "short", "bigint", "number"], "int"),
    **dict.fromkeys(["double", "real"], "float"),
    **dict.fromkeys(["boolean"], "bool"),
    **dict.fromkeys(["money", "numeric"], "Decimal"),
    **dict.fromkeys(["timestamp", "instant"], "datetime"),
    **dict.fromkeys(["guid", "uuid4"], "UUID"),
    **dict.fromkeys(["binary", "blob", "bytearray"], "bytes"),
    **dict.fromkeys(["array", "tuple", "set", "frozenset", "sequence", "iterable"], "list[...]"),
    **dict.fromkeys(["map", "mapping"], "dict[str, ...]"),
    **dict.fromkeys(["object", "struct"], "{name: type, ...}"),
    "list": "list[...]",
    "dict": "dict[str, ...]",
    **{name.lower(): name for name in SCALARS},
}

_NULLS = {"null", "nil", "none", "undefined"}
_OPERATORS = {ast.GtE: "ge", ast.Gt: "gt", ast.LtE: "le", ast.Lt: "lt"}
_MIRRORED = {"ge": "le", "gt": "lt", "le": "ge", "lt": "gt"}
_NOT_CONSTANT = object()


@dataclass(frozen=True)
class TypeReader:
    """Reads the type in one part of a text.

    whole, place: the text and the part. text: that part, with a name in the place of each pair of
    braces. nested: those pairs. report: takes a fault. nested_message: reads a pair of braces; its
    second argument says whether it is the item of a list or dict.
    """

    whole: str
    place: Span
    text: str
    nested: set[Span]
    report: Callable[[Span, str], None]
    nested_message: Callable[[Span, bool], Message | None]

    def read(self) -> Type | None:
        """The type; None when a fault was reported."""
        node = _parsed(self.text)
        if node is None:
            text = self.source_at(self.place)
            self.report(self.place, f"{short(text)} is no type; {_hint(text)}")
            return None
        return self.type(node)

    def span(self, node: ast.expr) -> Span:
        def place(column: int | None) -> int:  # ast counts bytes, and a bracket before the text
            return self.place.start + len(self.text.encode()[: (column or 1) - 1].decode(errors="ignore"))

        if isinstance(node, ast.Compare):  # it may have lost alternatives at its ends
            return Span(self.span(node.left).start, self.span(node.comparators[-1]).end)
        return Span(place(node.col_offset), place(node.end_col_offset))

    def source_at(self, span: Span) -> str:
        return self.whole[span.start : span.end]

    def source(self, node: ast.expr) -> str:
        return self.source_at(self.span(node))

    def fault(self, node: ast.expr, complaint: str) -> Type | None:
        """Report a fault, in words that follow what stands there. Returns None, in place of a type."""
        self.report(self.span(node), f"{short(self.source(node))} {complaint}")
        return None

    def type(self, node: ast.expr, in_container: bool = False) -> Type | None:
        """The type of any expression: the alternatives between | in it."""
        alternatives = list(_alternatives(node))
        nulls = [part for part in alternatives if _constant(part) is None]
        choices = [part for part in alternatives if part not in nulls and _constant(part) is not _NOT_CONSTANT]
        types = [part for part in alternatives if part not in nulls and part not in choices]
        if len(nulls) > 1:
            return self.fault(nulls[1], "stands here twice")
        if null := next((part for part in types if isinstance(part, ast.Name) and part.id in _NULLS), None):
            return self.fault(null, "is no type; write None")
        if len(types) > 1 or (types and choices):
            return self.fault(
                (types[1:] or choices)[0], "cannot be another type of the field; allowed beside one: None"
            )
        if not types and not choices:
            return self.fault(node, "alone is no type; write str | None")
        found = self.choice(choices) if choices else self.single(types[0], in_container)
        return Nullable(found) if found and nulls else found

    def choice(self, nodes: list[ast.expr]) -> Type | None:
        """One of several strings or numbers."""
        values = [_constant(node) for node in nodes]
        for i, (node, value) in enumerate(zip(nodes, values, strict=True)):
            if type(value) not in (str, int):
                return self.fault(node, "is no choice; allowed: strings and whole numbers")
            if type(value) is not type(values[0]):
                return self.fault(node, "cannot be a choice here; all are strings, or all are numbers")
            if value in values[:i]:
                return self.fault(node, "stands here twice")
            if complaint := _unfit(value):
                return self.fault(node, complaint)
            if type(value) is str and not re.fullmatch(
                r"""[rRuU]?("([^"\\]|\\.)*"|'([^'\\]|\\.)*')""", self.source(node)
            ):
                return self.fault(node, f"are several strings; write {CHOICE_FORMS}")
        if len(values) == 1 and values[0] in SCALARS:
            return self.fault(nodes[0], f"in quotes would be the field's only value; write {values[0]}")
        return Choice(tuple(values))

    def single(self, node: ast.expr, in_container: bool = False) -> Type | None:
        """A type that is no alternative of several."""
        match node:
            case ast.Name() if self.span(node) in self.nested:
                return self.nested_message(self.span(node), in_container)
            case ast.Name(id=name) if name in SCALARS:
                return Scalar(name)
            case ast.Compare():
                return self.bounded(node, in_container)
            case ast.Subscript() if _is_length(node.slice):
                return self.measured(node)
            case ast.Subscript(value=ast.Name(id="list"), slice=item) if not isinstance(item, ast.Tuple):
                found = self.type(item, in_container=True)
                return Container("list", found) if found else None
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
                if self.source(key) != "str":
                    return self.fault(key, "cannot be a key, which is a string in JSON; write dict[str, ...]")
                found = self.type(item, in_container=True)
                return Container("dict", found) if found else None
        return self.fault(node, self.complaint(node))

    def complaint(self, node: ast.expr) -> str:
        """What to say of a node that is no type."""
        match node:
            case ast.Name(id="list") | ast.Subscript(value=ast.Name(id="list")):
                return "needs the one type of its items; write list[str]"
            case ast.Name(id="dict") | ast.Subscript(value=ast.Name(id="dict")):
                return "needs the types of its keys and values; write dict[str, str]"
            case ast.Name(id=name) | ast.Attribute(attr=name):
                meant = _meant(name)
                return f"is no type; write {meant}" if meant else f"is no type; allowed: {ALLOWED}"
            case ast.Subscript() | ast.List():
                better = self.translated(node)
                return f"is no type here; write {short(better)}" if better else f"is no type here; allowed: {ALLOWED}"
            case ast.Call():
                return (
                    f"is a call, which is no type; bounds are written {BOUND_FORMS}, "
                    f"lengths {LENGTH_FORMS}, choices {CHOICE_FORMS}"
                )
            case ast.JoinedStr():
                return "is an f-string, which is no type; write a string without f"
            case ast.Lambda():
                return f"is a lambda, which is no type; allowed: {ALLOWED}"
            case ast.NamedExpr():
                return "gives a name, which is no type; write the type alone"
        return f"is no type; allowed: {ALLOWED}"

    def translated(self, node: ast.expr) -> str | None:
        """What somebody who wrote a type of another library meant, None where that is not known."""
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                better = _meant(name) or name
                return None if "..." in better else better
            case ast.List(elts=[item]):
                of = self.translated(item)
                return f"list[{of}]" if of else None
            case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inside):
                parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                inner = [found for part in parts if (found := self.translated(part))]
                kind = _OTHER_NAMES.get(name.lower(), name.lower())
                if name.lower() == "literal":
                    return " | ".join(self.source(part) for part in parts)
                if len(inner) < len(parts):
                    return None
                if name.lower() in {"optional", "union"}:
                    return " | ".join(inner) + (" | None" if name.lower() == "optional" else "")
                if kind.startswith("dict"):
                    return f"dict[str, {inner[-1]}]"
                return f"list[{inner[0]}]" if kind.startswith("list") else None
        return self.source(node)

    def bounded(self, node: ast.Compare, in_container: bool) -> Type | None:
        """A number with bounds: one comparison, or the type between two."""
        operands = [node.left, *node.comparators]
        numbers = [i for i, operand in enumerate(operands) if _constant(operand) is not _NOT_CONSTANT]
        middle = 1 if len(operands) == 3 else next((i for i in (0, 1) if i not in numbers), None)
        if middle is None or middle in numbers or len(operands) > 3:
            return self.fault(node, f"is no bound; write {BOUND_FORMS}")
        base = self.single(operands[middle])
        if base is None:
            return None
        if not isinstance(base, Scalar) or base.name not in {"int", "float", "Decimal"} or base.bounds.items():
            complaint = "cannot have bounds here; int, float and Decimal can, and lengths are written str[:64]"
            return self.fault(operands[middle], complaint)
        limits: dict[str, Any] = {}
        for i, operator in enumerate(node.ops):
            before = i < middle  # as in 1 <= int, which means int >= 1
            name = _OPERATORS.get(type(operator), "")
            name = _MIRRORED.get(name, "") if before else name
            limit = self.number(operands[i] if before else operands[i + 1], base.name)
            if limit is None:
                return None
            if not name or any(name[0] == other[0] for other in limits):
                return self.fault(node, f"is no bound; write {BOUND_FORMS}")
            limits[name] = limit
        bounds = Bounds(**limits)
        if bounds.allowed({"int": 1, "float": 1.5, "Decimal": Decimal("1.50")}[base.name]) is None:
            asked = " and ".join(f"{SIGNS[name]} {limit}" for name, limit in bounds.items())
            return self.fault(node, f"allows nothing: no {base.name} is {asked}")
        if base.name == "Decimal" and in_container:
            return self.fault(
                node, "cannot be checked in a list or dict; write {amount: " + short(self.source(node)) + "}"
            )
        return replace(base, bounds=bounds)

    def number(self, node: ast.expr, type_name: str) -> Any:
        """A bound, as a number of the type that it bounds; None when a fault was reported."""
        value = _constant(node)
        if type(value) not in (int, float):
            return self.fault(node, f"is no number, and a bound has to be one; write {BOUND_FORMS}")
        found = _as_number(self.source(node), value, type_name)
        if found is None:
            allowed = {"int": "whole, of 64 bits", "float": "finite", "Decimal": f"up to {LONGEST_DECIMAL} characters"}
            return self.fault(node, f"cannot be a bound of {type_name}; allowed: {allowed[type_name]}")
        return found

    def measured(self, node: ast.Subscript) -> Type | None:
        """A type with a length."""
        base = self.single(node.value)
        if base is None:
            return None
        if not (isinstance(base, Container) or (isinstance(base, Scalar) and base.name in {"str", "bytes"})):
            return self.fault(node.value, "cannot have a length; str, bytes, list and dict can, bounds are written "
                                          f"{BOUND_FORMS}")  # fmt: skip
        if base.length.meta():
            return self.fault(node, "has two lengths; write one")
        match node.slice:
            case ast.Slice(lower=lower, upper=upper, step=None):
                least, greatest = (None if limit is None else _constant(limit) for limit in (lower, upper))
            case exact:
                least = greatest = _constant(exact)
        given = [limit for limit in (least, greatest) if limit is not None]
        fit = all(type(limit) is int and 0 <= limit <= LONGEST_VALUE for limit in given)
        if not given or not fit or given != sorted(given) or greatest == 0:
            return self.fault(node, f"does not give a length; write {LENGTH_FORMS}, up to {LONGEST_VALUE}")
        return replace(base, length=Length(least or None, greatest))


def read_default(text: str, type_: Type) -> tuple[str | None, str | None]:
    """A default as Python source for a field of that type, or None and what is wrong with it."""
    if not text:
        return None, "a default is missing behind ="
    node = _parsed(text)
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return None, f"{short(text)} cannot be a default, no list or object can; write | None = None"
    if text in {"true", "false", "null", "none"}:
        return None, f"{text} is no value in Python; write {'None' if text == 'null' else text.title()}"
    value = _NOT_CONSTANT if node is None else _constant(node)
    if value is _NOT_CONSTANT:
        return None, f"{short(text)} cannot be a default; allowed: a number, a string, True, False, None"
    if isinstance(type_, Nullable):
        if value is None:
            return "None", None
        type_ = type_.item
    elif value is None:
        return None, "None cannot be a default here; write | None = None behind the type"
    is_decimal = isinstance(type_, Scalar) and type_.name == "Decimal"
    if complaint := None if is_decimal else _unfit(value):
        return None, f"{short(text)} {complaint}"
    result, complaint = _default(text, value, type_)
    return result, f"{short(text)} {complaint}" if complaint else None


def _default(text: str, value: Any, type_: Type) -> tuple[str | None, str | None]:
    match type_:
        case Choice(values=values):
            chosen = value in values and type(value) is type(values[0])
            return (source(value), None) if chosen else (None, "is none of the choices")
        case Scalar(name="str", length=length) if type(value) is str:
            fits = length.nearest(len(value)) == len(value)
            return (source(value), None) if fits else (None, f"has {len(value)} characters, which the length forbids")
        case Scalar(name="bool") if type(value) is bool:
            return repr(value), None
        case Scalar(name="int" | "float" | "Decimal" as name) if type(value) in (int, float, str):
            written = value if type(value) is str else text
            number: Any = None if type(value) is str and name != "Decimal" else _as_number(written, value, name)
            if number is not None and not type_.bounds.allow(number):
                return None, "is out of the bounds"
            if number is not None:
                return (f'Decimal("{number}")' if name == "Decimal" else source(number)), None
            if name == "Decimal":
                return None, f"is no Decimal of up to {LONGEST_DECIMAL} characters"
        case Scalar(name="date" | "time" | "datetime" | "UUID" | "bytes") | Container() | Message():
            return None, "cannot be a default here; allowed for such a type: | None = None"
    return None, f"is no {type_.name}" if isinstance(type_, Scalar) else "is no default of this type"


def _parsed(text: str) -> ast.expr | None:
    """The syntax tree of an expression, None if it is none. Its columns are those of the text, plus one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something looks odd in Python does not matter here
        try:
            return ast.parse(f"({text})", mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None


def _constant(node: ast.expr) -> Any:
    """The plain value that a node stands for, negative numbers included, or _NOT_CONSTANT."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float() as value)):
            return value
    return _NOT_CONSTANT


def _is_length(node: ast.expr) -> bool:
    """Whether brackets hold a length, like [1:64] and [8], or types."""
    return isinstance(node, ast.Slice) or isinstance(_constant(node), int | float)


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of a | b | c.

    | binds tighter than >=, so that Python reads `int >= 1 | None` as `int >= (1 | None)`. Nobody
    means that: what stands beyond a | at either end of a comparison is an alternative to it.
    """
    if isinstance(node, ast.Compare):
        *before, node.left = _alternatives(node.left)
        node.comparators[-1], *after = _alternatives(node.comparators[-1])
        yield from (*before, node, *after)
        return
    right: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        right += reversed(list(_alternatives(node.right)))
        node = node.left
    yield from _alternatives(node) if right else [node]
    yield from reversed(right)


def _unfit(value: Any) -> str | None:
    """Why a value cannot stand in the generated source, if it cannot."""
    if isinstance(value, str) and not value.isprintable():
        return "cannot be printed; allowed: printable characters"
    if isinstance(value, str) and columns(value) > LONGEST_STRING:
        return f"is a string of {columns(value)} columns; allowed: {LONGEST_STRING}"
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        return "is too large; allowed: 64 bits"
    return None


def _as_number(text: str, value: int | float | str, type_name: str) -> int | float | Decimal | None:
    """A number of the named type that is written as `text`, None if that is none or too large."""
    if type_name == "int":
        return value if type(value) is int and abs(value) <= LARGEST_NUMBER else None
    try:
        if type_name == "float":
            finite = float(value) + 0.0  # -0.0 becomes 0.0: typing takes annotations with the two for the same
            return finite if math.isfinite(finite) else None
        number = Decimal(value if type(value) is int else re.sub(r"[\s_()]", "", text))
    except (InvalidOperation, OverflowError):
        return None
    return number if number.is_finite() and len(str(number)) <= LONGEST_DECIMAL else None


def _hint(text: str) -> str:
    """What to write in the place of a text that Python cannot read."""
    if re.search(r"=>|=<", text):
        return f"a bound is written {BOUND_FORMS}"
    if ";" in text:
        return "fields are separated by commas"
    if found := re.fullmatch(r"(\w+)\s*(\[\]|<.*>)", text):
        inner = found[1] if found[2] == "[]" else found[2][1:-1]
        return f"write list[{short(inner)}]"
    if found := re.fullmatch(r"\S+\s+([a-z_]\w*)", text):
        return f"is a comma missing before {short(found[1])}?"
    return f"allowed: {ALLOWED}"


def _meant(name: str) -> str | None:
    """The type that somebody who wrote `name` probably meant."""
    lower = name.lower()
    close = difflib.get_close_matches(lower, _OTHER_NAMES, n=1, cutoff=0.75) if len(lower) <= 50 else []
    return _OTHER_NAMES.get(lower) or (_OTHER_NAMES[close[0]] if close else None)
