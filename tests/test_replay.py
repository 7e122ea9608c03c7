"""Answers that nobody typed: of a replay file, and of the user's default_context."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import ROOT, run

pytestmark = pytest.mark.slow

ANSWERS: dict[str, Any] = {
    "project_name": "My Orders",
    "project_slug": "orders-2",
    "message_name": "OrderPlaced",
    "message_fields": "orderId: str",
    "idempotency_key": "",
    "queue_type": "fifo",
    "source": "queue",
    "batch_size": "5",
    "runtime": "python3.12",
    "architecture": "arm64",
    "sam_builder": "uv",
    "ci": "github",
}
SAMPLE = {"orderId": "1", "items": [{"sku": "a"}]}


def replayed(answers: Any, folder: Path, stdin: str = "") -> tuple[int, str, list[str]]:
    """Return the exit status, the last line and the folders that a replay file leads to."""
    file = folder / "answers.json"
    file.write_text(json.dumps({"cookiecutter": answers}), "utf-8")
    done = run("cookiecutter", str(ROOT), "--replay-file", str(file), "-o", "out", cwd=folder, stdin=stdin)
    assert "Traceback" not in done.stdout
    folders = [path.name for path in (folder / "out").iterdir()] if (folder / "out").exists() else []
    return done.returncode, done.stdout.strip().splitlines()[0], folders


@pytest.mark.parametrize(
    ("changed", "module"),
    [
        ({}, "order_id: str"),
        ({"batch_size": 5}, "order_id: str"),
        ({"idempotency_key": "orderId"}, "order_id: str"),
        ({"message_fields": SAMPLE}, "items: list[Item]"),
        ({"message_fields": [SAMPLE, SAMPLE]}, "items: list[Item]"),
        ({"message_fields": {"type": "object", "properties": {"a": {"type": "integer"}}}}, "a: int | None = None"),
    ],
)
def test_replay_file_with_plain_answers_works(changed: dict[str, Any], module: str, tmp_path: Path) -> None:
    status, _, folders = replayed(ANSWERS | changed, tmp_path)
    assert (status, folders) == (0, ["orders-2"])
    project = tmp_path / "out" / "orders-2"
    assert module in (project / "lambdas/shared/order_placed.py").read_text("utf-8")
    assert (project / "lambdas/order_placed_processor/app.py").exists()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"project_name": None}, "project_name: there is no answer; write one, or leave the question out"),
        ({"project_name": ""}, "project_name: '' is not a valid project name; "),
        ({"project_slug": None}, "project_slug: there is no answer; write one, or leave the question out"),
        ({"project_slug": ""}, "project_slug: '' is not a valid CloudFormation stack name; "),
        ({"message_name": ["A"]}, "message_name: \"['A']\" is not a valid class name in PascalCase; try A"),
        ({"message_fields": None}, "message_fields: there is no answer; write one, or leave the question out"),
        ({"message_fields": ""}, "message_fields: there is no field; write name: type, such as order_id: str"),
        ({"idempotency_key": None}, "idempotency_key: there is no answer; write one, or leave the question out"),
        ({"idempotency_key": ["orderId"]}, "idempotency_key: ['orderId'] is not text; write all fields in one text, "),
        ({"idempotency_key": "orderID"}, "idempotency_key: the message has no field `orderID`; did you mean `orderId`"),
        ({"message_fields": ["a: str"]}, "message_fields: a sample must be a JSON object with at least one key, "),
        ({"batch_size": 5.5}, "batch_size: '5.5' is not a valid batch size for a fifo queue; "),
        ({"batch_size": [5]}, "batch_size: '[5]' is not a valid batch size for a fifo queue; "),
        ({"queue_type": ["fifo"]}, "queue_type: ['fifo'] is not a choice; use standard or fifo"),
        ({"project_name": 123}, "project_name: 123 is not text; put it in quotes"),
        ({"ci": True}, "ci: True is not a choice; use github or none"),
        ({"__message_module": "other"}, "__message_module: 'other' does not match message_name; use order_placed"),
    ],
)
def test_unusable_answer_of_a_replay_file_is_one_line(changed: dict[str, Any], line: str, tmp_path: Path) -> None:
    status, first, folders = replayed(ANSWERS | changed, tmp_path)
    assert (status, folders) == (1, [])
    assert first.startswith(line)


@pytest.mark.parametrize("question", ["project_slug", "message_fields", "idempotency_key", "ci"])
def test_replay_file_asks_only_what_it_lacks(question: str, tmp_path: Path) -> None:
    answers = {name: value for name, value in ANSWERS.items() if name != question}
    status, first, folders = replayed(answers, tmp_path, stdin="\n")
    assert first.strip().startswith("[1/1]")
    assert (status, folders) == (0, ["my-orders" if question == "project_slug" else "orders-2"])


@pytest.mark.parametrize(
    ("context", "line"),
    [
        ({"batch_size": 5, "project_name": 2026}, None),
        ({"message_fields": SAMPLE}, None),
        ({"message_fields": SAMPLE, "idempotency_key": "orderId"}, None),
        (
            {"idempotency_key": {"a": "1"}},
            "idempotency_key: {'a': '1'} is not text; write all fields in one text, such as orderId, kind",
        ),
        (
            {"idempotency_key": "orderID"},
            "idempotency_key: the message has no field `orderID`; did you mean `orderId`?\n    orderID\n    ^^^^^^^",
        ),
        ({"queue_type": ["fifo"]}, None),  # a list is a choice, and its first entry the default
        ({"project_slug": None}, "project_slug: there is no answer; write one, or leave the question out"),
        ({"batch_size": None}, "batch_size: there is no answer; write one, or leave the question out"),
        ({"message_fields": ""}, "message_fields: there is no field; write name: type, such as order_id: str"),
        ({"__message_module": "other"}, "__message_module: 'other' does not match message_name; use new_message"),
    ],
)
def test_default_context_works_or_ends_in_one_line(context: dict[str, Any], line: str | None, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    folder = Path(os.environ["COOKIECUTTER_CONFIG"]).parent
    directories = {"replay_dir": str(folder / "replay"), "cookiecutters_dir": str(folder / "clones")}
    config.write_text(json.dumps({**directories, "default_context": context}), "utf-8")  # JSON is YAML too
    done = run("cookiecutter", str(ROOT), "--no-input", "--config-file", str(config), "-o", "out", cwd=tmp_path)
    assert "Traceback" not in done.stdout
    if line:
        assert done.returncode == 1
        assert done.stdout == f"{line}\n"
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    else:
        assert done.returncode == 0, done.stdout
