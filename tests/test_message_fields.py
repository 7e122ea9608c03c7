"""The field language: what it means, what is generated from it, and the line for each fault."""

import json
import re
import string
import subprocess
import sys
import types
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from local_extensions import message_module
from local_extensions.field_types import MISSING, Message, Refusal, Times
from local_extensions.message_fields import LONGEST_NAME, LONGEST_TEXT, FieldFaults, parse_fields
from local_extensions.type_expressions import ALLOWED, BOUND_FORMS, CHOICE_FORMS, LENGTH_FORMS

# --- what it means -----------------------------------------------------------------------------


def message_of(text: str) -> Message:
    return Message("Order", parse_fields(text, "Order"))


def module_source(message: Message) -> str:
    """The part of the generated module that depends on the fields."""
    lines = ["import logging", *message_module.imports(message), "", "import msgspec", ""]
    lines += ["logger = logging.getLogger(__name__)", ""]
    return "\n".join(lines) + "".join(f"\n\n{text}\n" for text in message_module.definitions(message))


def class_of(message: Message) -> Any:
    module = types.ModuleType("generated")
    exec(compile(module_source(message), "generated.py", "exec"), module.__dict__)
    return getattr(module, message.class_name)


@pytest.mark.parametrize(
    ("typed", "annotation"),
    [
        *((name, name) for name in ("str", "int", "float", "bool", "Decimal", "date", "time", "UUID", "bytes")),
        ("datetime", "Annotated[datetime, msgspec.Meta(tz=True)]"),
        ("list[int]", "list[int]"),
        ("dict[str, list[bool]]", "dict[str, list[bool]]"),
        ("str | None", "str | None"),
        ("None | str", "str | None"),
        ("list[str | None] | None", "list[str | None] | None"),
        ('"new" | "paid"', 'Literal["new", "paid"]'),
        ("+1 | -1", "Literal[1, -1]"),
        ("""'say "hi"' | "it's" """, """Literal['say "hi"', "it's"]"""),
        ('"{{ 7*7 }}" | "{% raw %}"', 'Literal["{{ 7*7 }}", "{% raw %}"]'),
        ('"Grüße 🚀"', 'Literal["Grüße 🚀"]'),
        ("1 | 2 | -3", "Literal[1, 2, -3]"),
        ('"a" | None', 'Literal["a"] | None'),
        ("int >= 1", "Annotated[int, msgspec.Meta(ge=1)]"),
        ("int<10", "Annotated[int, msgspec.Meta(lt=10)]"),
        ("1 <= int <= 5", "Annotated[int, msgspec.Meta(ge=1, le=5)]"),
        ("5 > int", "Annotated[int, msgspec.Meta(lt=5)]"),
        ("-1.5 < float < 2", "Annotated[float, msgspec.Meta(gt=-1.5, lt=2.0)]"),
        ("int >= 1 | None", "Annotated[int, msgspec.Meta(ge=1)] | None"),
        ("None | 1 <= int", "Annotated[int, msgspec.Meta(ge=1)] | None"),
        ("(int >= 1) | None", "Annotated[int, msgspec.Meta(ge=1)] | None"),
        ("Decimal > 0", "Decimal"),
        ("str[1:64]", "Annotated[str, msgspec.Meta(min_length=1, max_length=64)]"),
        ("str[:64]", "Annotated[str, msgspec.Meta(max_length=64)]"),
        ("str[0:64]", "Annotated[str, msgspec.Meta(max_length=64)]"),
        ("str[2:]", "Annotated[str, msgspec.Meta(min_length=2)]"),
        ("bytes[8]", "Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]"),
        ("list[str[3]][1:10]", "Annotated[list[Annotated[str, msgspec.Meta(min_length=3, max_length=3)]], "
                               "msgspec.Meta(min_length=1, max_length=10)]"),
        ("dict[str, int][:5] | None", "Annotated[dict[str, int], msgspec.Meta(max_length=5)] | None"),
        ("{sku: str, quantity: int >= 1}", "Field"),
        ("{sku: str} | None", "Field | None"),
        ("list[{sku: str}]", "list[Field]"),
        ("dict[str, {a: {b: int}}]", "dict[str, Field]"),
    ],
)  # fmt: skip
def test_a_type_is_what_it_says(typed: str, annotation: str) -> None:
    (field,) = parse_fields(f"field: {typed}")
    assert field.type.annotation == annotation
    class_of(message_of(f"field: {typed}"))


