"""The annotation of a field -> its type."""

import ast
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from local_extensions.fields.expressions import NOT_CONSTANT, Code, Wrong, alternatives, constant
from local_extensions.fields.faults import Span, code, short
from local_extensions.fields.kinds import tags_of, told_apart, typed_constants, why_not
from local_extensions.fields.limits import SIGNS, allowed, given
from local_extensions.fields.model import (
    Anything,
    Bounds,
    Choice,
    DictOf,
    Length,
    ListOf,
    Message,
    Nullable,
    Scalar,
    Tag,
    Type,
    Union,
)
from local_extensions.fields.values import LONGEST_DECIMAL, as_number, unfit

SCALARS = ("str", "int", "float", "bool", "Decimal", "date", "time", "datetime", "UUID", "bytes")
TYPES = f'{", ".join(SCALARS)}, any, list[...], dict[str, ...], {{...}} or "a" | "b"'
CHOICE_FORMS = '"a" | "b"'
BOUND_FORMS = "int >= 1 or 1 <= int <= 5"
LENGTH_FORMS = "str[1:64], str[:64], str[1:] or str[8]"
FORMS = f"bounds are written {BOUND_FORMS}, lengths {LENGTH_FORMS}, fixed values {CHOICE_FORMS}"

# An SQS message has at most 1 MiB, and no part of it can be longer.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LONGEST_VALUE = 1_048_576

# The names of the types in other languages and libraries.
_OTHER_NAMES = {
    **dict.fromkeys(["string", "text", "varchar", "char"], "str"),
    **dict.fromkeys(["integer", "long", "short", "bigint", "number"], "int"),
    **dict.fromkeys(["double", "real"], "float"),
    **dict.fromkeys(["boolean"], "bool"),
    **dict.fromkeys(["money", "numeric"], "Decimal"),
    **dict.fromkeys(["timestamp", "instant"], "datetime"),
    **dict.fromkeys(["guid", "uuid4"], "UUID"),
    **dict.fromkeys(["binary", "blob", "bytearray"], "bytes"),
    **dict.fromkeys(["array", "tuple", "set", "frozenset", "sequence", "iterable"], "list"),
    **dict.fromkeys(["map", "mapping"], "dict"),
    **dict.fromkeys(["struct", "json"], "dict"),
    "list": "list",
    "dict": "dict",
    "any": "any",
    "object": "object",
    **{name.lower(): name for name in SCALARS},
}

# Types that hold anything.
_FREE: dict[str, Type] = {
    "any": Anything(),
    "object": DictOf(Anything()),
    "dict": DictOf(Anything()),
    "list": ListOf(Anything()),
}

_NULLS = {"null", "nil", "none", "undefined"}
_OPERATORS = {ast.GtE: "ge", ast.Gt: "gt", ast.LtE: "le", ast.Lt: "lt"}
_MIRRORED = {"ge": "le", "gt": "lt", "le": "ge", "lt": "gt"}
_ONE_STRING = re.compile(r"""[rRuU]?("([^"\\]|\\.)*"|'([^'\\]|\\.)*')""")
_EXAMPLES: dict[str, Any] = {"int": 1, "float": 1.5, "Decimal": Decimal("1.50")}
_NUMBERS = {
    "int": "whole number of 64 bits",
    "float": "finite number",
    "Decimal": f"number of up to {LONGEST_DECIMAL} characters",
}


class FaultsInside(Exception):
    """The faults are in a pair of braces, and are already reported."""


