"""The error lines of the field language: what is wrong, where, and what to write instead."""

import re

import pytest
from hypothesis import given

from local_extensions.fields import FieldFaults
from local_extensions.fields.kinds import A_CONSTANT
from local_extensions.fields.reader import LONGEST_TEXT
from local_extensions.fields.types import BOUND_FORMS, FORMS, LENGTH_FORMS, TYPES
from tests.support.field_lines import TEXTS
from tests.support.messages import message_of

NOT_A_NAME = 'cannot be a name; it contains ", \\ or a character that cannot be printed'


def faults(text: str) -> list[str]:
    with pytest.raises(FieldFaults) as caught:
        message_of(text)
    return caught.value.faults


def under(text: str, spot: str, what: str) -> str:
    """Return the three lines for a fault at the last `spot` in the text, or at «spot»."""
    start = text.find("«") if "«" in text else text.rindex(spot)
    text = text.replace("«", "").replace("»", "")
    return f"{what}\n    {text}\n    {' ' * start}{'^' * max(1, len(spot))}"


@pytest.mark.parametrize(
    ("text", "spot", "what"),
    [
        ("a: strr", "strr", "unknown type `strr`; did you mean `str`?"),
        ("a: string", "string", "unknown type `string`; did you mean `str`?"),
        ("a: integer", "integer", "unknown type `integer`; did you mean `int`?"),
        ("a: number", "number", "unknown type `number`; did you mean `int`?"),
        ("a: boolean", "boolean", "unknown type `boolean`; did you mean `bool`?"),
        ("a: decimal", "decimal", "unknown type `decimal`; did you mean `Decimal`?"),
        ("a: uuid", "uuid", "unknown type `uuid`; did you mean `UUID`?"),
        ("a: Datetime", "Datetime", "unknown type `Datetime`; did you mean `datetime`?"),
        ("a: datetime.date", "datetime.date", "unknown type `datetime.date`; did you mean `date`?"),
        ("a: Optional[str]", "Optional[str]", "unknown type `Optional[str]`; write `str | None`"),
        ("a: typing.Optional[str]", "typing.Optional[str]", "unknown type `typing.Optional[str]`; write `str | None`"),
        ("a: List[int]", "List[int]", "unknown type `List[int]`; write `list[int]`"),
        ("a: tuple[int, ...]", "tuple[int, ...]", "unknown type `tuple[int, ...]`; write `list[int]`"),
        ("a: Dict[str, int]", "Dict[str, int]", "unknown type `Dict[str, int]`; write `dict[str, int]`"),
        ("a: Union[str, Dict[str, int]]", "Union[str, Dict[str, int]]",
         "unknown type `Union[str, Dict[str, int]]`; write `str | dict[str, int]`"),
        ("a: Literal['x, z', 'y']", "Literal['x, z', 'y']",
         "unknown type `Literal['x, z', 'y']`; write `'x, z' | 'y'`"),
        ("a: Thing[int]", "Thing[int]", f"unknown type `Thing[int]`; use {TYPES}"),
        ("a: Optional[List[string]]", "Optional[List[string]]",
         "unknown type `Optional[List[string]]`; write `list[str] | None`"),
        ("a: tuple[float, float]", "tuple[float, float]", "unknown type `tuple[float, float]`; write `list[float]`"),
        ("a: Array[str]", "Array[str]", "unknown type `Array[str]`; write `list[str]`"),
        ("a: Map[str, int]", "Map[str, int]", "unknown type `Map[str, int]`; write `dict[str, int]`"),
        ("a: List", "List", "unknown type `List`; did you mean `list`?"),
        ("a: [string]", "[string]", "unknown type `[string]`; write `list[str]`"),
        ("a: str[]", "str[]", "`str[]` is not a type; write `list[str]`"),
        ("a: list<str>", "list<str>", "`list<str>` is not a type; write `list[str]`"),
        ("a: str | null", "null", "unknown type `null`; write None"),
        ("a: int => 1", "int => 1", f"`int => 1` is not a type; bounds are written {BOUND_FORMS}"),
        ("a: str; b: int", ";", "fields are separated by commas"),
        ("a b: str", "a b", '`a b` needs quotes: "a b"'),
        ("a: str b", "str b", "`str b` is not a type; is a comma missing before `b`?"),
        ("a: str; b", "str; b", "`str; b` is not a type; fields are separated by commas"),
        ("a str", "a str", "a colon is missing; write `a: str`"),
        ("a:: str", ":", "a field has one colon, after its name"),
        ("(a: str)", "(a: str)", "a field begins with its name, not with a bracket; write name: type"),
        ("a: {str: int}", "{str: int}", "a field named str? for an object with any keys, write `dict[str, int]`"),
        ('a: "x" "y"', '"x" "y"', '`"x" "y"` are several strings; write "a" | "b"'),
        ("a: Customer", "Customer", f"unknown type `Customer`; use {TYPES}"),
        ("a: list[str, int]", "list[str, int]", "`list[str, int]` needs the type of its items; write list[str]"),
        ("a: dict[str]", "dict[str]", "`dict[str]` needs the types of its keys and values; write dict[str, str]"),
        ("a: dict[int, str]", "int", "a key is a string in JSON; write dict[str, ...]"),
        ('a: str | "x"', '"x"', 'JSON cannot tell `"x"` from `str`; keep one of them'),
        ("a: None", "None", "`None` alone is not a type; write str | None"),
        ("a: int | None | None", "None", "`None` appears twice"),
        ("a: int int", "int int", "`int int` is not a type; is a comma missing before `int`?"),
        ("a: (int, str)", "(int, str)", f"`(int, str)` is not a type; use {TYPES}"),
        # unions
        ("a: str | date", "date", "JSON cannot tell `date` from `str`; keep one of them"),
        ("a: int | None | 1", "1", "JSON cannot tell `1` from `int`; keep one of them"),
        ("a: any | int", "any", "JSON cannot tell `any` from `int`; keep one of them"),
        ("a: {b: int} | dict", "dict", "JSON cannot tell `dict` from `{b: int}`; keep one of them"),
        ("a: {b: int} | {c: int}", "{c: int}",
         f"JSON cannot tell `{{c: int}}` apart: nothing tells it from the other objects; {A_CONSTANT}"),
        ('a: {b: "x"} | {b: "y"} | {b: "x", c: int}', '{b: "x", c: int}',
         f'JSON cannot tell `{{b: "x", c: int}}` apart: another object has the same constant `b`; {A_CONSTANT}'),
        ('a: {b: str} | {b: "y"}', "{b: str}",
         f"JSON cannot tell `{{b: str}}` apart: it has no constant `b` to tell it from the other objects; "
         f"{A_CONSTANT}"),
        ('a: {b: 1} | {b: "y"}', '{b: "y"}',
         'JSON cannot tell `{b: "y"}` apart: the constants `b` must all be strings, or all numbers'),
        ('a: {"é": 1} | {"é": 2}', '{"é": 1}',
         'JSON cannot tell `{"é": 1}` apart: `é` must be ASCII if it tells objects apart'),
        ('a: {b: int}, c: A | {b: "x"}', '{b: "x"}', 'JSON cannot tell `{b: "x"}` from `A`; keep one of them'),
        ('a: {b: "x"} | {b: "y", c: string}', "string", "unknown type `string`; did you mean `str`?"),
        ("a: {b: true} | {b: 1}", "true", f"unknown type `true`; use {TYPES}"),
        # kinds of messages
        ('{b: "x"} | {b: "y", c: string}', "string", "unknown type `string`; did you mean `str`?"),
        ('{b: "x"} | None', "None", "`None` is not a kind of message; write each kind as {type: \"a\", ...}"),
        ('{b: "x"} | str', "str", "`str` is not a kind of message; write each kind as {type: \"a\", ...}"),
        ('{b: "x"} | {b: "y"} = None', "= None", "a message has no default"),
        ('{b: "x"} || {b: "y"}', "||", "there is nothing between two |"),
        ('{b: "x"}, {b: "y"}', ",", "the kinds of a message have | between them, not a comma"),
        ("{a: int}", "{", "the fields of a message need no braces around them"),
        ('{b: "x", x: int', "{", "this { is never closed"),
        ("a: list[int | Decimal > 0]", "Decimal > 0",
         "the bounds of a Decimal cannot be checked in a list or dict; write `{amount: Decimal > 0}`"),
        # types as other languages write them
        ('a: ["a", "b"]', '["a", "b"]', 'unknown type `["a", "b"]`; write `"a" | "b"`'),
        ("a: tuple[int, str]", "tuple[int, str]", "unknown type `tuple[int, str]`; write `list[int | str]`"),
        ("a: Optional[Dict[str, Any]]", "Optional[Dict[str, Any]]",
         "unknown type `Optional[Dict[str, Any]]`; write `dict[str, any] | None`"),
        ("a: Any", "Any", "unknown type `Any`; did you mean `any`?"),
        ("a: Object", "Object", "unknown type `Object`; did you mean `object`?"),
        ("a: str?", "str?", "`str?` is not a type; write `str | None`"),
        ("note?: str", "note?", "`note?` is not a name; write `note: str | None = None`"),
        # other Python
        ("a: yield", "yield", f"`yield` is not a type; use {TYPES}"),
        ("a: lambda: 0", "lambda: 0", f"`lambda: 0` is not a type; use {TYPES}"),
        ("a: (b := int)", "b := int", "`b := int` is an assignment, not a type; write the type alone"),
        ('a: f"x"', 'f"x"', '`f"x"` is an f-string, not a type; write a string without f'),
        ("a: conint(ge=1)", "conint(ge=1)", f"`conint(ge=1)` is a call, not a type; {FORMS}"),
        ("a: __import__('os').system('touch x')", "__import__('os').system('touch x')",
         f"`__import__('os').system('touch x')` is a call, not a type; {FORMS}"),
        ("a: {{ 7*7 }}", "{ 7*7 }", "a field begins with its name, not with a bracket; write name: type"),
        # the name
        ("a", "a", "`a` has no type; write `a: str`"),
        ("a:", "a", "`a` has no type; write `a: str`"),
        ("a = 1", "a", "`a` has no type; write `a: str`"),
        (": str", ": str", "a name is missing; write name: type"),
        ("a: int, a: str", "a", "`a` appears twice"),
        ('a: int, "a": str', '"a"', "`a` appears twice"),
        ("order-id: str", "order-id", '`order-id` needs quotes: "order-id"'),
        ("2nd: str", "2nd", '`2nd` needs quotes: "2nd"'),
        ("$id: str", "$id", '`$id` needs quotes: "$id"'),
        (r'"a\n": str', r'"a\n"', r'`"a\n"` ' + NOT_A_NAME),
        (r"'a\"b': str", r"'a\"b'", r"""`'a\"b'` """ + NOT_A_NAME),
        (r'"a\\b": str', r'"a\\b"', r'`"a\\b"` ' + NOT_A_NAME),
        ("*args", "*args", "`*args` is not allowed here; write name: type"),
        ("**rest: int", "**rest", "`**rest` is not allowed here; write name: type"),
        ("a: int, /", "/", "`/` is not allowed here; write name: type"),
        ("a" * 65 + ": str", "a" * 65, "the name has 65 characters; the limit is 64"),
        # bounds and lengths
        ('a: int >= "a"', '"a"', f'a bound must be a number, not `"a"`; write {BOUND_FORMS}'),
        ("a: int >= True", "True", f"a bound must be a number, not `True`; write {BOUND_FORMS}"),
        ("a: int >= b", "b", f"a bound must be a number, not `b`; write {BOUND_FORMS}"),
        ("a: int >= 1.5", "1.5", "`1.5` cannot be a bound of int; use a whole number of 64 bits"),
        ("a: int < 9223372036854775808", "9223372036854775808",
         "`9223372036854775808` cannot be a bound of int; use a whole number of 64 bits"),
        ("a: float < 1e999", "1e999", "`1e999` cannot be a bound of float; use a finite number"),
        ("a: 5 <= int <= 1", "5 <= int <= 1", "`5 <= int <= 1` allows no value: no int is >= 5 and <= 1"),
        ("a: 1 < int < 2", "1 < int < 2", "`1 < int < 2` allows no value: no int is > 1 and < 2"),
        ("a: 1 <= int >= 0", "1 <= int >= 0", f"`1 <= int >= 0` is not a bound; write {BOUND_FORMS}"),
        ("a: int == 1", "int == 1", f"`int == 1` is not a bound; write {BOUND_FORMS}"),
        ("a: 1 < 2", "1 < 2", f"`1 < 2` is not a bound; write {BOUND_FORMS}"),
        ("a: str >= 1", "str",
         "`str` cannot have bounds; int, float and Decimal can, and lengths are written str[:64]"),
        ("a: list[Decimal > 0]", "Decimal > 0",
         "the bounds of a Decimal cannot be checked in a list or dict; write `{amount: Decimal > 0}`"),
        ("a: str[5:1]", "str[5:1]", f"`str[5:1]` is not a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[-1]", "str[-1]", f"`str[-1]` is not a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[:]", "str[:]", f"`str[:]` is not a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[0]", "str[0]", f"`str[0]` is not a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[1:2:3]", "str[1:2:3]", f"`str[1:2:3]` is not a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: int[1:2]", "int",
         f"`int` cannot have a length; str, bytes, list and dict can, and bounds are written {BOUND_FORMS}"),
        ("a: str[1][2]", "str[1][2]", "`str[1][2]` has two lengths; write one"),
        # fixed values
        ('a: "x" | "x"', '"x"', '`"x"` appears twice'),
        ('a: "x" | 1', "1", "`1` cannot be mixed with the others; use only strings or only numbers"),
        ("a: True | False", "True", "`True` cannot be a fixed value; use strings or whole numbers"),
        ("a: 1.5 | 2.5", "1.5", "`1.5` cannot be a fixed value; use strings or whole numbers"),
        ("a: 'str'", "'str'", "`'str'` in quotes is a fixed value; write str"),
        (r'a: "x\n"', r'"x\n"', '`"x\\n"` contains a character that cannot be printed'),
        (f"a: '{'x' * 61}'", f"'{'x' * 61}'", f"`'{'x' * 27}…{'x' * 27}'` is 61 columns wide; the limit is 60"),
        # defaults
        ("a: int =", "", "a default is missing after ="),
        ("a: int = 1 = 2", "2", "a field has one default"),
        ("a: {b: int} = {}", "{}",
         "`{}` cannot be a default here; a list can default to [], a dict to {}, others to None"),
        ("a: int = b", "b", "`b` cannot be a default; use a number, a string, True, False or None"),
        ("a: int = 'x'", "'x'", "`'x'` is not a valid int"),
        ("a: int = True", "True", "`True` is not a valid int"),
        ("a: int = 1.5", "1.5", "`1.5` is not a valid int"),
        ("a: int = None", "None", "None cannot be a default here; write | None = None after the type"),
        ("a: bool = true", "true", "`true` is not a value in Python; write True"),
        ("a: str | None = null", "null", "`null` is not a value in Python; write None"),
        ("a: Decimal = 123456789012345678901", "123456789012345678901",
         "`123456789012345678901` is not a Decimal of up to 20 characters"),
        ("a: str = 1", "1", '`1` is not a valid str; write "1"'),
        ("a: bool = 1", "1", "`1` is not a valid bool"),
        ("a: Decimal = 'x'", "'x'", "`'x'` is not a Decimal of up to 20 characters"),
        ("a: int >= 1 = 0", "0", "`0` is outside the bounds"),
        ("a: Decimal > 0 | None = 0", "0", "`0` is outside the bounds"),
        ("a: str[2:3] = 'x'", "'x'", "`'x'` has a length of 1, which is not allowed"),
        ("a: 'x' | 'y' = 'z'", "'z'", "`'z'` is not one of the fixed values"),
        ("a: 1 | 2 = True", "True", "`True` is not one of the fixed values"),
        ("a: date = '2026-01-01'", "'2026-01-01'",
         "`'2026-01-01'` cannot be a default; this type can only default to None: | None = None"),
        ("a: int = []", "[]", "`[]` cannot be a default here; a list can default to [], a dict to {}, others to None"),
        ("a: list[int][1:] = []", "[]",
         "`[]` cannot be a default here; a list can default to [], a dict to {}, others to None"),
        ("a: int | bool = 'x'", "'x'", "`'x'` is not a value of any of the types"),
        # the text
        (",", ",", "there is no field before this comma"),
        ("a: int,«,» b: int", ",", "there is no field before this comma"),
        ("a: {}", "{}", "there is no field; write name: type"),
        ("a: list[str", "[", "this [ is never closed"),
        ("a: str)", ")", "nothing opens this )"),
        ("a: list[str)", ")", "this ) cannot close the [ before it"),
        ("a: 'x", "'", "this quote is never closed"),
        ("a: str # why", "#", "comments are not allowed here"),
        ("а: str", "а", "`а` (CYRILLIC SMALL LETTER A) is only allowed inside quotes"),
        ("a: str) -> (int", ")", "nothing opens this )"),
    ],
)  # fmt: skip
def test_fault_is_shown_where_it_is(text: str, spot: str, what: str) -> None:
    assert faults(text.replace("«", "").replace("»", "")) == [under(text, spot, what)]