@pytest.mark.parametrize(
    ("typed", "default"),
    [
        ('str = "new"', '"new"'),
        ("str = 'a\"b'", "'a\"b'"),
        ("str = 'back\\\\slash'", '"back\\\\slash"'),
        ("int = -1", "-1"),
        ("int >= 1 = 1", "1"),
        ("float = 1", "1.0"),
        ("float=1.5", "1.5"),
        ("bool = True", "True"),
        ("Decimal = 1.50", 'Decimal("1.50")'),
        ("Decimal = '0.1'", 'Decimal("0.1")'),
        ("Decimal >= -1 = -0.50", 'Decimal("-0.50")'),
        ("str[1:3] = 'abc'", '"abc"'),
        ('"a" | "b" = "b"', '"b"'),
        ("1 | 2 | None = None", "None"),
        ("1 | 2 | None = 2", "2"),
        ("list[int] | None = None", "None"),
        ("{a: int} | None = None", "None"),
        ("date | None = None", "None"),
    ],
)
def test_a_default_is_what_it_says(typed: str, default: str) -> None:
    (field,) = parse_fields(f"field: {typed}")
    assert field.default == default
    assert msgspec.json.decode("{}", type=class_of(message_of(f"field: {typed}")))


def test_a_message_is_written_as_by_hand() -> None:
    message = message_of(
        "order_id: UUID, status: 'new' | 'paid' = 'new', "
        "items: list[{sku: str[1:32], quantity: int >= 1, price: Decimal > 0, note: str | None = None}][1:100], "
        "placed_at: datetime, discount: 0 < Decimal <= 0.5 | None = None"
    )
    assert (
        module_source(message)
        == '''\
import logging
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec

logger = logging.getLogger(__name__)


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """Part of Order: items."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    price: Decimal
    note: str | None = None

    def __post_init__(self) -> None:
        if not self.price.is_finite():
            raise ValueError("Expected `price` to be finite")
        if self.price <= 0:
            raise ValueError("Expected `price` > 0")


class Order(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One message. In JSON its names are in camelCase."""

    order_id: UUID
    status: Literal["new", "paid"] = "new"
    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=100)]
    placed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    discount: Decimal | None = None

    def __post_init__(self) -> None:
        if self.discount is not None:
            if not self.discount.is_finite():
                raise ValueError("Expected `discount` to be finite")
            if self.discount <= 0:
                raise ValueError("Expected `discount` > 0")
            if self.discount > Decimal("0.5"):
                raise ValueError("Expected `discount` <= 0.5")
'''
    )


def test_a_type_too_long_for_its_line_gets_a_name() -> None:
    name = "customer_reference_number"
    choices = " | ".join(f'"{letter * 20}"' for letter in "abcde")
    source = module_source(message_of(f"{name}: {choices} = '{'a' * 20}'"))
    assert "CustomerReferenceNumber = Literal[\n" in source
    assert f'    {name}: CustomerReferenceNumber = "{"a" * 20}"\n' in source


LONG = " | ".join(f'"{letter * 12}"' for letter in "abcdefgh")


