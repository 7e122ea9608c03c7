"""The field language: what it means, and that the generated module does what it says."""

import json
import re
import subprocess
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from local_extensions.fields import FieldFaults
from local_extensions.fields.names import LONGEST_NAME
from local_extensions.output.example import example, examples
from local_extensions.output.json_schema import DIALECT, json_schema
from local_extensions.output.python import annotation as annotation_of
from local_extensions.output.python import source
from tests.support.field_lines import TEXTS, lines
from tests.support.messages import class_of, kinds_in, message_of, module_source, parsed
from tests.support.refusals import broken, refusals


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
        ("any", "Any"),
        ("any | None", "Any"),
        ("dict", "dict[str, Any]"),
        ("object | None", "dict[str, Any] | None"),
        ("list", "list[Any]"),
        ("dict[str, any][:5]", "Annotated[dict[str, Any], msgspec.Meta(max_length=5)]"),
        ("int | str", "int | str"),
        ("str | None | list[str]", "str | list[str] | None"),
        ('"a" | int | "b"', 'Literal["a", "b"] | int'),
        ("float | int >= 1 | {a: str}", "float | Annotated[int, msgspec.Meta(ge=1)] | Field"),
        ("{sku: str, quantity: int >= 1}", "Field"),
        ("{sku: str} | None", "Field | None"),
        ("list[{sku: str}]", "list[Field]"),
        ("dict[str, {a: {b: int}}]", "dict[str, Field]"),
    ],
)  # fmt: skip
def test_type_gives_its_annotation(typed: str, annotation: str) -> None:
    (field,) = message_of(f"field: {typed}").fields
    assert annotation_of(field.type) == annotation
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
        ("list[int] = []", "[]"),
        ("list = []", "[]"),
        ("dict[str, int] | None = {}", "{}"),
        ("any = None", "None"),
        ("any = 'x'", '"x"'),
        ("int | str = 'x'", '"x"'),
        ("int | str = 1", "1"),
    ],
)
def test_default_gives_its_source(typed: str, default: str) -> None:
    (field,) = message_of(f"field: {typed}").fields
    assert field.default
    assert source(field.default.value) == default
    assert msgspec.json.decode("{}", type=class_of(message_of(f"field: {typed}")))


def test_two_hundred_fields_are_read() -> None:
    message = message_of(", ".join(f"field_{n}: list[{{sku: str, count: int >= 1}}] | None" for n in range(200)))
    assert len(message.fields) == 200
    assert class_of(message)


def test_longest_name_is_allowed() -> None:
    assert message_of(f"{'a' * LONGEST_NAME}: str")


# --- objects that are used again ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "shipping: {street: str, city: str}, billing: Shipping | None = None",
        "lines: list[{sku: str, price: {amount: Decimal >= 0}}], total: Price, others: dict[str, Line | None]",
        "a: {x: {y: int}}, b: {z: X | int, w: A}, c: B | str",
    ],
)
def test_object_can_be_used_again_by_the_name_of_its_class(text: str) -> None:
    check_line(text, fails=False)
    message = message_of(text)
    expected = {"$schema": DIALECT, **msgspec.json.schema(class_of(message))}
    assert json.dumps(json_schema(message)) == json.dumps(expected)


# --- kinds of objects ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ('{type: "placed", id: UUID} | {type: "cancelled", id: UUID, reason: str}', ["Placed", "Cancelled"]),
        ('{type: "order.placed", id: str} | {type: "order.cancelled"}', ["OrderPlaced", "OrderCancelled"]),
        ("{version: 1, a: str} | {version: 2, a: int}", ["Version1", "Version2"]),
        ('{v: "1.0"} | {v: "2.0"} | {v: "*"}', ["V10", "V20", "V"]),
        ('{type: "a", kind: "x"} | {type: "a", kind: "y"}', ["X", "Y"]),
        ('{type: "date", date: date} | {type: "Order"} | {type: "order"}', ["Date", "OrderOrder", "Order2"]),
    ],
)
def test_objects_with_a_constant_are_kinds_of_messages(text: str, classes: list[str]) -> None:
    message = parsed(text)
    assert [kind.class_name for kind in kinds_in(message)] == classes
    check_line(text, fails=False)
    expected = {"$schema": DIALECT, **msgspec.json.schema(class_of(message))}
    assert json.dumps(json_schema(message)) == json.dumps(expected)


