"""Lines of the field language for hypothesis, and any other text."""

import json
import string
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["order", "item", "price", "note", "email", "x", "v2", "items", "status", "time", "date"])


@st.composite
def names(draw: st.DrawFn) -> str:
    """Draw a name as it is in JSON: in any spelling, or any text in quotes."""
    words = [*draw(st.lists(WORDS, min_size=1, max_size=3)), draw(st.sampled_from(["", "id", "URL", "9", "s"]))]
    match draw(st.sampled_from(["snake", "snake", "camel", "pascal", "kebab", "text"])):
        case "camel":
            return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
        case "pascal":
            return "".join(word[:1].upper() + word[1:] for word in words)
        case "kebab":
            return json.dumps("-".join(words))
        case "text":
            return draw(STRINGS)
    return "_".join(words)


def bounds(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Bounds with {0} for the type."""
    forms = st.sampled_from(
        ["{0} >= {1}", "{0}>{1}", "{1} <= {0} < {2}", "{1} < {0} <= {2}", "{2} > {0}", "{0} <= {2}"]
    )
    pairs = st.tuples(numbers, numbers).map(sorted)
    return st.builds(lambda pair, form: form.replace("{1}", str(pair[0])).replace("{2}", str(pair[1])), pairs, forms)


SMALL_INTS = st.integers(-(2**63) + 2, 2**63 - 2) | st.integers(-10, 10)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = bounds(SMALL_INTS).map(lambda form: form.replace("{0}", "int")) | bounds(FLOATS).map(
    lambda form: form.replace("{0}", "float")
)
DECIMALS = bounds(st.decimals(-1000, 1000, places=2)).map(lambda form: form.replace("{0}", "Decimal"))
STRINGS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=20).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
CHOICES = st.lists(STRINGS, min_size=1, max_size=6, unique=True).map(" | ".join) | st.lists(
    st.integers(-99, 99),
    min_size=2,
    max_size=4,
    unique=True,  # list[1] has a length
).map(lambda numbers: " | ".join(map(str, numbers)))
LENGTHS = (
    st.tuples(st.integers(0, 40), st.integers(1, 40))
    .map(sorted)
    .flatmap(
        lambda pair: st.sampled_from(
            [f"[{pair[0]}:{pair[1]}]", f"[:{pair[1]}]", f"[{pair[0] or 1}:]", f"[{pair[1]}]", ""]
        )
    )
)
TWO_NUMBERS = st.lists(st.integers(-99, 99).map(str), min_size=2, max_size=2, unique=True)
PLAIN = st.sampled_from(["str", "int", "float", "bool", "Decimal", "date", "time", "datetime", "UUID", "bytes"])


def containers(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    nullable = item | item.map(lambda text: f"{text} | None")
    return (
        objects_with_tags(item)
        | st.builds(
            lambda form, inner, length: form.format(inner) + length,
            st.sampled_from(["list[{}]", "dict[str, {}]"]),
            nullable,
            st.sampled_from(["", "[1:3]", "[:2]", "[2]"]),
        )
        | st.lists(st.tuples(names(), nullable), min_size=1, max_size=3).map(
            lambda fields: "{" + ", ".join(f"{name}: {type_}" for name, type_ in fields) + "}"
        )
    )


@st.composite
def objects_with_tags(draw: st.DrawFn, types: st.SearchStrategy[str]) -> str:
    """Draw objects that a constant tells apart."""
    tag = draw(names())
    values = draw(st.lists(STRINGS, min_size=2, max_size=4, unique=True) | TWO_NUMBERS)
    others = st.lists(st.tuples(names(), types), max_size=3)
    fields = [[(tag, value), *draw(others)] for value in values]
    return " | ".join("{" + ", ".join(f"{name}: {type_}" for name, type_ in each) + "}" for each in fields)


FREE = st.sampled_from(["any", "dict", "object", "list", "dict[str, any]", "list[any]"])
# Python caches a union with a Literal by the set of the others, so one order is used throughout.
OPTIONS = ["int", "str", "bool", "float", "list[str]", "dict[str, int]", "{a: int}", '"x"', "UUID"]
UNIONS = st.lists(st.sampled_from(OPTIONS), min_size=2, max_size=4, unique=True).map(
    lambda options: " | ".join(sorted(options, key=OPTIONS.index))
)
SIMPLE = PLAIN | NUMBERS | CHOICES | FREE | UNIONS | st.builds(str.__add__, st.sampled_from(["str", "bytes"]), LENGTHS)
TYPES = st.recursive(SIMPLE, containers, max_leaves=5) | DECIMALS


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Draw lines that are valid, except that names may collide."""
    if draw(st.integers(0, 5)) == 0:
        return draw(objects_with_tags(TYPES))
    nulls = st.sampled_from(["", " | None", " | None = None"])
    fields = draw(st.lists(st.tuples(names(), TYPES, nulls), min_size=1, max_size=5))
    return ", ".join(f"{name}: {type_}{null}" for name, type_, null in fields)


DEFAULTED = (
    STRINGS.map(lambda text: f"str = {text}")
    | SMALL_INTS.map(lambda number: f"int | None = {number}")
    | FLOATS.map(lambda number: f"float = {number}")
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"Decimal | None = {number}")
    | st.booleans().map(lambda value: f"bool = {value}")
    | st.lists(STRINGS, min_size=1, unique=True).map(lambda choices: f"{' | '.join(choices)} = {choices[-1]}")
    | st.just("1 | -2 | 10 = -2")
    | st.sampled_from(["list[int] = []", "dict = {}", "any = None", "any = 'x'", "int | str | None = 'x'"])
)


FRAGMENTS = st.sampled_from(
    [*"()[]{}:,=|<>\"'#*/.-_ ", "int", "str", "None", "list[", "dict[str, ", ">=", ":=", "lambda", "f'", "1.5", "a: "]
)  # fmt: skip
TEXTS = st.text() | st.text(string.printable) | st.lists(FRAGMENTS, max_size=30).map("".join)
