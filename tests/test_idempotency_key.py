"""The question idempotency_key: which fields it takes, what it says about others, and the generated entry point."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local_extensions import questions
from local_extensions.fields import FieldFaults
from local_extensions.fields.key import FEW_VALUES, LONGEST_PATH, MOST_FIELDS, KeyField, parse_key
from local_extensions.fields.names import LONGEST_PYTHON_NAME
from local_extensions.output.entry_point import batch_handler, expression
from local_extensions.output.example import examples
from tests.support.messages import class_of, parsed
from tests.support.projects import ROOT, Bake, run
from tests.test_questions import GOOD, refusal

ORDER = (
    "orderId: UUID, order: {id: str, at: datetime, deep: {x: int}}, kind: 'a' | 'b', paid: bool, status: str = 'new', "
    "note: str | None, extra: {id: str} | None = None, items: list[{sku: str}], tags: dict[str, str], data: any, "
    '"detail-type": str, "a.b": {"c d": str}, from: str, "naïve": str, either: int | str, mixed: int | {a: str}, '
    'day: 1 <= int < 32, by: {kind: "user", id: str} | {kind: "system", id: int, n: str}, date: date, v: 1, '
    "price: Decimal"
)
KINDS = (
    '{type: "placed", orderId: UUID, total: Decimal, gift: bool, date: date, by: {id: str, at: time}} | '
    '{type: "cancelled", orderId: UUID, reason: str, gift: str, date: str, by: {id: str}, note: str = ""}'
)
NUMBERED = '{"kind-of": 1, a: str, b: bool} | {"kind-of": 2, a: bool, b: str}'
PING = '{type: "placed", orderId: UUID} | {type: "ping"}'


def key_of(text: str, fields: str = ORDER) -> str:
    return expression(parse_key(text, parsed(fields)))


def faults(text: str, fields: str = ORDER) -> list[str]:
    with pytest.raises(FieldFaults) as caught:
        parse_key(text, parsed(fields))
    return caught.value.faults


def shown(marked: str, what: str) -> str:
    """Return the three lines for a fault at the «spot» in a text."""
    start, end = marked.index("«"), marked.index("»") - 1
    return f"{what}\n    {re.sub('[«»]', '', marked)}\n    {' ' * start}{'^' * (end - start)}"


# --- answers that are taken --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("orderId", "message.order_id"),
        (" orderId ", "message.order_id"),
        ('"orderId"', "message.order_id"),
        ("'orderId'", "message.order_id"),
        (r'"order\u0049d"', "message.order_id"),
        ("order.id", "message.order.id"),
        ("order . id", "message.order.id"),
        ("order.deep.x", "message.order.deep.x"),
        ("order.id, kind", "(message.order.id, message.kind)"),
        ("kind,order.id", "(message.kind, message.order.id)"),
        ("status, orderId, paid", "(message.status, message.order_id, message.paid)"),
        ('"detail-type"', "message.detail_type"),
        ('"a.b"."c d"', "message.a_b.c_d"),
        ('"naïve"', "message.naive"),
        ("from", "message.from_"),
        ("date", "message.date_"),
        ("either", "message.either"),
        ("price", "message.price"),
        ("by.id", "message.by.id"),
        ("v, orderId", "(message.v, message.order_id)"),
        ("orderId, note", "(message.order_id, message.note)"),
    ],
)
def test_key_is_read_from_the_message(text: str, key: str) -> None:
    assert key_of(text) == key
    for body, message in decoded(ORDER):
        found = eval(f"lambda message: {key}")(message)
        values = found if isinstance(found, tuple) else (found,)
        assert json.loads(msgspec.json.encode(values)) == [in_body(body, name) for name in text.split(",")]


@pytest.mark.parametrize(
    ("fields", "text", "key"),
    [
        (KINDS, "orderId", "(type(message).__name__, message.order_id)"),
        (KINDS, "by.id", "(type(message).__name__, message.by.id)"),
        (KINDS, "type, orderId", "(type(message).__name__, message.order_id)"),
        (KINDS, "orderId, type, gift", "(message.order_id, type(message).__name__, message.gift)"),
        (ORDER, "by.kind, by.id", "(type(message.by).__name__, message.by.id)"),
        (NUMBERED, "a, b", "(type(message).__name__, message.a, message.b)"),
    ],
)
def test_key_tells_kinds_apart(fields: str, text: str, key: str) -> None:
    assert key_of(text, fields) == key
    keys = [eval(f"lambda message: {key}")(message) for _, message in decoded(fields)]
    assert len(set(keys)) == len(keys) == 2


def decoded(fields: str) -> list[tuple[Any, Any]]:
    """Return the examples of a message: the body and the message."""
    message = parsed(fields)
    return [(body, msgspec.json.decode(json.dumps(body), type=class_of(message))) for body in examples(message)]


def in_body(body: Any, path: str) -> Any:
    """Return what a typed path leads to in a body."""
    for name in re.findall(r""""[^"]*"|'[^']*'|[^\s.]+""", path):
        body = body[json.loads(name) if name[0] == '"' else name.strip("'")]
    return body