@pytest.mark.parametrize(
    "text",
    [
        f"net: {{currency: {LONG}}}, vat: {{currency: {LONG}}}",
        f"status: {LONG}, y: {{status: {LONG} | 'other'}}",
        f"tags: list[{LONG}], tags_item: {LONG} | 'other'",
        f"tags: list[{LONG} | 'other'][1:], tags_item: {{a: str}}",
        f"decimal: {LONG}, order_decimal: {LONG}, d: Decimal",
        f"value_error: {LONG}, amount: Decimal > 0",
        f"i: {LONG}, o: {{a: str}}",
        "a" * 39 + ": {" + "b" * 39 + ": {c: str}}",
        'kind: "a - at `b" | "c", from_: str, date_: date | None = None, day: str',
        f'note: str = "it\'s | `x`", late: {LONG} = "{"h" * 12}"',
    ],
)
def test_no_two_names_of_the_module_meet(text: str) -> None:
    check_line(text, fails=False)


def test_nested_messages_of_one_name_are_told_apart() -> None:
    message = message_of("item: {order: {a: int}}, billing: {address: {a: int}}, shipping: {address: {b: int}}")
    names = [class_.class_name for class_ in message_module.classes(message)]
    assert names == ["ItemOrder", "Item", "Address", "Billing", "ShippingAddress", "Shipping", "Order"]


@pytest.mark.parametrize(
    ("field", "class_name"),
    [("items", "Item"), ("addresses", "Address"), ("categories", "Category"), ("boxes", "Box"), ("status", "Status")],
)
def test_the_class_of_many_is_named_after_one(field: str, class_name: str) -> None:
    assert parse_fields(f"{field}: list[{{a: int}}]")[0].type.annotation == f"list[{class_name}]"


def test_examples_look_like_their_field() -> None:
    message = message_of(
        "order_id: str, customer_email: str, quantity: int, price: float, gift: bool, total: Decimal, day: date, "
        "at: datetime, key: UUID, state: 'new' | 'paid', code: str[3], level: 7 <= int < 9, tags: list[str][2:], "
        "ratio: 0 < float < 0.01, sizes: dict[str, int]"
    )
    assert message.example(n=2) == {
        "orderId": "order-2",
        "customerEmail": "customer-2@example.com",
        "quantity": 2,
        "price": 2.5,
        "gift": False,
        "total": "2.50",
        "day": "2026-01-02",
        "at": "2026-01-02T08:30:00Z",
        "key": "00000000-0000-4000-8000-000000000002",
        "state": "paid",
        "code": "cod",
        "level": 8,
        "tags": ["tag-2", "tag-2"],
        "ratio": 0.005,
        "sizes": {"key-1": 2},
    }
    assert message.broken_example() == {**message.example(), "orderId": 1}


# --- faults ------------------------------------------------------------------------------------


def faults(text: str) -> list[str]:
    with pytest.raises(FieldFaults) as caught:
        parse_fields(text, "Order")
    return caught.value.faults


def under(text: str, spot: str, what: str) -> str:
    """The three lines for a fault at the last place where `spot` stands, or at «spot» in the text."""
    start = text.find("«") if "«" in text else text.rindex(spot)
    text = text.replace("«", "").replace("»", "")
    return f"{what}\n    {text}\n    {' ' * start}{'^' * max(1, len(spot))}"


FORMS = f"bounds are written {BOUND_FORMS}, lengths {LENGTH_FORMS}, choices {CHOICE_FORMS}"
NO_NAME = "is no name in snake_case; allowed: lower-case letters, digits and single _ between them"
NO_TYPE = f"is no type; allowed: {ALLOWED}"


