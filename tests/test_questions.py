"""The checks of the answers, and the names that are derived from them."""

import ast
import re
from typing import Any

import pytest

from local_extensions import questions
from local_extensions.fields.names import TAKEN_CLASS_NAMES, snake_case
from tests.support.projects import QUESTIONS, Bake

GOOD = {
    "project_name": "Order Events",
    "project_slug": "order-events",
    "message_name": "NewMessage",
    "__message_module": "new_message",
    "message_fields": "orderId: str",
    "idempotency_key": "",
    "queue_type": "standard",
    "source": "queue",
    "batch_size": "10",
    "runtime": "python3.13",
    "architecture": "arm64",
    "sam_builder": "uv",
    "ci": "github",
}


def refusal(question: str, answer: Any) -> str:
    with pytest.raises(questions.BadAnswers) as caught:
        questions.check({**GOOD, question: answer}, question)
    return str(caught.value)


def test_good_answers_pass() -> None:
    assert questions.check_all(GOOD) == ""


def test_every_typed_answer_is_checked_right_after_its_question() -> None:
    names = list(QUESTIONS)
    typed = [name for name in names if isinstance(QUESTIONS[name], str) and not name.startswith("_")]
    assert typed == list(questions.CHECKS)
    for name in typed:
        following = names[names.index(name) + 1]
        assert following == f"__check_{name}"
        assert QUESTIONS[following] == f"{{{{ cookiecutter | check('{name}') }}}}"


def test_every_question_has_its_wording() -> None:
    asked = {name for name in QUESTIONS if not name.startswith("_")}
    assert QUESTIONS["__prompts__"].keys() == asked
    for name in asked:
        wording = QUESTIONS["__prompts__"][name]
        if isinstance(QUESTIONS[name], list):
            assert wording.keys() == {"__prompt__", *QUESTIONS[name]}
        assert not re.search(r"\[|\]", str(wording)), "square brackets are markup in a prompt"


@pytest.mark.parametrize("size", ["1", "10", "11", "10000", 5])
def test_batch_size_from_1_to_10000_passes(size: object) -> None:
    assert questions.check({**GOOD, "batch_size": size}, "batch_size") == ""


@pytest.mark.parametrize("size", ["0", "10001", "abc", "", "-1", "1.5", "010", "+5", "1_0", "１０", "10 ", "100000"])
def test_other_batch_sizes_are_refused(size: str) -> None:
    assert (
        refusal("batch_size", size)
        == f"batch_size: {size!r} is not a valid batch size for a standard queue; use a whole number from 1 to 10000"
    )


@pytest.mark.parametrize("size", ["1", "10"])
def test_fifo_queue_has_batches_of_up_to_10(size: str) -> None:
    assert questions.check({**GOOD, "queue_type": "fifo", "batch_size": size}, "batch_size") == ""
    with pytest.raises(questions.BadAnswers) as caught:
        questions.check({**GOOD, "queue_type": "fifo", "batch_size": f"1{size}"}, "batch_size")
    assert str(caught.value) == (
        f"batch_size: '1{size}' is not a valid batch size for a fifo queue; use a whole number from 1 to 10"
    )


def test_long_answer_is_shown_without_its_middle() -> None:
    assert refusal("batch_size", "9" * 9999).startswith("batch_size: '99999999")
    assert len(refusal("batch_size", "9" * 9999)) < 200


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\a", "\u2028", "\ud800"])
def test_unprintable_project_name_is_refused(name: str) -> None:
    assert refusal("project_name", name) == (
        f"project_name: {name!r} is not a valid project name; use printable characters on one line"
    )


@pytest.mark.parametrize("slug", ["a", "Order-Events2", "a" * 50])
def test_valid_stack_name_passes(slug: str) -> None:
    assert questions.check({**GOOD, "project_slug": slug}, "project_slug") == ""


