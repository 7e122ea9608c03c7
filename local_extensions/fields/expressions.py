"""Python's own parser, on parts of the typed text. Nothing is ever evaluated."""

import ast
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from local_extensions.fields.faults import Span
from local_extensions.fields.source import Source

NOT_CONSTANT = object()


class Wrong(Exception):
    """A node does not mean what it should: `what` says why, and what to write instead."""

    def __init__(self, node: ast.expr, what: str) -> None:
        super().__init__(what)
        self.node = node
        self.what = what


class Parameter(NamedTuple):
    """The annotation and the default of a parameter of a signature."""

    annotation: ast.expr
    default: ast.expr | None


class Code:
    """A part of a text as Python can parse it.

    Python knows no objects with types in braces, so a name of the same length takes the place of each
    pair of braces. It is never shown: a node's own text is read from the source.
    """

    def __init__(self, source: Source, span: Span) -> None:
        self.source = source
        self.start = span.start
        self.braces = source.braces(span)
        self.text = source.at(span)
        for start, end in self.braces:
            self._replace(Span(start, end), "_")
        self.prefix = ""

    @classmethod
    def of(cls, text: str) -> "Code":
        """Return a text on its own as code."""
        return cls(Source(text), Span(0, len(text)))

    def _replace(self, span: Span, letter: str) -> None:
        start, end = span.start - self.start, span.end - self.start
        self.text = self.text[:start] + letter * (end - start) + self.text[end:]

    def parameter(self, name: Span) -> Parameter | None:
        """Parse the text as a parameter of a signature, whatever its name is; None if that fails."""
        self._replace(name, "x")
        self.prefix = "def _(" if name.start < name.end else "def _(x"
        match _parsed(f"{self.prefix}{self.text}): 0"):
            case ast.Module(body=[ast.FunctionDef(args=ast.arguments(args=[argument], defaults=defaults))]):
                if argument.annotation:
                    return Parameter(argument.annotation, next(iter(defaults), None))
        return None

    def expression(self) -> ast.expr | None:
        """Parse the text as an expression; None if that fails."""
        self.prefix = "("
        match _parsed(f"{self.prefix}{self.text})"):
            case ast.Module(body=[ast.Expr(value=node)]):
                return node
        return None

    def span(self, node: ast.expr) -> Span:
        """Return the place of a node in the whole text."""
        if isinstance(node, ast.Compare):  # `alternatives` may have cut off its ends
            return Span(self.span(node.left).start, self.span(node.comparators[-1]).end)
        return Span(self._place(node.col_offset), self._place(node.end_col_offset or 0))

    def _place(self, column: int) -> int:
        # ast counts bytes.
        return self.start + len(self.text.encode()[: max(0, column - len(self.prefix))].decode(errors="ignore"))

    def typed(self, node: ast.expr) -> str:
        """Return the text of a node as it was typed."""
        return self.source.at(self.span(node))

    def is_braces(self, node: ast.expr) -> bool:
        """Tell whether a node stands for a pair of braces."""
        return self.span(node) in self.braces


def constant(node: ast.expr) -> Any:
    """Return the plain value of a node, negative numbers included, or NOT_CONSTANT."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float() as value)):
            return value
    return NOT_CONSTANT


def alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of a | b | c.

    | binds tighter than >=, so Python reads `int >= 1 | None` as `int >= (1 | None)`. Nobody means
    that: what follows a | at either end of a comparison is an alternative to it.
    """
    if isinstance(node, ast.Compare):
        *before, node.left = alternatives(node.left)
        node.comparators[-1], *after = alternatives(node.comparators[-1])
        yield from (*before, node, *after)
        return
    right: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        right += reversed(list(alternatives(node.right)))
        node = node.left
    yield from alternatives(node) if right else [node]
    yield from reversed(right)


def _parsed(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not matter here that something looks odd in Python
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