def test_keys_of_the_documentation_are_those_that_are_generated() -> None:
    doc = (ROOT / "docs" / "fields.md").read_text("utf-8")
    table = re.findall(r"^\| `(.*)` \| `(\(?message.*)` \|$", doc, re.MULTILINE)
    assert len(table) == 3
    for text, key in table:
        assert key_of(text, f'{ORDER}, detail: {{"order.id": str}}') == key
    assert key_of("orderId", KINDS) in doc


def test_key_of_a_pasted_sample_and_a_schema_is_read() -> None:
    assert key_of("order.orderId", '{"order": {"orderId": "1"}}') == "message.order.order_id"
    schema = {"properties": {"orderId": {"type": "string"}, "note": {"type": "string"}}, "required": ["orderId"]}
    assert key_of("orderId", json.dumps(schema)) == "message.order_id"
    assert faults("note", json.dumps(schema)) == [
        shown(
            "«note»",
            "`note` can be null, and all messages without it would count as one; add a field such as orderId",
        )
    ]


# --- faults ------------------------------------------------------------------------------------

FIELDS = "it has `orderId`, `order`, `kind`, `paid`, `status`, `note` and 15 more"


@pytest.mark.parametrize(
    ("marked", "what"),
    [
        # syntax
        ("«\"»orderId", "this quote is never closed"),
        ("orderId«#» id", "comments are not allowed here"),
        ("orderId«)»", "nothing opens this )"),
        ("orderId«,»", "there is no field after this comma"),
        ("«,»orderId", "there is no field before this comma"),
        ("orderId,«,»kind", "there is no field before this comma"),
        ("«.»orderId", "a name is missing next to this dot"),
        ("orderId«.»", "a name is missing next to this dot"),
        ("order«..»id", "a name is missing next to this dot"),
        ("orderId, «.»", "a name is missing next to this dot"),
        ("«items[0]».sku", "brackets are not allowed here; write names with commas between them, such as "
         "orderId, order.id"),
        ('«["orderId"]»', "brackets are not allowed here; write names with commas between them, such as "
         "orderId, order.id"),
        ("«(orderId, kind)»", "brackets are not allowed here; write names with commas between them, such as "
         "orderId, order.id"),
        ("«orderId: str»", "`orderId: str` is more than a name; write the name alone"),
        ("«orderId = 1»", "`orderId = 1` is more than a name; write the name alone"),
        ("«orderId kind»", "`orderId kind` is not a name; fields are separated by commas"),
        ("«orderId;kind»", "`orderId;kind` is not a name; fields are separated by commas"),
        ("«orderId + kind»", "`orderId + kind` is not a name; fields are separated by commas"),
        ("order.«id kind»", "`id kind` is not a name; fields are separated by commas"),
        ('«"orderId"x»', '`"orderId"x` is not a name; put all of it in quotes'),
        # names
        ("«orderID»", "the message has no field `orderID`; did you mean `orderId`?"),
        ("«ORDER_IDS»", "the message has no field `ORDER_IDS`; did you mean `orderId`?"),
        ("«order_id»", "the message has no field `order_id`; that is its name in Python, so write `orderId`"),
        ("«from_»", "the message has no field `from_`; that is its name in Python, so write `from`"),
        ("«detail_type»", "the message has no field `detail_type`; that is its name in Python, so write "
         '`"detail-type"`'),
        ("«detailtype»", 'the message has no field `detailtype`; did you mean `"detail-type"`?'),
        ("«id»", "the message has no field `id`; did you mean `order.id`?"),
        ("«customer»", f"the message has no field `customer`; {FIELDS}"),
        ('«""»', f'the message has no field `""`; {FIELDS}'),
        ("«$».orderId", f"the message has no field `$`; {FIELDS}"),
        ("«/orderId»", "`/orderId` is not a name; fields are separated by commas"),
        ("order.«idd»", "`order` has no field `idd`; did you mean `id`?"),
        ("order.deep.«customer»", "`deep` has no field `customer`; it has `x`"),
        ("«detail-type»", '`detail-type` needs quotes: "detail-type"'),
        ("«a.b»", '`a.b` needs quotes: "a.b"'),
        ('"a.b".«c d»', '`c d` needs quotes: "c d"'),
        ("orderId, «\"orderId\"»", '`"orderId"` appears twice'),
        ("order.id, kind, «order . id»", "`order . id` appears twice"),
        # values
        ("«order»", "`order` is an object; write a field in it, such as `order.id`"),
        ("«order.deep»", "`order.deep` is an object; write a field in it, such as `order.deep.x`"),
        ("«by»", "`by` is an object; write a field in it, such as `by.id`"),
        ("«items»", "`items` is a list; only single values can be part of the key"),
        ("«tags»", "`tags` is a dict; only single values can be part of the key"),
        ("«data»", "`data` can be any value, even a list; use a field of a type such as str"),
        ("«mixed»", "`mixed` can be an object; only single values can be part of the key"),
        ("«mixed».a", "`mixed` is not always an object, so a field in it cannot be part of the key"),
        ("«items».sku", "`items` is a list, and a field of its items cannot be part of the key"),
        ("«tags».x", "`tags` is a dict, and its values cannot be part of the key"),
        ("«data».x", "`data` can be any value, so a field in it cannot be part of the key"),
        ("«orderId».x", "`orderId` is a single value and has no fields"),
        ("by.«kind».x", "`kind` is a single value and has no fields"),
        ("«note»", "`note` can be null, and all messages without it would count as one; add a field such as orderId"),
        ("«extra».id", "`extra` can be null, so a field in it cannot be part of the key"),
        ("by.«n»", '`by` with `kind: "user"` has no field `n`; use one that every kind has'),
        # fields that many messages share
        ("«status»", "`status` can be left out, and all messages without it would count as one; "
         "add a field such as orderId"),
        ("«paid»", "`paid` has only 2 values, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        ("«kind»", "`kind` has only 2 values, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        ("«v»", "`v` has only 1 value, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        ("«day»", "`day` has only 31 values, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        ("«by.kind»", "`by.kind` has only 2 values, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        (" «paid, kind, status» ", "all of these fields have few values or can be left out, so messages would be lost; "
         "add a field such as orderId"),
    ],
)  # fmt: skip
def test_fault_is_shown_where_it_is(marked: str, what: str) -> None:
    assert faults(re.sub("[«»]", "", marked)) == [shown(marked, what)]


@pytest.mark.parametrize(
    ("fields", "marked", "what"),
    [
        (KINDS, "«reason»", 'messages with `type: "placed"` have no field `reason`; use one that every kind has'),
        (KINDS, "«total»", 'messages with `type: "cancelled"` have no field `total`; use one that every kind has'),
        (KINDS, "«OrderId»", "the message has no field `OrderId`; did you mean `orderId`?"),
        (KINDS, "«date»", "`date` has different names in Python in the kinds; use another field"),
        (KINDS, "«type»", "`type` has only 2 values, so nearly every message would count as a duplicate; "
         "add a field such as orderId"),
        (KINDS, "«gift»", '`gift` has only 2 values in messages with `type: "placed"`, so nearly every message would '
         "count as a duplicate; add a field such as orderId"),
        (KINDS, "«gift, type»", "all of these fields have few values or can be left out in messages with "
         '`type: "placed"`, so messages would be lost; add a field such as orderId'),
        (NUMBERED, "«a»", '`a` has only 2 values in messages with `"kind-of": 2`, so nearly every message would '
         "count as a duplicate; no field of this message tells messages apart, so leave the answer empty"),
        (PING, "«orderId»", 'messages with `type: "ping"` have no field `orderId`; use one that every kind has'),
        (PING, "«type»", "`type` has only 2 values, so nearly every message would count as a duplicate; "
         "no field of this message tells messages apart, so leave the answer empty"),
        ("a: bool", "«a»", "`a` has only 2 values, so nearly every message would count as a duplicate; "
         "no field of this message tells messages apart, so leave the answer empty"),
        ("a: {b: bool}", "«a»", "`a` is an object; use another field"),
        ("a: list[str] | str", "«a»", "`a` can be a list; only single values can be part of the key"),
        ('a: bool, b: date, c: str, "d-id": str', "«a»", "`a` has only 2 values, so nearly every message would count "
         'as a duplicate; add a field such as "d-id"'),
    ],
)  # fmt: skip
def test_fault_of_another_message_is_shown_where_it_is(fields: str, marked: str, what: str) -> None:
    assert faults(re.sub("[«»]", "", marked), fields) == [shown(marked, what)]


def test_all_faults_are_shown_at_once() -> None:
    assert faults("orderID, items,, note") == [
        shown("«orderID», items,, note", "the message has no field `orderID`; did you mean `orderId`?"),
        shown("orderID, «items»,, note", "`items` is a list; only single values can be part of the key"),
        shown("orderID, items,«,» note", "there is no field before this comma"),
    ]


def test_path_in_quotes_is_recognised() -> None:
    fields = "customer: {id: str}, customerName: str"
    assert faults('"customer.id"', fields) == [
        shown(
            '«"customer.id"»', 'the message has no field `"customer.id"`; did you mean `customer.id`, without quotes?'
        )
    ]


def test_control_character_is_refused() -> None:
    assert faults("orderId\n") == [
        "line breaks and control characters are not allowed here (U+000A)\n    orderId?\n           ^"
    ]


@pytest.mark.parametrize(("values", "few"), [(FEW_VALUES, True), (FEW_VALUES + 1, False)])
def test_number_with_few_values_does_not_tell_messages_apart(values: int, few: bool) -> None:
    for fields in (f"a: 0 <= int < {values}", f"a: 0 < int <= {values}", f"a: -1 < int < {values}"):
        if few:
            assert f"`a` has only {values} values" in faults("a", fields)[0]
        else:
            assert key_of("a", fields) == "message.a"


@pytest.mark.parametrize(
    "text",
    [
        "é", "🚀", '"🚀"', "ｏｒｄｅｒＩｄ", "order\u200bId", "\ud800", '"\ud800"', "\0", "\t", "\u202eorderId",
        ".", "." * 10_000, "," * 10_000, "'", '"', '""', "''", '"""', '"' * 9_999, "\\", r'"\"', r'"\N{x}"', r'"\x"',
        "x" * 10_000, "x." * 5_000, "orderId, " * 1_200 + "x", "orderId " * 1_200, '"' + "x" * 10_000 + '"',
        "{" * 10_000, "x" * 20_001, "[]", "{}", "null", "None", "1", "1.5", "-", "*", "**", "lambda: 0", "__class__",
        "message.orderId", "order.__class__", "{{ 7*7 }}", "__struct_config__.tag", "by.__struct_config__.tag",
        "orderId.__len__()",
    ],
)  # fmt: skip
def test_odd_answer_is_refused_in_short_lines(text: str) -> None:
    for fields in (ORDER, KINDS):
        found = faults(text, fields)
        assert len(found) <= 21
        assert all(len(line) < 300 and line.isprintable() for fault in found for line in fault.splitlines())


def test_long_answer_is_shown_around_the_fault() -> None:
    text = ", ".join(f"f{n}" for n in range(20))
    what, line, carets = faults(text, ", ".join(f"f{n}: str" for n in range(19)))[0].splitlines()
    assert what.startswith("the message has no field `f19`; did you mean `f")
    assert line.startswith("    …")
    assert line.endswith("f18, f19")
    assert carets == f"{'^^^':>{len(line)}}"


def test_key_of_many_fields_is_refused() -> None:
    fields = ", ".join(f"f{n}: str" for n in range(MOST_FIELDS + 1))
    assert key_of(", ".join(f"f{n}" for n in range(MOST_FIELDS)), fields).count("message.") == MOST_FIELDS
    found = faults(", ".join(f"f{n}" for n in range(MOST_FIELDS + 1)), fields)
    assert found[0].startswith("the key has 21 fields; the limit is 20\n")


def test_field_that_is_too_long_for_a_line_is_refused() -> None:
    name = "a" * LONGEST_PYTHON_NAME
    rest = "b" * (LONGEST_PATH - len(name) - 1)
    fields = f"{name}: {{{rest}: str, {rest}b: str}}"
    assert key_of(f"{name}.{rest}", fields) == f"message.{name}.{rest}"
    assert faults(f"{name}.{rest}b", fields)[0].startswith("this is too long in Python; the limit is 79 characters")


# --- the question ------------------------------------------------------------------------------


def test_no_answer_is_no_key() -> None:
    assert questions.check({**GOOD, "idempotency_key": ""}, "idempotency_key") == ""
    assert questions.idempotency_key(GOOD) == ()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (["orderId"], "['orderId'] is not text; write all fields in one text, such as orderId, kind"),
        ({"a": 1}, "{'a': 1} is not text; write all fields in one text, such as orderId, kind"),
        (7, "7 is not text; write all fields in one text, such as orderId, kind"),
        (True, "True is not text; write all fields in one text, such as orderId, kind"),
        (None, "there is no answer; write one, or leave the question out"),
        ("  ", "'  ' has only spaces; write a field, or nothing at all for no idempotency"),
    ],
)  # fmt: skip
def test_answer_that_is_not_text_is_refused(answer: Any, line: str) -> None:
    assert refusal("idempotency_key", answer) == f"idempotency_key: {line}"