@dataclass(frozen=True)
class TypeReader:
    """Reads the type in a piece of code. Its methods raise Wrong for the first fault, or FaultsInside.

    nested: reads the fields in a pair of braces, and returns None if it has reported faults in them. It is
    also told whether the object is an item of a list or dict, and its tag if it has one.
    known: the objects that were typed before, by the names of their classes.
    is_tag: this is the constant that tells an object from others, which can be called "date".
    """

    code: Code
    nested: Callable[[Span, bool, Tag | None], Message | None]
    known: Mapping[str, Message]
    is_tag: bool = False

    def read(self, node: ast.expr) -> Type | None:
        """Return the type of an expression; None if it has faults, which are reported."""
        try:
            return self.type(node)
        except Wrong as wrong:
            self.code.source.fault(self.code.span(wrong.node), wrong.what)
        except FaultsInside:
            pass
        self.read_all_braces(node)
        return None

    def read_all_braces(self, node: ast.expr) -> None:
        """Report the faults in braces that a fault around them kept from being read."""
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and self.code.is_braces(each):
                self.nested(self.code.span(each), True, None)

    def shown(self, node: ast.expr) -> str:
        """Return a node as it was typed, in backticks."""
        return code(self.code.typed(node))

    # --- alternatives ---

    def type(self, node: ast.expr, in_container: bool = False) -> Type:
        options = list(alternatives(node))
        nulls = [each for each in options if constant(each) is None]
        choices = [each for each in options if each not in nulls and constant(each) is not NOT_CONSTANT]
        types = [each for each in options if each not in nulls and each not in choices]
        if len(nulls) > 1:
            raise Wrong(nulls[1], "`None` appears twice")
        if null := next((each for each in types if self.code.typed(each) in _NULLS), None):
            raise Wrong(null, f"unknown type {self.shown(null)}; write None")
        if len(types) > 1 and all(self.is_word(each) for each in types):
            values = " | ".join(f'"{self.code.typed(each)}"' for each in types)
            raise Wrong(node, f"fixed values need quotes: {short(values)}")
        if not types and not choices:
            raise Wrong(node, f"{self.shown(node)} alone is not a type; write str | None")
        in_container = in_container or len(types) + bool(choices) > 1
        tags = self.tags(types)
        found = {each: self.single(each, in_container, tags.get(each)) for each in types}
        if choices:
            found[choices[0]] = self.choice(choices)
        only = self.union({each: found[each] for each in options if each in found})
        return Nullable(only) if nulls and not isinstance(only, Anything) else only

    def union(self, options: dict[ast.expr, Type]) -> Type:
        """Return the union of types, each given with its node, if JSON tells them apart."""
        if len(options) == 1:
            return next(iter(options.values()))
        objects = {node: type_ for node, type_ in options.items() if isinstance(type_, Message)}
        have_tags = len(objects) > 1 and told_apart(list(objects.values()))
        kinds: dict[str, ast.expr] = {}
        for node, type_ in options.items():
            kind = json_kind(type_)
            if have_tags and kinds.get(kind) in objects:
                continue
            if kind in kinds or kind == "anything":
                other = kinds.get(kind) or next(each for each in options if each is not node)
                raise Wrong(node, f"JSON cannot tell {self.shown(node)} from {self.shown(other)}; keep one of them")
            kinds[kind] = node
        return Union(tuple(options.values()))

    def tags(self, nodes: list[ast.expr]) -> dict[ast.expr, Tag]:
        """Return the tags of objects in braces, if there are several."""
        objects = [each for each in nodes if self.code.is_braces(each)]
        if len(objects) < 2:
            return {}
        constants = [typed_constants(self.code.source, self.code.span(each)) for each in objects]
        tags = tags_of(constants)
        if tags:
            return dict(zip(objects, tags, strict=True))
        if None in [self.nested(self.code.span(each), True, None) for each in objects]:
            raise FaultsInside  # one of them may be why there is no tag
        place, why = why_not(constants)
        raise Wrong(objects[place], f"JSON cannot tell {self.shown(objects[place])} apart: {why}")

    def is_word(self, node: ast.expr) -> bool:
        """Tell whether a node is a name that does not remind of a type."""
        if not isinstance(node, ast.Name) or self.code.is_braces(node):
            return False
        return node.id not in self.known and not _meant(node.id)

    def choice(self, nodes: list[ast.expr]) -> Choice:
        values = [constant(node) for node in nodes]
        for i, (node, value) in enumerate(zip(nodes, values, strict=True)):
            shown = self.shown(node)
            if type(value) not in (str, int):
                raise Wrong(node, f"{shown} cannot be a fixed value; use strings or whole numbers")
            if type(value) is not type(values[0]):
                raise Wrong(node, f"{shown} cannot be mixed with the others; use only strings or only numbers")
            if value in values[:i]:
                raise Wrong(node, f"{shown} appears twice")
            if complaint := unfit(value):
                raise Wrong(node, f"{shown} {complaint}")
            if type(value) is str and not _ONE_STRING.fullmatch(self.code.typed(node)):
                raise Wrong(node, f"{shown} are several strings; write {CHOICE_FORMS}")
        if len(values) == 1 and values[0] in SCALARS and not self.is_tag:
            raise Wrong(nodes[0], f"{self.shown(nodes[0])} in quotes is a fixed value; write {values[0]}")
        return Choice(tuple(values))

    # --- one type ---

    def single(self, node: ast.expr, in_container: bool = False, tag: Tag | None = None) -> Type:
        match node:
            case ast.Name() if self.code.is_braces(node):
                message = self.nested(self.code.span(node), in_container, tag)
                if message is None:
                    raise FaultsInside
                return message
            case ast.Name(id=name) if name in SCALARS:
                return Scalar(name)
            case ast.Name(id=name) if name in _FREE:
                return _FREE[name]
            case ast.Name(id=name) if name in self.known:
                return self.known[name]
            case ast.Compare():
                return self.bounded(node, in_container)
            case ast.Subscript() if _is_length(node.slice):
                return self.measured(node)
            case ast.Subscript(value=ast.Name(id="list"), slice=item) if not isinstance(item, ast.Tuple):
                return ListOf(self.type(item, in_container=True))
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
                if self.code.typed(key) != "str":
                    raise Wrong(key, "a key is a string in JSON; write dict[str, ...]")
                return DictOf(self.type(item, in_container=True))
        raise Wrong(node, self.complaint(node))

    def complaint(self, node: ast.expr) -> str:
        """Say why a node is not a type."""
        shown = self.shown(node)
        match node:
            case ast.Subscript(value=ast.Name(id="list")):
                return f"{shown} needs the type of its items; write list[str]"
            case ast.Subscript(value=ast.Name(id="dict")):
                return f"{shown} needs the types of its keys and values; write dict[str, str]"
            case ast.Name() | ast.Attribute():
                meant = _meant(self.code.typed(node).rpartition(".")[2])
                return f"unknown type {shown}; " + (f"did you mean `{meant}`?" if meant else f"use {TYPES}")
            case ast.Subscript() | ast.List():
                better = self.translated(node)
                return f"unknown type {shown}; " + (f"write {code(better)}" if better else f"use {TYPES}")
            case ast.Call():
                return f"{shown} is a call, not a type; {FORMS}"
            case ast.JoinedStr():
                return f"{shown} is an f-string, not a type; write a string without f"
            case ast.NamedExpr():
                return f"{shown} is an assignment, not a type; write the type alone"
        return f"{shown} is not a type; use {TYPES}"

    def translated(self, node: ast.expr) -> str | None:
        """Translate a type as other libraries write it; None if its meaning is unknown."""
        match node:
            case ast.Name() | ast.Attribute() if not self.code.is_braces(node):
                name = self.code.typed(node).rpartition(".")[2]
                return _meant(name) or name
            case ast.List(elts=[item]):
                of = self.translated(item)
                return f"list[{of}]" if of else None
            case ast.List(elts=[_, *_] as items) if all(type(constant(item)) in (str, int) for item in items):
                return " | ".join(self.code.typed(item) for item in items)
            case ast.List():
                return None
            case ast.Subscript(value=ast.Name() | ast.Attribute() as value, slice=inside):
                items = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                return self.translated_generic(self.code.typed(value).rpartition(".")[2], items)
        return self.code.typed(node)

    def translated_generic(self, name: str, items: list[ast.expr]) -> str | None:
        if name.lower() == "literal":
            return " | ".join(self.code.typed(item) for item in items)
        inner = [found for item in items if (found := self.translated(item))]
        if len(inner) < len(items):
            return None
        match _OTHER_NAMES.get(name.lower(), name.lower()):
            case "optional":
                return f"{inner[0]} | None"
            case "union":
                return " | ".join(inner)
            case "dict":
                return f"dict[str, {inner[-1]}]"
            case "list":
                return f"list[{' | '.join(dict.fromkeys(each for each in inner if each != '...'))}]"
        return None

    # --- bounds and lengths ---

    def bounded(self, node: ast.Compare, in_container: bool) -> Scalar:
        """Read a number with bounds: one comparison, or the type between two."""
        operands = [node.left, *node.comparators]
        numbers = [i for i, operand in enumerate(operands) if constant(operand) is not NOT_CONSTANT]
        middle = 1 if len(operands) == 3 else next((i for i in (0, 1) if i not in numbers), None)
        not_a_bound = f"{self.shown(node)} is not a bound; write {BOUND_FORMS}"
        if middle is None or middle in numbers or len(operands) > 3:
            raise Wrong(node, not_a_bound)
        base = self.single(operands[middle])
        if not isinstance(base, Scalar) or base.name not in _NUMBERS or given(base.bounds):
            shown = self.shown(operands[middle])
            raise Wrong(
                operands[middle],
                f"{shown} cannot have bounds; int, float and Decimal can, and lengths are written str[:64]",
            )
        limits: dict[str, Any] = {}
        for i, operator in enumerate(node.ops):
            before = i < middle  # as in 1 <= int, which means int >= 1
            name = _OPERATORS.get(type(operator), "")
            name = _MIRRORED.get(name, "") if before else name
            limit = self.limit(operands[i] if before else operands[i + 1], base.name)
            if not name or any(name[0] == other[0] for other in limits):
                raise Wrong(node, not_a_bound)
            limits[name] = limit
        return self.with_bounds(node, base, Bounds(**limits), in_container)

    def with_bounds(self, node: ast.Compare, base: Scalar, bounds: Bounds, in_container: bool) -> Scalar:
        if allowed(bounds, _EXAMPLES[base.name]) is None:
            asked = " and ".join(f"{SIGNS[name]} {limit}" for name, limit in given(bounds))
            raise Wrong(node, f"{self.shown(node)} allows no value: no {base.name} is {asked}")
        if base.name == "Decimal" and in_container:
            better = "{amount: " + self.code.typed(node) + "}"
            raise Wrong(node, f"the bounds of a Decimal cannot be checked in a list or dict; write {code(better)}")
        return replace(base, bounds=bounds)

    def limit(self, node: ast.expr, type_name: str) -> Any:
        """Return a bound as a number of the type that it bounds."""
        value, shown = constant(node), self.shown(node)
        if type(value) not in (int, float):
            raise Wrong(node, f"a bound must be a number, not {shown}; write {BOUND_FORMS}")
        found = as_number(self.code.typed(node), value, type_name)
        if found is None:
            raise Wrong(node, f"{shown} cannot be a bound of {type_name}; use a {_NUMBERS[type_name]}")
        return found

    def measured(self, node: ast.Subscript) -> Type:
        """Read a type with a length."""
        base = self.single(node.value)
        if not (isinstance(base, ListOf | DictOf) or (isinstance(base, Scalar) and base.name in {"str", "bytes"})):
            shown = self.shown(node.value)
            raise Wrong(
                node.value,
                f"{shown} cannot have a length; str, bytes, list and dict can, and bounds are written {BOUND_FORMS}",
            )
        if base.length != Length():
            raise Wrong(node, f"{self.shown(node)} has two lengths; write one")
        match node.slice:
            case ast.Slice(lower=lower, upper=upper, step=None):
                least, greatest = (None if limit is None else constant(limit) for limit in (lower, upper))
            case exact:
                least = greatest = constant(exact)
        limits = [limit for limit in (least, greatest) if limit is not None]
        fit = all(type(limit) is int and 0 <= limit <= LONGEST_VALUE for limit in limits)
        if not limits or not fit or limits != sorted(limits) or greatest == 0:
            shown = self.shown(node)
            raise Wrong(node, f"{shown} is not a length; write {LENGTH_FORMS}, up to {LONGEST_VALUE}")
        return replace(base, length=Length(least or None, greatest))


