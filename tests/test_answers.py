"""The checks of the answers, and the names that follow from an answer."""

import ast
import re
from typing import Any

import pytest

from local_extensions import answers
from local_extensions.field_types import snake_case
from local_extensions.message_module import TAKEN_CLASS_NAMES
from tests.support.projects import QUESTIONS, Bake

GOOD = {
    "project_name": "Order Events",
    "project_slug": "order-events",
    "message_name": "NewMessage",
    "__message_module": "new_message",
    "message_fields": "order_id: str",
    "queue_type": "standard",
    "batch_size": "10",
    "runtime": "python3.13",
    "architecture": "arm64",
    "sam_builder": "uv",
    "ci": "github",
}


def refusal(question: str, answer: Any) -> str:
    with pytest.raises(answers.BadAnswers) as caught:
        answers.check({**GOOD, question: answer}, question)
    return str(caught.value)


def test_good_answers_pass() -> None:
    assert answers.check_all(GOOD) == ""


def test_every_typed_answer_is_checked_right_after_its_question() -> None:
    questions = list(QUESTIONS)
    typed = [name for name in questions if isinstance(QUESTIONS[name], str) and not name.startswith("_")]
    assert typed == list(answers.CHECKS)
    for name in typed:
        following = questions[questions.index(name) + 1]
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
def test_a_batch_size_from_1_to_10000_passes(size: object) -> None:
    assert answers.check({**GOOD, "batch_size": size}, "batch_size") == ""


@pytest.mark.parametrize("size", ["0", "10001", "abc", "", "-1", "1.5", "010", "+5", "1_0", "１０", "10 ", "100000"])
def test_any_other_batch_size_is_refused(size: str) -> None:
    assert (
        refusal("batch_size", size)
        == f"batch_size: {size!r} is no batch size of a standard queue; allowed: a whole number from 1 to 10000"
    )


@pytest.mark.parametrize("size", ["1", "10"])
def test_a_fifo_queue_has_batches_of_up_to_10(size: str) -> None:
    assert answers.check({**GOOD, "queue_type": "fifo", "batch_size": size}, "batch_size") == ""
    with pytest.raises(answers.BadAnswers) as caught:
        answers.check({**GOOD, "queue_type": "fifo", "batch_size": f"1{size}"}, "batch_size")
    assert str(caught.value) == (
        f"batch_size: '1{size}' is no batch size of a fifo queue; allowed: a whole number from 1 to 10"
    )


def test_an_endless_answer_is_shown_without_its_middle() -> None:
    assert refusal("batch_size", "9" * 9999).startswith("batch_size: '99999999")
    assert len(refusal("batch_size", "9" * 9999)) < 200


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\a", "\u2028", "\ud800"])
def test_a_project_name_that_cannot_be_printed_is_refused(name: str) -> None:
    assert refusal("project_name", name) == (
        f"project_name: {name!r} is no project name; allowed: printable characters on one line"
    )


@pytest.mark.parametrize("slug", ["a", "Order-Events2", "a" * 50])
def test_a_stack_name_passes(slug: str) -> None:
    assert answers.check({**GOOD, "project_slug": slug}, "project_slug") == ""