@pytest.mark.parametrize(
    ("text", "spot", "what"),
    [
        # the type
        ("a: strr", "strr", "strr is no type; write str"),
        ("a: string", "string", "string is no type; write str"),
        ("a: integer", "integer", "integer is no type; write int"),
        ("a: number", "number", "number is no type; write int"),
        ("a: boolean", "boolean", "boolean is no type; write bool"),
        ("a: decimal", "decimal", "decimal is no type; write Decimal"),
        ("a: uuid", "uuid", "uuid is no type; write UUID"),
        ("a: Datetime", "Datetime", "Datetime is no type; write datetime"),
        ("a: datetime.date", "datetime.date", "datetime.date is no type; write date"),
        ("a: Optional[str]", "Optional[str]", "Optional[str] is no type here; write str | None"),
        ("a: typing.Optional[str]", "typing.Optional[str]", "typing.Optional[str] is no type here; write str | None"),
        ("a: List[int]", "List[int]", "List[int] is no type here; write list[int]"),
        ("a: tuple[int, ...]", "tuple[int, ...]", "tuple[int, ...] is no type here; write list[int]"),
        ("a: Dict[str, int]", "Dict[str, int]", "Dict[str, int] is no type here; write dict[str, int]"),
        ("a: Union[str, Dict[str, int]]", "Union[str, Dict[str, int]]",
         "Union[str, Dict[str, int]] is no type here; write str | dict[str, int]"),
        ("a: Literal['x, z', 'y']", "Literal['x, z', 'y']", "Literal['x, z', 'y'] is no type here; write 'x, z' | 'y'"),
        ("a: Thing[int]", "Thing[int]", f"Thing[int] is no type here; allowed: {ALLOWED}"),
        ("a: Optional[List[string]]", "Optional[List[string]]",
         "Optional[List[string]] is no type here; write list[str] | None"),
        ("a: tuple[float, float]", "tuple[float, float]", "tuple[float, float] is no type here; write list[float]"),
        ("a: Array[str]", "Array[str]", "Array[str] is no type here; write list[str]"),
        ("a: Map[str, int]", "Map[str, int]", "Map[str, int] is no type here; write dict[str, int]"),
        ("a: List", "List", "List is no type; write list[...]"),
        ("a: [string]", "[string]", "[string] is no type here; write list[str]"),
        ("a: str[]", "str[]", "str[] is no type; write list[str]"),
        ("a: list<str>", "list<str>", "list<str> is no type; write list[str]"),
        ("a: str | null", "null", "null is no type; write None"),
        ("a: str | None | int >= 1", "int >= 1",
         "int >= 1 cannot be another type of the field; allowed beside one: None"),
        ("a: int => 1", "int => 1", f"int => 1 is no type; a bound is written {BOUND_FORMS}"),
        ("a: str; b: int", ":", "a field has one colon, behind its name"),
        ("a: str b", "str b", "str b is no type; is a comma missing before b?"),
        ("a: str; b", "str; b", "str; b is no type; fields are separated by commas"),
        ("a str", "a str", "a colon is missing; write a: str"),
        ("a:: str", ":", "a field has one colon, behind its name"),
        ("(a: str)", "(a: str)", "no bracket can stand before a name; write name: type"),
        ('"a": str', '"a"', '"a" is no name; write it without quotes, or for choices name: "a" | "b"'),
        ("a: {str: int}", "{str: int}", "a field called str? for an object of any keys write dict[str, int]"),
        ('a: "x" "y"', '"x" "y"', '"x" "y" are several strings; write "a" | "b"'),
        ("a: Customer", "Customer", f"Customer {NO_TYPE}"),
        ("a: list", "list", "list needs the one type of its items; write list[str]"),
        ("a: list[str, int]", "list[str, int]", "list[str, int] needs the one type of its items; write list[str]"),
        ("a: list[3]", "list", "list needs the one type of its items; write list[str]"),
        ("a: dict", "dict", "dict needs the types of its keys and values; write dict[str, str]"),
        ("a: dict[str]", "dict[str]", "dict[str] needs the types of its keys and values; write dict[str, str]"),
        ("a: dict[int, str]", "int", "int cannot be a key, which is a string in JSON; write dict[str, ...]"),
        ("a: str | int", "int", "int cannot be another type of the field; allowed beside one: None"),
        ('a: str | "x"', '"x"', '"x" cannot be another type of the field; allowed beside one: None'),
        ("a: None", "None", "None alone is no type; write str | None"),
        ("a: int | None | None", "None", "None stands here twice"),
        ("a: int int", "int int", "int int is no type; is a comma missing before int?"),
        ("a: (int, str)", "(int, str)", f"(int, str) {NO_TYPE}"),
        # what is no type at all
        ("a: lambda: 0", "lambda: 0", f"lambda: 0 is a lambda, which is no type; allowed: {ALLOWED}"),
        ("a: (b := int)", "b := int", "b := int gives a name, which is no type; write the type alone"),
        ('a: f"x"', 'f"x"', 'f"x" is an f-string, which is no type; write a string without f'),
        (
            "a: conint(ge=1)",
            "conint(ge=1)",
            f"conint(ge=1) is a call, which is no type; {FORMS}",
        ),
        (
            "a: __import__('os').system('touch x')",
            "__import__('os').system('touch x')",
            "__import__('os').system('touch x') is a call, which is no type; "
            f"{FORMS}",
        ),
        ("a: {{ 7*7 }}", "{ 7*7 }", "no bracket can stand before a name; write name: type"),
        # the name
        ("a", "a", "a has no type; write a: str"),
        ("a:", "a", "a has no type; write a: str"),
        ("a = 1", "a", "a has no type; write a: str"),
        (": str", ": str", "a name is missing; write name: type"),
        ("a: int, a: str", "a", "a stands here twice"),
        ("a_1: int, a1: str", "a1", "a_1 and a1 are both a1 in JSON"),
        ("orderId: str", "orderId", "orderId is not in snake_case; write order_id, which is orderId in JSON"),
        ("OrderId: str", "OrderId", "OrderId is not in snake_case; write order_id, which is orderId in JSON"),
        ("order-id: str", "order-id", "order-id is not in snake_case; write order_id, which is orderId in JSON"),
        ("_id: str", "_id", "_id is not in snake_case; write id"),
        ("order__id: str", "order__id", "order__id is not in snake_case; write order_id, which is orderId in JSON"),
        ("2nd: str", "2nd", f"2nd {NO_NAME}"),
        ("class: str", "class", "class is a Python keyword; write class_, which is class in JSON"),
        ("self: str", "self", "a field cannot be called self; write self_, which is self in JSON"),
        ("l: str", "l", "a field cannot be called l; write l_, which is l in JSON"),
        ("«str»: int, b: str", "str", "a field str hides the type str; write str_, which is str in JSON"),
        ("«date»: date", "date", "a field date hides the type date; write date_, which is date in JSON"),
        ("*args", "*args", "*args cannot stand here; allowed: name: type"),
        ("**rest: int", "**rest", "**rest cannot stand here; allowed: name: type"),
        ("a: int, /", "/", "/ cannot stand here; allowed: name: type"),
        ("HTTPCode: str", "HTTPCode", "HTTPCode is not in snake_case; write http_code, which is httpCode in JSON"),
        ("a" * 40 + ": str", "a" * 40, "a name of 40 characters is too long; allowed: 39"),
        # bounds and lengths
        ('a: int >= "a"', '"a"', f'"a" is no number, and a bound has to be one; write {BOUND_FORMS}'),
        ("a: int >= True", "True", f"True is no number, and a bound has to be one; write {BOUND_FORMS}"),
        ("a: int >= b", "b", f"b is no number, and a bound has to be one; write {BOUND_FORMS}"),
        ("a: int >= 1.5", "1.5", "1.5 cannot be a bound of int; allowed: whole, of 64 bits"),
        ("a: int < 9223372036854775808", "9223372036854775808",
         "9223372036854775808 cannot be a bound of int; allowed: whole, of 64 bits"),
        ("a: float < 1e999", "1e999", "1e999 cannot be a bound of float; allowed: finite"),
        ("a: 5 <= int <= 1", "5 <= int <= 1", "5 <= int <= 1 allows nothing: no int is >= 5 and <= 1"),
        ("a: 1 < int < 2", "1 < int < 2", "1 < int < 2 allows nothing: no int is > 1 and < 2"),
        ("a: 1 <= int >= 0", "1 <= int >= 0", f"1 <= int >= 0 is no bound; write {BOUND_FORMS}"),
        ("a: int == 1", "int == 1", f"int == 1 is no bound; write {BOUND_FORMS}"),
        ("a: 1 < 2", "1 < 2", f"1 < 2 is no bound; write {BOUND_FORMS}"),
        ("a: str >= 1", "str",
         "str cannot have bounds here; int, float and Decimal can, and lengths are written str[:64]"),
        ("a: list[Decimal > 0]", "Decimal > 0",
         "Decimal > 0 cannot be checked in a list or dict; write {amount: Decimal > 0}"),
        ("a: str[5:1]", "str[5:1]", f"str[5:1] does not give a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[-1]", "str[-1]", f"str[-1] does not give a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[:]", "str[:]", f"str[:] does not give a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[0]", "str[0]", f"str[0] does not give a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: str[1:2:3]", "str[1:2:3]", f"str[1:2:3] does not give a length; write {LENGTH_FORMS}, up to 1048576"),
        ("a: int[1:2]", "int",
         f"int cannot have a length; str, bytes, list and dict can, bounds are written {BOUND_FORMS}"),
        ("a: str[1][2]", "str[1][2]", "str[1][2] has two lengths; write one"),
        # choices
        ('a: "x" | "x"', '"x"', '"x" stands here twice'),
        ('a: "x" | 1', "1", "1 cannot be a choice here; all are strings, or all are numbers"),
        ("a: True | False", "True", "True is no choice; allowed: strings and whole numbers"),
        ("a: 1.5 | 2.5", "1.5", "1.5 is no choice; allowed: strings and whole numbers"),
        ("a: 'str'", "'str'", "'str' in quotes would be the field's only value; write str"),
        (r'a: "x\n"', r'"x\n"', r'"x\n" cannot be printed; allowed: printable characters'),
        (f"a: '{'x' * 61}'", f"'{'x' * 61}'",
         f"'{'x' * 27}…{'x' * 27}' is a string of 61 columns; allowed: 60"),
        # defaults
        ("a: int =", "", "a default is missing behind ="),
        ("a: int = 1 = 2", "2", "a field has one default"),
        ("a: list[int] = []", "[]", "[] cannot be a default, no list or object can; write | None = None"),
        ("a: dict[str, int] = {}", "{}", "{} cannot be a default, no list or object can; write | None = None"),
        ("a: {b: int} = {}", "{}", "{} cannot be a default, no list or object can; write | None = None"),
        ("a: int = b", "b", "b cannot be a default; allowed: a number, a string, True, False, None"),
        ("a: int = 'x'", "'x'", "'x' is no int"),
        ("a: int = True", "True", "True is no int"),
        ("a: int = 1.5", "1.5", "1.5 is no int"),
        ("a: int = None", "None", "None cannot be a default here; write | None = None behind the type"),
        ("a: bool = true", "true", "true is no value in Python; write True"),
        ("a: str | None = null", "null", "null is no value in Python; write None"),
        ("a: Decimal = 123456789012345678901", "123456789012345678901",
         "123456789012345678901 is no Decimal of up to 20 characters"),
        ("a: str = 1", "1", "1 is no str"),
        ("a: bool = 1", "1", "1 is no bool"),
        ("a: Decimal = 'x'", "'x'", "'x' is no Decimal of up to 20 characters"),
        ("a: int >= 1 = 0", "0", "0 is out of the bounds"),
        ("a: Decimal > 0 | None = 0", "0", "0 is out of the bounds"),
        ("a: str[2:3] = 'x'", "'x'", "'x' has 1 characters, which the length forbids"),
        ("a: 'x' | 'y' = 'z'", "'z'", "'z' is none of the choices"),
        ("a: 1 | 2 = True", "True", "True is none of the choices"),
        ("a: date = '2026-01-01'", "'2026-01-01'", "'2026-01-01' cannot be a default here; "
                                                   "allowed for such a type: | None = None"),
        # the text
        (",", ",", "no field stands before this comma"),
        ("a: int,«,» b: int", ",", "no field stands before this comma"),
        ("a: {}", "{}", "there is no field; write name: type"),
        ("a: list[str", "[", "this [ is never closed"),
        ("a: str)", ")", "nothing opens this )"),
        ("a: list[str)", ")", "this ) cannot close the [ before it"),
        ("a: 'x", "'", "this quote is never closed"),
        ("a: str # why", "#", "a comment cannot stand here"),
        ("а: str", "а", "а (CYRILLIC SMALL LETTER A) cannot stand here; allowed outside quotes: ASCII"),
        ("a: str) -> (int", ")", "nothing opens this )"),
    ],
)  # fmt: skip
def test_a_fault_is_shown_where_it_is(text: str, spot: str, what: str) -> None:
    assert faults(text.replace("«", "").replace("»", "")) == [under(text, spot, what)]