def test_all_faults_are_shown_in_their_order() -> None:
    text = "order-id: string, items: list[{sku: strr, n: int = 'x'}], note"
    assert faults(text) == [
        under(text, "order-id", '`order-id` needs quotes: "order-id"'),
        under(text, "string", "unknown type `string`; did you mean `str`?"),
        under(text, "strr", "unknown type `strr`; did you mean `str`?"),
        under(text, "'x'", "`'x'` is not a valid int"),
        under(text, "note", "`note` has no type; write `note: str`"),
    ]


def test_only_the_first_twenty_faults_are_shown() -> None:
    found = faults(", ".join(f"a{n}" for n in range(100)))
    assert len(found) == 21
    assert found[-1] == "and 80 more"


def test_long_text_is_shown_around_the_fault() -> None:
    text = ", ".join(f"field_{n}: str" for n in range(100)) + ", late: strr, " + "x: int, " * 10
    first = faults(text)[0].splitlines()
    assert first[0] == "unknown type `strr`; did you mean `str`?"
    assert first[1].startswith("    …")
    assert first[1].endswith("…")
    assert len(first[1]) < 80
    assert first[1][first[2].index("^") :].startswith("strr, x")


def test_carets_are_under_wide_characters() -> None:
    assert faults('a: "日本" | "x" | "x"')[0].splitlines()[2] == " " * (4 + 3 + 6 + 3 + 3 + 3) + "^^^"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a: " + "[" * 10_000,
        "a: " + "(" * 9_000 + "int" + ")" * 9_000,
        "a: " + "list[" * 3_000 + "int" + "]" * 3_000,
        "a: " + "{b: " * 3_000 + "int" + "}" * 3_000,
        "a: " + "-" * 15_000 + "1",
        "a: " + "not " * 4_000 + "1",
        "a: " + "x." * 9_000 + "x",
        "a: " + "1 | " * 4_000 + "1",
        "a: str" + "[1]" * 6_000,
        "a: " + "9" * 15_000,
        "a: int < " + "9" * 15_000,
        "a: int < 1e" + "9" * 1_000,
        "a: Decimal < 1e" + "9" * 1_000,
        "a: list[list[list[str[1000]][1000:]][1000:]][1000:]",
        "a: str[100000:]",
        "a: int" * 3_000,
        "a" * LONGEST_TEXT,
        "a: str, " * 12_500,
        "\0",
        "a: str\n",
        "a: str\t",
        "a\u202e: str",
        "\ud800: str",
        "a: 'x\u2028'",
        "____: str, b: ____",
        "a: {b: int}{c: int}",
        "a: x{b: int}",
        "a: {b: int}[1:2]",
        "a: {b: int} >= 1",
        "a: (yield)",
        "a: (await b)",
        "a: [int]",
        "a: int if 1 else str",
        "a: *b",
        "a: ...",
        "a: b'x'",
        "a: 1j",
        "a: 1is",
        "a: int <",
        "a: 1 < 2 < 3 < 4",
        "a: list[str][True]",
        "a: list[\"x\"[1:2]]",
        "a: \\",
        ":::",
        "===",
        "a: int == 1 = 2",
        "a: (",
    ],
)  # fmt: skip
def test_hostile_text_ends_in_faults(text: str) -> None:
    assert all(len(line) < 300 for fault in faults(text) for line in fault.splitlines())


