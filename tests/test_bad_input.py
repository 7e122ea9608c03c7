"""Invalid answers end with a plain line for each fault, exit status 1 and nothing on disk."""

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.support.projects import CHOICES, QUESTIONS, ROOT, run

BATCH_SIZE_FAULT = "batch_size: '{}' is not a valid batch size for a standard queue; use a whole number from 1 to 10000"
CASES: list[tuple[str, str, list[str]]] = [
    ("batch_size", "0", [BATCH_SIZE_FAULT.format("0")]),
    ("batch_size", "abc", [BATCH_SIZE_FAULT.format("abc")]),
    ("batch_size", "10001", [BATCH_SIZE_FAULT.format("10001")]),
    (
        "message_fields",
        "order-id: str, note: strin",
        [
            'message_fields: `order-id` needs quotes: "order-id"',
            "    order-id: str, note: strin",
            "    ^^^^^^^^",
            "message_fields: unknown type `strin`; did you mean `str`?",
            "    order-id: str, note: strin",
            "                         ^^^^^",
        ],
    ),
    (
        "idempotency_key",
        "orderID, note",
        [
            "idempotency_key: the message has no field `orderID`; did you mean `orderId`?",
            "    orderID, note",
            "    ^^^^^^^",
            "idempotency_key: the message has no field `note`; it has `orderId`",
            "    orderID, note",
            "             ^^^^",
        ],
    ),
    (
        "project_slug",
        "my_stack",
        [
            "project_slug: 'my_stack' is not a valid CloudFormation stack name; use up to 50 letters, digits and "
            "hyphens, with a letter first and no hyphen last"
        ],
    ),
    (
        "message_name",
        "new message",
        ["message_name: 'new message' is not a valid class name in PascalCase; try NewMessage"],
    ),
]
ASKED = [name for name in QUESTIONS if not name.startswith("_")]


@pytest.mark.parametrize(("question", "answer", "lines"), CASES)
def test_cookiecutter_without_input(question: str, answer: str, lines: list[str], tmp_path: Path) -> None:
    done = run("cookiecutter", str(ROOT), "--no-input", f"{question}={answer}", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (1, lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("question", "answer", "lines"), CASES)
def test_cookiecutter_with_typed_answers(question: str, answer: str, lines: list[str], tmp_path: Path) -> None:
    typed = "\n" * ASKED.index(question) + f"{answer}\n"
    done = run("cookiecutter", str(ROOT), cwd=tmp_path, stdin=typed)
    assert done.returncode == 1
    # Nobody presses Enter here, so the last prompt has no line break of its own.
    assert done.stdout.endswith("\n".join(lines) + "\n")
    assert "Traceback" not in done.stdout
    assert f"[{ASKED.index(question) + 2}/" not in done.stdout, "asked on"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("question", "answer", "lines"), CASES)
def test_sam_init(question: str, answer: str, lines: list[str], tmp_path: Path) -> None:
    extra = json.dumps({question: answer})
    done = run("sam", "init", "--location", str(ROOT), "--no-input", "--extra-context", extra, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.rstrip().endswith("\n".join(lines))
    assert "Traceback" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_edited_replay_file_is_checked(tmp_path: Path) -> None:
    assert run("cookiecutter", str(ROOT), "--no-input", "--output-dir", "first", cwd=tmp_path).returncode == 0
    replay = Path(os.environ["COOKIECUTTER_CONFIG"]).parent / "replay" / f"{ROOT.name}.json"
    answers = json.loads(replay.read_text("utf-8"))
    answers["cookiecutter"] |= {
        "message_name": "OrderPlaced",
        "message_fields": "a: strin",
        "batch_size": 0,
        "runtime": "python2.7",
    }
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(answers))
    done = run("cookiecutter", str(ROOT), "--replay-file", str(edited), "--output-dir", "second", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "message_fields: unknown type `strin`; did you mean `str`?",
            "    a: strin",
            "       ^^^^^",
            BATCH_SIZE_FAULT.format("0"),
            "runtime: 'python2.7' is not a choice; use python3.13 or python3.14 or python3.12 or python3.11",
            "__message_module: 'new_message' does not match message_name; use order_placed",
        ],
    )
    assert not list((tmp_path / "second").iterdir())


def test_replay_file_without_a_newer_question_works(tmp_path: Path) -> None:
    answers = {"project_slug": "orders", "message_name": "OrderPlaced", "__message_module": "order_placed"}
    answers |= {name: QUESTIONS[name] for name in ("project_name", "message_fields", "idempotency_key")}
    answers |= {name: choices[0] for name, choices in CHOICES.items()}
    older = tmp_path / "older.json"
    older.write_text(json.dumps({"cookiecutter": answers}))
    done = run("cookiecutter", str(ROOT), "--replay-file", str(older), cwd=tmp_path, stdin="0\n")
    assert done.returncode == 1
    assert done.stdout.endswith(BATCH_SIZE_FAULT.format("0") + "\n")
    done = run("cookiecutter", str(ROOT), "--replay-file", str(older), cwd=tmp_path, stdin="7\n")
    assert done.returncode == 0, done.stdout
    assert "BatchSize: 7" in (tmp_path / "orders" / "template.yaml").read_text("utf-8")


def test_folder_that_exists_is_reported_before_the_other_questions(tmp_path: Path) -> None:
    (tmp_path / "out" / "order-events").mkdir(parents=True)
    command = ("cookiecutter", str(ROOT), "--default-config", "--output-dir", "out")
    line = "project_slug: the folder 'order-events' already exists; use another name\n"
    done = run(*command, "--no-input", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, line)
    typed = run(*command, cwd=tmp_path, stdin="\n\n")
    assert typed.returncode == 1
    assert typed.stdout.endswith(line)
    assert "[3/" not in typed.stdout, "asked on"
    assert not list((tmp_path / "out" / "order-events").iterdir())
    assert run(*command, "--no-input", "--overwrite-if-exists", cwd=tmp_path).returncode == 0


def test_next_step_finds_the_project_from_here(tmp_path: Path) -> None:
    out = 'Zoë\'s "projects"; """ \\'
    done = run("cookiecutter", str(ROOT), "--no-input", "--default-config", "--output-dir", out, cwd=tmp_path)
    (step,) = (line.strip() for line in done.stdout.splitlines() if line.startswith("    cd "))
    assert Path(shlex.split(step)[1]) == Path(out, "order-events")