@pytest.mark.parametrize("slug", ["", "2nd", "order_events", "order events", "-a", "a-", "a.b", "é", "../a", "a/b"])
def test_what_is_no_stack_name_is_refused(slug: str) -> None:
    assert refusal("project_slug", slug) == (
        f"project_slug: {slug!r} is no CloudFormation stack name; allowed: up to 50 letters, digits and "
        "hyphens, a letter first and no hyphen last"
    )
    assert "is no CloudFormation stack name" in refusal("project_slug", "a" * 51)


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
def test_every_project_name_suggests_a_slug_that_passes(name: str, slug: str) -> None:
    assert answers.project_slug(name) == slug
    assert answers.check({**GOOD, "project_slug": slug}, "project_slug") == ""


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
def test_a_class_name_gives_a_module_name(name: str, module: str) -> None:
    assert snake_case(name) == module
    assert answers.check({**GOOD, "message_name": name}, "message_name") == ""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("newMessage", "is no class name"),
        ("New Message", "is no class name"),
        ("New_Message", "is no class name"),
        ("Über", "is no class name"),
        ("", "is no class name"),
        ("1st", "is no class name"),
        ("None", "already means something in the generated modules; choose another (OrderNone)"),
        ("Exception", "already means something in the generated modules; choose another (OrderException)"),
        ("EXAMPLE", "already means something"),
        ("Literal", "already means something"),
        ("Class", "gives the module name class, which is taken; choose another (OrderClass)"),
        ("Sqs", "gives the module name sqs, which is taken"),
        ("SqsAsync", "gives the module name sqs_async, which is taken"),
        ("Schema", "gives the module name schema, which is taken"),
        ("Requirements", "gives the module name requirements, which is taken"),
        ("A" * 36, "of 36 characters; allowed: at most 33"),
    ],
)
def test_a_message_name_that_cannot_be_the_class_is_refused(name: str, fault: str) -> None:
    assert refusal("message_name", name).startswith(f"message_name: {name!r} ")
    assert fault in refusal("message_name", name)


def test_no_generated_module_has_a_name_that_a_message_may_have(bake: Bake) -> None:
    project = bake(message_fields="a: Decimal, b: UUID, c: 'x' | 'y', d: str[1:]")
    names = set()
    for name in project.files:
        if name.endswith(".py") and (
            "NewMessage" in (text := (project.path / name).read_text("utf-8")) or "EVENTS" in text
        ):
            for node in ast.walk(ast.parse(text)):
                match node:
                    case ast.ImportFrom(names=aliases):
                        names |= {alias.name for alias in aliases}
                    case ast.Assign(targets=[ast.Name(id=target)]):
                        names.add(target)
    assert {name for name in names if name[0].isupper()} - {"NewMessage"} == TAKEN_CLASS_NAMES


def test_no_generated_file_has_the_name_of_one_that_is_named_after_a_message(bake: Bake) -> None:
    names = " ".join(bake().files)
    modules = set(re.findall(r"lambdas/shared/(\w+)\.py|tests/unit/test_(\w+)\.py", names))
    assert {one or other for one, other in modules} - {"new_message", "new_message_processor"} == answers.TAKEN_MODULES


def test_the_queue_name_has_to_fit() -> None:
    answers_ = {**GOOD, "project_slug": "s" * 50, "message_name": "M" * 20}
    with pytest.raises(answers.BadAnswers) as caught:
        answers.check(answers_, "message_name")
    assert str(caught.value) == (
        f"message_name: '{'M' * 20}' and the project_slug give the queue name {'s' * 50}-{'M' * 20}Queue.fifo; "
        "allowed: 80 characters"
    )
    assert answers.check({**answers_, "message_name": "M" * 19}, "message_name") == ""


def test_an_endless_project_name_and_a_device_are_refused() -> None:
    assert refusal("project_name", "x" * 257).endswith("has 257 characters; allowed: 256")
    assert refusal("project_slug", "Con").startswith("project_slug: 'Con' is a device on Windows")


def test_the_faults_of_all_answers_come_at_once() -> None:
    with pytest.raises(answers.BadAnswers) as caught:
        answers.check_all({**GOOD, "batch_size": "0", "message_fields": "a, b: strr", "runtime": "python2.7"})
    assert str(caught.value).splitlines() == [
        "message_fields: a has no type; write a: str",
        "    a, b: strr",
        "    ^",
        "message_fields: strr is no type; write str",
        "    a, b: strr",
        "          ^^^^",
        "batch_size: '0' is no batch size of a standard queue; allowed: a whole number from 1 to 10000",
        "runtime: 'python2.7' is no choice; allowed: python3.13, python3.14, python3.12, python3.11",
    ]