def test_all_faults_come_at_once_in_their_order() -> None:
    text = "orderId: string, items: list[{sku: strr, n: int = 'x'}], note"
    assert faults(text) == [
        under(text, "orderId", "orderId is not in snake_case; write order_id, which is orderId in JSON"),
        under(text, "string", "string is no type; write str"),
        under(text, "strr", "strr is no type; write str"),
        under(text, "'x'", "'x' is no int"),
        under(text, "note", "note has no type; write note: str"),
    ]


def test_no_more_faults_than_one_can_read() -> None:
    found = faults(", ".join(f"a{n}" for n in range(100)))
    assert len(found) == 21
    assert found[-1] == "and 80 more"


def test_a_long_text_is_shown_around_the_fault() -> None:
    text = ", ".join(f"field_{n}: str" for n in range(100)) + ", late: strr, " + "x: int, " * 10
    first = faults(text)[0].splitlines()
    assert first[0] == "strr is no type; write str"
    assert first[1].startswith("    …")
    assert first[1].endswith("…")
    assert len(first[1]) < 80
    assert first[1][first[2].index("^") :].startswith("strr, x")


def test_carets_stand_under_wide_characters() -> None:
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


def test_two_hundred_fields_are_read() -> None:
    message = message_of(", ".join(f"field_{n}: list[{{sku: str, count: int >= 1}}] | None" for n in range(200)))
    assert len(message.fields) == 200
    assert class_of(message)