@pytest.mark.parametrize(
    "text",
    [
        'event: {type: "a", x: int} | {type: "b"} | None = None, before: A | B | None = None, last: B',
        'events: list[{type: "a", x: int} | {type: "b"} | str], by_name: dict[str, {k: 1} | {k: 2} | None]',
        'a: {t: "x", b: {t: "y"} | {t: "z"}} | {t: "w"}',
    ],
)
def test_a_field_can_have_several_kinds_of_objects(text: str) -> None:
    check_line(text, fails=False)
    message = message_of(text)
    expected = {"$schema": DIALECT, **msgspec.json.schema(class_of(message))}
    assert json.dumps(json_schema(message)) == json.dumps(expected)
    class_ = class_of(message)
    seen = {json.dumps(body) for body in examples(message)}
    assert len(seen) == len(examples(message)) > 1
    for body in seen:
        msgspec.json.decode(body, type=class_)


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "python", "json_name"),
    [
        ("orderId", "order_id", "orderId"),
        ("order_id", "order_id", "order_id"),
        ("TopicArn", "topic_arn", "TopicArn"),
        ("sourceIPAddress", "source_ip_address", "sourceIPAddress"),
        ("URL", "url", "URL"),
        ("eventID", "event_id", "eventID"),
        ("orderIDs", "order_ids", "orderIDs"),
        ("s3SchemaVersion", "s3_schema_version", "s3SchemaVersion"),
        ("MD5OfBody", "md5_of_body", "MD5OfBody"),
        ("from", "from_", "from"),
        ("self", "self_", "self"),
        ("_id", "id", "_id"),
        ('"$id"', "id", "$id"),
        ('"detail-type"', "detail_type", "detail-type"),
        ('"aws:region"', "aws_region", "aws:region"),
        ("'x-amz-id-2'", "x_amz_id_2", "x-amz-id-2"),
        ('"größe"', "grosse", "größe"),
        ('"🚀"', "field", "🚀"),
        ('"1"', "field_1", "1"),
        ('""', "field", ""),
        ("str", "str_", "str"),
    ],
)
def test_name_is_that_in_json_and_gives_one_in_python(typed: str, python: str, json_name: str) -> None:
    (field,) = message_of(f"{typed}: str").fields
    assert (field.name, field.wire_name) == (python, json_name)
    check_line(f"{typed}: str", fails=False)


def test_names_that_collide_in_python_get_a_number() -> None:
    fields = message_of('orderId: str, order_id: str, OrderID: str, date: date, "date_": str').fields
    assert [field.name for field in fields] == ["order_id", "order_id_2", "order_id_3", "date_", "date_2"]


@pytest.mark.parametrize(
    "text",
    [
        f"{'a' * LONGEST_NAME}: {{{'b' * LONGEST_NAME}: {{{'c' * LONGEST_NAME}: str | None = None}}}}",
        f"{'aB' * 32}: Decimal <= 0.1234567890123456 | None = 0, {'b' * 40}: list[list[str[1:64]][2:9]][1:9]",
        "a_long_name_of_a_field: list[{b: str[1:500]}][1:100] | str[1:100] | 1 | 2 | bool | None = True",
        f"{'a' * 40}: list[{{{'b' * 64}: str[1:500]}}][1:100] | str[1:100] | 1 | 2 | bool | float | dict | None",
        f"{'aB' * 32}: Decimal < 1, {'b' * 58}: Decimal < 0.1234567890123456 | None, {'c' * 44}: Decimal < 1",
        f'"{"c-" * 32}": list[{{x: str[1:64]}}][1:9] | None = None, {"d" * 48}: "x" | "{"z" * 60}" = "x"',
    ],
)
def test_longest_names_give_a_clean_module(text: str) -> None:
    check_line(text, fails=False)


# --- the generated module ------------------------------------------------------------------------


def ruff(*arguments: str, source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length=100", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, encoding="utf-8")


def check_line(text: str, fails: bool = True) -> None:
    try:
        message = parsed(text)
    except FieldFaults as error:
        assert fails
        acceptable = ("appears twice", "are both", "would hide the type", "taken or too long", "allows no value",
                      "cannot be a name", "would have about", "is a fixed value", "JSON cannot tell")  # fmt: skip
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
    for kind in kinds_in(message):
        for n in (1, 2, 3):
            body = example(kind, n=n)
            decoded = msgspec.json.decode(json.dumps(body), type=class_)
            assert json.loads(msgspec.json.encode(decoded)) == body
        for refusal in refusals(kind):
            with pytest.raises(msgspec.ValidationError) as caught:
                msgspec.json.decode(json.dumps(broken(example(kind), refusal)), type=class_)
            _, found, path = str(caught.value).rpartition(" - at `")
            assert (path.removesuffix("`") if found else "$") == f"${refusal.at}", refusal


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
def test_names_of_the_module_do_not_collide(text: str) -> None:
    check_line(text, fails=False)


# --- the whole language ------------------------------------------------------------------------


@given(lines())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_valid_line_gives_a_module_that_does_what_it_says(text: str) -> None:
    check_line(text)


@pytest.mark.wide
@given(lines())
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_valid_lines_give_modules_that_do_what_they_say(text: str) -> None:
    check_line(text)


def check_text(text: str) -> None:
    try:
        message = parsed(text)
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