def test_key_is_not_checked_against_faulty_fields() -> None:
    with pytest.raises(questions.BadAnswers) as caught:
        questions.check_all({**GOOD, "message_fields": "a: strr", "idempotency_key": "orderID"})
    assert str(caught.value).splitlines() == [
        "message_fields: unknown type `strr`; did you mean `str`?",
        "    a: strr",
        "       ^^^^",
    ]


def test_key_is_checked_later_if_the_fields_are_not_known_yet() -> None:
    answers = {name: value for name, value in GOOD.items() if name != "message_fields"}
    assert questions.check({**answers, "idempotency_key": "x"}, "idempotency_key") == ""


def test_faulty_key_is_refused_by_cookiecutter(tmp_path: Path) -> None:
    done = run("cookiecutter", str(ROOT), "--no-input", "idempotency_key=orderID", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "idempotency_key: the message has no field `orderID`; did you mean `orderId`?",
            "    orderID",
            "    ^^^^^^^",
        ],
    )
    assert not list(tmp_path.iterdir())


# --- the entry point ---------------------------------------------------------------------------


def test_entry_point_claims_the_key(bake: Bake) -> None:
    app = bake(idempotency_key="orderId").path / "lambdas" / "new_message_processor" / "app.py"
    assert app.read_text("utf-8") == (
        '"""The entry point of the Lambda function."""\n\n'
        "from shared.new_message import NewMessage, handle\n"
        "from sqs import batch_handler\n"
        "from sqs.idempotency import Once\n\n"
        "handler = batch_handler(NewMessage, Once(handle, key=lambda message: message.order_id))\n"
    )


