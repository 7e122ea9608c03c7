"""The prompts in a real terminal: a wrong answer is asked again, and pasted lines are one answer."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import QUESTIONS, ROOT, posix
from tests.test_ways_in import COOKIECUTTERS

pytestmark = [posix, pytest.mark.slow]
pexpect: Any = pytest.importorskip("pexpect", reason="needs a POSIX terminal")

ASKED = [name for name in QUESTIONS if not name.startswith("_")]


@pytest.fixture(params=COOKIECUTTERS.values(), ids=list(COOKIECUTTERS))
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    child = pexpect.spawn(
        request.param[0],
        [*request.param[1:], str(ROOT)],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb"},  # without colours
        encoding="utf-8",
        dimensions=(50, 200),
        timeout=20,
    )
    child.folder = tmp_path
    yield child
    child.close(force=True)


def answer(terminal: Any, question: str, text: str) -> None:
    """Type an answer once the question is asked."""
    terminal.expect_exact(f"[{ASKED.index(question) + 1}/{len(ASKED)}]")
    terminal.expect_exact("): ")
    terminal.sendline(text)


def answer_the_rest(terminal: Any, after: str) -> None:
    """Take the default of every question after this one, and expect a project."""
    for question in ASKED[ASKED.index(after) + 1 :]:
        answer(terminal, question, "")
    terminal.expect_exact("is ready. Next steps:")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def accept_names(terminal: Any) -> None:
    for question in ("project_name", "project_slug", "message_name"):
        answer(terminal, question, "")


def test_wrong_answers_are_asked_again(terminal: Any) -> None:
    answer(terminal, "project_name", "Orders")
    answer(terminal, "project_slug", "or ders")
    terminal.expect_exact("'or ders' is not a valid CloudFormation stack name")
    answer(terminal, "project_slug", "orders")
    answer(terminal, "message_name", "OrderPlaced")
    answer(terminal, "message_fields", "orderId: strin")
    terminal.expect_exact("unknown type `strin`; did you mean `str`?")
    terminal.expect_exact("             ^^^^^")
    answer(terminal, "message_fields", "order-id: str")
    terminal.expect_exact('`order-id` needs quotes: "order-id"')
    answer(terminal, "message_fields", '"order-id": str')
    answer_the_rest(terminal, "message_fields")
    assert (
        terminal.folder / "orders" / "contract" / "order_placed.json"
    ).read_text() == '{\n  "order-id": "order-1"\n}\n'


def test_wrong_idempotency_key_is_asked_again(terminal: Any) -> None:
    accept_names(terminal)
    answer(terminal, "message_fields", "orderId: str, paid: bool")
    answer(terminal, "idempotency_key", "paid")
    terminal.expect_exact("`paid` has only 2 values, so nearly every message would count as a duplicate")
    terminal.expect_exact("add a field such as orderId")
    answer(terminal, "idempotency_key", "paid, orderId")
    answer_the_rest(terminal, "idempotency_key")
    app = terminal.folder / "order-events" / "lambdas" / "new_message_processor" / "app.py"
    assert "key=lambda message: (message.paid, message.order_id)" in app.read_text()


def test_default_is_offered_again(terminal: Any) -> None:
    answer(terminal, "project_name", "Shop 7")
    answer(terminal, "project_slug", "7")
    terminal.expect_exact("is not a valid CloudFormation stack name")
    terminal.expect_exact("(shop-7)")
    terminal.sendline("")
    answer_the_rest(terminal, "project_slug")
    assert (terminal.folder / "shop-7").is_dir()


def test_pasted_lines_are_one_answer(terminal: Any) -> None:
    accept_names(terminal)
    answer(terminal, "message_fields", "order_id: str,\nquantity: int,\ntags: list[str]")
    answer_the_rest(terminal, "message_fields")
    example = (terminal.folder / "order-events" / "contract" / "new_message.json").read_text()
    assert json.loads(example).keys() == {"order_id", "quantity", "tags"}


def test_pasted_sample_of_several_lines_is_one_answer(terminal: Any) -> None:
    sample = {"orderId": "1", "items": [{"sku": "a"}]}
    accept_names(terminal)
    answer(terminal, "message_fields", json.dumps(sample, indent=2))
    answer_the_rest(terminal, "message_fields")
    example = (terminal.folder / "order-events" / "contract" / "new_message.json").read_text()
    assert json.loads(example) == sample


def test_long_sample_of_many_lines_is_one_answer(terminal: Any) -> None:
    sample = {f"field_{n}": {"name": "x" * 10, "value": n} for n in range(100)}
    accept_names(terminal)
    answer(terminal, "message_fields", json.dumps(sample, indent=2))
    answer_the_rest(terminal, "message_fields")
    example = (terminal.folder / "order-events" / "contract" / "new_message.json").read_text()
    assert json.loads(example) == sample


def test_pasted_lines_that_are_not_fields_are_asked_again_at_once(terminal: Any) -> None:
    accept_names(terminal)
    answer(terminal, "message_fields", "order_id: str\nquantity: int")
    terminal.expect_exact("a field has one colon, after its name")
    answer(terminal, "message_fields", "order_id: str")
    answer_the_rest(terminal, "message_fields")


def test_line_that_the_terminal_cuts_off_is_refused(terminal: Any) -> None:
    accept_names(terminal)
    answer(terminal, "message_fields", ", ".join(f"field_{n}: str" for n in range(400)))
    terminal.expect_exact("message_fields: the terminal cuts off a line")
    answer(terminal, "message_fields", "order_id: str")
    answer_the_rest(terminal, "message_fields")


def test_end_of_input_ends_with_the_fault(terminal: Any) -> None:
    answer(terminal, "project_name", "")
    answer(terminal, "project_slug", "7")
    terminal.expect_exact("is not a valid CloudFormation stack name")
    terminal.expect_exact("): ")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 1
    assert "Traceback" not in terminal.before
    assert list(terminal.folder.iterdir()) == []


def test_ascii_terminal_shows_faults_without_other_characters(tmp_path: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "cookiecutter", str(ROOT)],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb", "PYTHONIOENCODING": "ascii"},
        encoding="utf-8",
        dimensions=(50, 200),
        timeout=20,
    )
    accept_names(child)
    answer(child, "message_fields", "x: " + "very_long_type_name_" * 10)
    child.expect_exact("unknown type `very_long_type_name_very_lon~")
    child.close(force=True)