def test_the_longest_name_is_allowed() -> None:
    assert parse_fields(f"{'a' * LONGEST_NAME}: str")


# --- the whole language ------------------------------------------------------------------------

WORDS = st.sampled_from(["order", "item", "price", "note", "email", "x", "v2", "items", "status", "time", "date"])


@st.composite
def names(draw: st.DrawFn) -> str:
    return "_".join(draw(st.lists(WORDS, min_size=1, max_size=3))) + draw(st.sampled_from(["", "_id", "s", "9", "_"]))


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
PLAIN = st.sampled_from(["str", "int", "float", "bool", "Decimal", "date", "time", "datetime", "UUID", "bytes"])


def containers(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    nullable = item | item.map(lambda text: f"{text} | None")
    return st.builds(
        lambda form, inner, length: form.format(inner) + length,
        st.sampled_from(["list[{}]", "dict[str, {}]"]),
        nullable,
        st.sampled_from(["", "[1:3]", "[:2]", "[2]"]),
    ) | st.lists(st.tuples(names(), nullable), min_size=1, max_size=3).map(
        lambda fields: "{" + ", ".join(f"{name}: {type_}" for name, type_ in fields) + "}"
    )


SIMPLE = PLAIN | NUMBERS | CHOICES | st.builds(str.__add__, st.sampled_from(["str", "bytes"]), LENGTHS)
TYPES = st.recursive(SIMPLE, containers, max_leaves=5) | DECIMALS


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines that are valid, but for names that may meet."""
    nulls = st.sampled_from(["", " | None", " | None = None"])
    fields = draw(st.lists(st.tuples(names(), TYPES, nulls), min_size=1, max_size=5))
    return ", ".join(f"{name}: {type_}{null}" for name, type_, null in fields)


def ruff(*arguments: str, source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length=100", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, encoding="utf-8")


def check_line(text: str, fails: bool = True) -> None:
    try:
        message = message_of(text)
    except FieldFaults as error:
        assert fails
        acceptable = ("stands here twice", "are both", "hides the type", "taken or too long", "allows nothing",
                      "cannot be called", "would have about", "only value")  # fmt: skip
        assert all(any(words in fault for words in acceptable) for fault in error.faults), (text, error.faults)
        return
    source = module_source(message)
    defined = re.findall(r"^(?:class )?(\w+)(?:\(| = )", source, re.MULTILINE)
    assert len(set(defined)) == len(defined)
    formatted = ruff("format", "--check", "--diff", source=source)
    assert formatted.returncode == 0, formatted.stdout
    linted = ruff("check", "--select=B,E,F,I,SIM,UP,W", "--target-version=py311", source=source)
    assert linted.returncode == 0, linted.stdout

    class_ = class_of(message)
    for n in (1, 2, 3):
        example = message.example(n=n)
        decoded = msgspec.json.decode(json.dumps(example), type=class_)
        assert json.loads(msgspec.json.encode(decoded)) == example
    for refusal in message.refusals():
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.json.decode(json.dumps(broken(message.example(), refusal)), type=class_)
        _, found, path = str(caught.value).rpartition(" - at `")
        assert (path.removesuffix("`") if found else "$") == f"${refusal.at}", refusal


def broken(example: dict[str, Any], refusal: Refusal) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(example))
    parent: Any = copied
    *parents, last = refusal.path
    for key in parents:
        parent = parent[key]
    if refusal.value is MISSING:
        del parent[last]
    else:
        parent[last] = parent[last][:1] * refusal.value.count if isinstance(refusal.value, Times) else refusal.value
    return copied


@given(lines())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_valid_line_gives_a_module_that_does_what_it_says(text: str) -> None:
    check_line(text)


@given(lines())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_type_that_is_written_anew_is_the_same(text: str) -> None:
    try:
        fields = message_of(text).fields
    except FieldFaults:
        assume(False)  # names that meet, bounds that allow nothing
    for field in fields:
        if not list(message_module._nested(field.type)):
            assert parse_fields(f"{field.name}: {field.type.typed}")[0].type == field.type


@pytest.mark.wide
@given(lines())
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_valid_lines_give_modules_that_do_what_they_say(text: str) -> None:
    check_line(text)


FRAGMENTS = st.sampled_from(
    [*"()[]{}:,=|<>\"'#*/.-_ ", "int", "str", "None", "list[", "dict[str, ", ">=", ":=", "lambda", "f'", "1.5", "a: "]
)  # fmt: skip
TEXTS = st.text() | st.text(string.printable) | st.lists(FRAGMENTS, max_size=30).map("".join)


def check_text(text: str) -> None:
    try:
        message = message_of(text)
    except FieldFaults as error:
        assert error.faults
    else:
        class_of(message)


@given(TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    check_text(text)


@pytest.mark.wide
@given(TEXTS)
@settings(max_examples=50_000)
def test_a_great_many_texts_are_read_or_refused(text: str) -> None:
    check_text(text)