@pytest.mark.parametrize("slug", ["", "2nd", "order_events", "order events", "-a", "a-", "a.b", "é", "../a", "a/b"])
def test_invalid_stack_name_is_refused(slug: str) -> None:
    assert refusal("project_slug", slug) == (
        f"project_slug: {slug!r} is not a valid CloudFormation stack name; use up to 50 letters, digits and "
        "hyphens, with a letter first and no hyphen last"
    )
    assert "is not a valid CloudFormation stack name" in refusal("project_slug", "a" * 51)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Order Events", "order-events"),
        ("OrderEvents", "OrderEvents"),
        ("Zoë's café: №1", "zoe-s-cafe-no1"),
        ("2024 orders", "sqs-2024-orders"),
        ("🚀", "sqs"),
        ("x" * 300, "x" * 50),
        ("word " * 60, ("word-" * 10).strip("-")),
        ("Con", "sqs-con"),
    ],
)
def test_every_project_name_suggests_a_valid_slug(name: str, slug: str) -> None:
    assert questions.project_slug({"project_name": name}) == slug
    assert questions.check({**GOOD, "project_slug": slug}, "project_slug") == ""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("NewMessage", "new_message"),
        ("HTTPRequest", "http_request"),
        ("OrderV2", "order_v2"),
        ("Order2Placed", "order2_placed"),
        ("Order", "order"),
    ],
)
def test_class_name_gives_the_module_name(name: str, module: str) -> None:
    assert snake_case(name) == module
    assert questions.check({**GOOD, "message_name": name}, "message_name") == ""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("newMessage", "'newMessage' is not a valid class name in PascalCase; try NewMessage"),
        ("New Message", "'New Message' is not a valid class name in PascalCase; try NewMessage"),
        ("New_Message", "'New_Message' is not a valid class name in PascalCase; try NewMessage"),
        ("Über", "'Über' is not a valid class name in PascalCase; try Uber"),
        ("", "'' is not a valid class name in PascalCase; try OrderPlaced"),
        ("1st", "'1st' is not a valid class name in PascalCase; try Field1St"),
        ("None", "the generated code already uses the name 'None'; try OrderNone"),
        ("Exception", "the generated code already uses the name 'Exception'; try OrderException"),
        ("EXAMPLES", "the generated code already uses the name 'EXAMPLES'"),
        ("Once", "the generated code already uses the name 'Once'; try OrderOnce"),
        ("Literal", "the generated code already uses the name 'Literal'"),
        ("Class", "'Class' gives the module name class, which is taken; try OrderClass"),
        ("Sqs", "'Sqs' gives the module name sqs, which is taken"),
        ("Shared", "'Shared' gives the module name shared, which is taken"),
        ("Contract", "'Contract' gives the module name contract, which is taken"),
        ("Requirements", "'Requirements' gives the module name requirements, which is taken"),
        ("A" * 36, f"'{'A' * 36}' gives a module name of 36 characters; the limit is 33"),
    ],
)
def test_invalid_message_name_is_refused(name: str, fault: str) -> None:
    assert refusal("message_name", name).startswith(f"message_name: {fault}")


def test_no_name_in_generated_modules_can_be_that_of_a_message(bake: Bake) -> None:
    project = bake(message_fields="a: Decimal, b: UUID, c: 'x' | 'y', d: str[1:], e: any")
    rooms = ("lambdas/sqs/", "lambdas/shared/delivery.py", "tools/")
    own = [name for name in project.files if name.endswith(".py") and not name.startswith(rooms)]
    names = set()
    for name in own:
        for node in ast.walk(ast.parse((project.path / name).read_text("utf-8"))):
            match node:
                case ast.ImportFrom(names=aliases):
                    names |= {alias.name for alias in aliases}
                case ast.Assign(targets=[ast.Name(id=target)]):
                    names.add(target)
    found = {name for name in names if name[0].isupper()} - {"NewMessage", "Requirement"}
    # The owner may import these, and an entry point with an idempotency key has Once.
    assert found | {"Delivery", "Once", "Reject", "RetryLater"} == TAKEN_CLASS_NAMES


def test_no_generated_module_can_be_that_of_a_message(bake: Bake) -> None:
    names = " ".join(bake().files)
    modules = {one or other for one, other in re.findall(r"lambdas/(\w+)/|tests/test_(\w+)\.py", names)}
    own = {"new_message", "new_message_processor"}
    assert modules - own == questions.TAKEN_MODULES - {"delivery"}, "delivery is kept for what handle may be told"


def test_queue_name_must_not_be_too_long() -> None:
    answers_ = {**GOOD, "project_slug": "s" * 50, "message_name": "M" * 15}
    with pytest.raises(questions.BadAnswers) as caught:
        questions.check(answers_, "message_name")
    assert str(caught.value) == (
        f"message_name: '{'M' * 15}' and the project_slug give the queue name {'s' * 50}-prod-{'M' * 15}Queue.fifo "
        "in production; it has 81 characters, and the limit is 80"
    )
    assert questions.check({**answers_, "message_name": "M" * 14}, "message_name") == ""


def test_long_project_name_and_reserved_slug_are_refused() -> None:
    assert refusal("project_name", "x" * 257).endswith("has 257 characters; the limit is 256")
    assert refusal("project_slug", "Con") == (
        "project_slug: 'Con' is reserved on Windows; use another name, such as sqs-Con"
    )


def test_faults_of_all_answers_are_shown_at_once() -> None:
    with pytest.raises(questions.BadAnswers) as caught:
        questions.check_all({**GOOD, "batch_size": "0", "message_fields": "a, b: strr", "runtime": "python2.7"})
    assert str(caught.value).splitlines() == [
        "message_fields: `a` has no type; write `a: str`",
        "    a, b: strr",
        "    ^",
        "message_fields: unknown type `strr`; did you mean `str`?",
        "    a, b: strr",
        "          ^^^^",
        "batch_size: '0' is not a valid batch size for a standard queue; use a whole number from 1 to 10000",
        "runtime: 'python2.7' is not a choice; use python3.13 or python3.14 or python3.12 or python3.11",
    ]