def test_module_is_only_in_a_project_that_uses_it(bake: Bake) -> None:
    assert "lambdas/sqs/idempotency.py" not in bake().files
    in_template = (ROOT / "{{cookiecutter.project_slug}}/lambdas/sqs/idempotency.py").exists()
    assert ("lambdas/sqs/idempotency.py" in bake(idempotency_key="orderId").files) == in_template


def test_module_that_an_owner_uses_stays(tmp_path: Path) -> None:
    lambdas = tmp_path / "order-events" / "lambdas"
    files = {"new_message_processor/app.py": "from sqs.idempotency import Once\n", "sqs/idempotency.py": ""}
    for name, text in files.items():
        (lambdas / name).parent.mkdir(parents=True)
        (lambdas / name).write_text(text)
    command = ("cookiecutter", str(ROOT), "--no-input", "--default-config", "-f", "-s")
    assert run(*command, cwd=tmp_path).returncode == 0
    assert (lambdas / "sqs" / "idempotency.py").exists()


def test_entry_point_is_formatted(tmp_path: Path) -> None:
    names = ["A", "NewMessage", "A" * 33]
    single = [[("a" * length,)] for length in range(1, LONGEST_PYTHON_NAME + 3)]
    nested = [[("a" * 40, "b" * length)] for length in range(1, LONGEST_PATH - 40)]
    several = [[("ab", "c"), ("a" * length,)] for length in range(1, 60)]
    many = [[(f"field_{n}",) for n in range(count)] for count in range(3, 12)] + [[("a" * 40, "b" * 38)] * 3]
    for number, (name, paths, in_event) in enumerate(
        itertools.product(names, [*single, *nested, *several, *many], [False, True])
    ):
        for is_tag in (False, True) if len(paths) > 1 else (False,):
            key = [KeyField((), is_tag=True), *map(KeyField, paths)] if is_tag else list(map(KeyField, paths))
            text = f"handler = {batch_handler(name, key, in_event=in_event)}\n"
            (tmp_path / f"app_{number}_{is_tag}.py").write_text(text)
    options = ("--isolated", "--line-length=100", "--no-cache", str(tmp_path))
    done = run("ruff", "format", "--diff", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[:5000]
    done = run("ruff", "check", "--select=E,W", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[:5000]
