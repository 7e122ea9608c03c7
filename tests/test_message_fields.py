"""The field language, and that its names and examples are what msgspec makes of them."""

import json
import keyword

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_extensions.message_fields import LONGEST_NAME, TYPES, Field, FieldFaults, Message, parse_fields


def faults(text: str) -> list[str]:
    with pytest.raises(FieldFaults) as caught:
        parse_fields(text)
    return caught.value.faults


def msgspec_class(message: Message) -> type[msgspec.Struct]:
    """The class that the generated module defines, made at run time."""
    types = {"str": str, "int": int, "float": float, "bool": bool}
    return msgspec.defstruct(message.class_name, [(f.name, types[f.type]) for f in message.fields], rename="camel")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("order_id: str", (Field("order_id", "str"),)),
        ("a: str, b: int, c: float, d: bool", tuple(map(Field, "abcd", ["str", "int", "float", "bool"]))),
        ("  a :str,\n b:int,  ", (Field("a", "str"), Field("b", "int"))),
    ],
)
def test_fields_are_read_in_order(text: str, fields: tuple[Field, ...]) -> None:
    assert parse_fields(text) == fields


def test_every_fault_is_named_at_once() -> None:
    assert faults("orderId: str, note: string, express, class_: int, a1: int, a_1: int, a1: str, str: int, l: int") == [
        "field orderId is not snake_case: lower-case letters and digits, words joined by one underscore",
        "field note is of unknown type string; allowed: str, int, float, bool",
        "field express has no type: write express: str",
        "field class_ is not snake_case: lower-case letters and digits, words joined by one underscore",
        "fields a1 and a_1 are both a1 in JSON",
        "field a1 stands there twice",
        "field str has the name of a type",
        "field l reads like the digit 1; choose a longer name",
    ]


@pytest.mark.parametrize("type_", ["'str'", "list[str]", "str | None", "1", "__import__('os')", "{{ 7*7 }}", "None"])
def test_what_is_no_known_type_is_shown_and_not_evaluated(type_: str) -> None:
    assert faults(f"a: {type_}")[0].startswith("field a is of unknown type ")


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", "a: str,, b: int", "class: str", "a:", "1: str", "a: str b: str", "(a: str)", "a; b", "a: str\0"],
)
def test_what_python_cannot_read_is_shown_as_typed(text: str) -> None:
    assert faults(text) == [f"not the inside of a Python signature: {text!r}; write name: type, name: type"]


@pytest.mark.parametrize(
    "text",
    [
        "a: str = 'x'",
        "a: str, **rest",
        "a: str) -> (int",
        "a: str): return 1\ndef other(b: int",
        "a: str): pass; (1",
        "a: str): pass\nimport os; (1",
    ],
)
def test_only_fields_may_stand_in_the_text(text: str) -> None:
    assert faults(text)[0].startswith(("only fields may stand here", "not the inside of a Python signature"))


def test_the_longest_name_is_allowed_and_no_longer_one() -> None:
    name = "a" * LONGEST_NAME
    assert parse_fields(f"{name}: str") == (Field(name, "str"),)
    assert faults(f"{name}a: str") == [f"field {name}a is 51 characters long; allowed: at most 50"]


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,5}){0,3}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and name not in TYPES and name != "l"
)
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from(list(TYPES))), min_size=1, max_size=8)


@given(FIELDS, st.integers(1, 3))
def test_a_message_is_what_msgspec_makes_of_it(pairs: list[tuple[str, str]], n: int) -> None:
    text = ", ".join(f"{name}: {type_}" for name, type_ in pairs)
    try:
        message = Message("Sample", parse_fields(text))
    except FieldFaults as error:
        assert all("twice" in fault or "are both" in fault for fault in error.faults)
        return
    class_ = msgspec_class(message)
    assert class_.__struct_encode_fields__ == tuple(field.wire_name for field in message.fields)

    decoded = msgspec.json.decode(json.dumps(message.example(n)), type=class_)
    assert msgspec.to_builtins(decoded) == message.example(n)
    with pytest.raises(msgspec.ValidationError, match=rf"at `\$\.{message.fields[0].wire_name}`"):
        msgspec.json.decode(json.dumps(message.broken_example(n)), type=class_)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_fields(text)
    except FieldFaults as error:
        assert error.faults


def test_examples_look_like_their_field() -> None:
    message = Message(
        "Order", parse_fields("order_id: str, customer_name: str, quantity: int, price: float, gift: bool")
    )
    assert message.example(2) == {
        "orderId": "order-2",
        "customerName": "customer-name-2",
        "quantity": 2,
        "price": 2.5,
        "gift": False,
    }
    assert message.broken_example() == {**message.example(), "orderId": 1}