# --- objects in braces -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("List[{sku: str}]", "list[{sku: str}]"),
        ("Optional[{sku: str}]", "{sku: str} | None"),
        ("Dict[str, {sku: str}]", "dict[str, {sku: str}]"),
        ("Union[{sku: str}, None]", "{sku: str} | None"),
        ("[{sku: str}]", "list[{sku: str}]"),
        ("tuple[{sku: str}, ...]", "list[{sku: str}]"),
        ("Optional[List[{sku: str}]]", "list[{sku: str}] | None"),
        ("{sku: str}[]", "list[{sku: str}]"),
    ],
)
def test_hint_keeps_the_objects_that_were_typed(text: str, better: str) -> None:
    (fault,) = faults(f"items: {text}")
    assert fault.splitlines()[0].endswith(f"; write `{better}`")
    assert message_of(f"items: {better}")


WRAPPERS = ["List[{}]", "Optional[{}]", "Dict[str, {}]", "Union[{}, None]", "[{}]", "tuple[{}, ...]", "Thing[{}]"]


@pytest.mark.parametrize("wrapper", [*WRAPPERS, "list[{}, int]", "{}[]", "List<{}>"])
def test_fault_around_an_object_does_not_hide_the_fault_inside(wrapper: str) -> None:
    text = f"items: {wrapper.format('{sku: string}')}"
    around, inside = faults(text)
    assert "{sku: string}" in around.splitlines()[0]
    assert inside == under(text, "string", "unknown type `string`; did you mean `str`?")