def json_kind(type_: Type) -> str:
    """Return what JSON tells a type apart by. msgspec decodes a union only if its kinds differ."""
    match type_:
        case Scalar(name="int" | "float" | "bool" as name):
            return name
        case Choice(values=(int(), *_)):
            return "int"
        case ListOf():
            return "array"
        case DictOf() | Message():
            return "object"
        case Anything():
            return "anything"
    return "string"


def hint(text: str) -> str:
    """Say what to write in the place of a text that Python cannot parse."""
    if re.search(r"=>|=<", text):
        return f"bounds are written {BOUND_FORMS}"
    if ";" in text:
        return "fields are separated by commas"
    if found := re.fullmatch(r"(.+?)\s*\?", text):
        return f"write `{short(found[1])} | None`"
    if found := re.fullmatch(r"(.+?)\s*\[\]|\w+\s*<(.*)>", text):
        return f"write `list[{short(found[1] or found[2])}]`"
    if found := re.fullmatch(r"\S+\s+([a-z_]\w*)", text):
        return f"is a comma missing before {code(found[1])}?"
    return f"use {TYPES}"


def _is_length(node: ast.expr) -> bool:
    """Tell whether brackets hold a length, such as [1:64] or [8], and not types."""
    return isinstance(node, ast.Slice) or isinstance(constant(node), int | float)


def _meant(name: str) -> str | None:
    """Return the type that somebody who typed this name probably meant."""
    lower = name.lower()
    close = difflib.get_close_matches(lower, _OTHER_NAMES, n=1, cutoff=0.75) if len(lower) <= 50 else []
    return _OTHER_NAMES.get(lower) or (_OTHER_NAMES[close[0]] if close else None)