def test_words_without_quotes_are_taken_for_fixed_values() -> None:
    assert faults("status: new | paid") == [
        under("status: new | paid", "new | paid", 'fixed values need quotes: "new" | "paid"')
    ]


@given(TEXTS)
def test_no_error_line_has_underscores_that_were_not_typed(text: str) -> None:
    try:
        message_of(text)
    except FieldFaults as error:
        if "__" not in text:
            assert "__" not in "".join(error.faults)


# --- hints that can be followed ----------------------------------------------------------------

OTHER_SPELLINGS = [
    *(
        "Union[str, int]",
        "Literal['a', 'b']",
        "Dict[str, Any]",
        '["a", "b"]',
        "List[{sku: str}]",
        "Optional[List[int]]",
    ),
    *("string[]", "str?", "number", "timestamp", "tuple[int, ...]", "tuple[int, str]", "new | paid", "Array<str>"),
    *(
        "typing.Any",
        "Mapping[str, float]",
        "Sequence[str]",
        "datetime.date",
        "None | str[]",
        "Optional[List[{a: int}]]",
    ),
    *("Object", "Integer", "str | null", "Set[uuid]", "[string]", "List", "Map", "Boolean | None", "'str'"),
]


@pytest.mark.parametrize("text", OTHER_SPELLINGS)
def test_hint_for_another_spelling_can_be_followed(text: str) -> None:
    for _ in range(3):
        try:
            message_of(f"field: {text}")
        except FieldFaults as error:
            first = error.faults[0].splitlines()
            found = re.search(r"(?:write|mean) `(.+)`|(?:quotes:|write) (.+)$", first[0])
            assert found, first[0]
            better = (found[1] or found[2]).rstrip("?`")
            carets = first[2]
            begin, end = carets.index("^") - 4, len(carets) - 4
            line = f"field: {text}"
            followed = line[:begin] + better + line[end:]
            assert followed != line, "the hint repeats the fault"
            text = followed.removeprefix("field: ")
        else:
            return
    raise AssertionError(f"still not accepted: {text}")
