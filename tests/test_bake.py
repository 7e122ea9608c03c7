"""What comes out of the template: files that are what they claim to be, clean as they come."""

import ast
import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from local_extensions.field_types import snake_case
from local_extensions.message_fields import LONGEST_NAME
from tests.conftest import CHOICES, ROOT, THIS_RUNTIME, Bake, Project, run

TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"

# Messages as people have them.
ORDER = (
    "order_id: UUID, placed_at: datetime, status: 'new' | 'paid' | 'shipped' = 'new', customer_email: str[3:254], "
    "items: list[{sku: str[1:32], quantity: int >= 1, note: str | None = None}][1:100], "
    "shipping_address: {street: str, city: str, country: str[2]} | None = None"
)
TELEMETRY = (
    "device_id: str[1:64], at: datetime, temperature: -60 <= float <= 60, battery: 0 <= int <= 100, "
    "tags: dict[str, str][:20], raw: bytes[:1024] | None = None, flags: list[bool] = None"
).replace("list[bool] =", "list[bool] | None =")
PAYMENT = (
    "payment_id: UUID, amount: Decimal > 0, fee: 0 <= Decimal < 100.5 | None = None, currency: 'EUR' | 'USD' = 'EUR', "
    "method: 'card' | 'it\\'s \"cash\"' | '{{ 7*7 }}', day: date, cut_off: time, attempt: 1 | 2 | 3, note: str = 'none'"
)
MANY = ", ".join(
    f"text_{n}: str, count_{n}: int >= {n}, kind_{n}: 'a' | 'b', at_{n}: datetime | None" for n in range(50)
)

# What is baked and looked at from all sides: the defaults, each other choice once, and answers at their edges.
CASES: dict[str, dict[str, str]] = {
    "defaults": {},
    **{f"{name}={choice}": {name: choice} for name, choices in CHOICES.items() for choice in choices[1:]},
    "an order": {"message_name": "OrderPlaced", "message_fields": ORDER},
    "telemetry": {"message_name": "TelemetryReading", "message_fields": TELEMETRY, "batch_size": "10000"},
    "a payment": {"project_name": "Payments", "message_name": "PaymentReceived", "message_fields": PAYMENT},
    "200 fields": {"message_fields": MANY},
    "a window": {"batch_size": "11"},
    "odd project name": {"project_name": """Zoë's "café": #1 🚀 {x} \\ 100% & <b>*it*</b> _a_ [b](c) `d` #"""},
    "longest project name": {"project_name": "x" * 256},
    "longest names": {
        "project_slug": "s",
        "message_name": "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG",
        "message_fields": f"{'a' * LONGEST_NAME}: {{{'b' * LONGEST_NAME}: float}}",
    },
    "shortest names": {"project_slug": "a", "message_name": "A", "message_fields": "a: bool"},
    "names of a dependency": {"project_slug": "pytest", "message_name": "Logging", "message_fields": "logger: str"},
    "a name behind sqs": {"message_name": "TestResult", "message_fields": "added_later: str"},
}


INTEGRATION = [CASES["queue_type=fifo"], CASES["telemetry"]]


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    return bake(**request.param)


def expected_files(module: str) -> list[str]:
    return sorted(
        [
            ".gitignore",
            "Makefile",
            "README.md",
            "events/all_valid.json",
            "events/one_broken.json",
            f"lambdas/{module}_processor/app.py",
            "lambdas/requirements.txt",
            f"lambdas/shared/{module}.py",
            "lambdas/shared/sqs.py",
            "lambdas/shared/sqs_async.py",
            "local/__main__.py",
            "local/aws.py",
            "local/poller.py",
            "local/runtime.py",
            "local/screen.py",
            "local/send.py",
            "local/server.py",
            "local/template.py",
            "local/worker.py",
            f"messages/{module}.json",
            "pyproject.toml",
            "samconfig.toml",
            "template.yaml",
            "tests/integration/test_local.py",
            f"tests/unit/{module}_refusals.json",
            f"tests/unit/test_{module}.py",
            f"tests/unit/test_{module}_processor.py",
            "tests/unit/test_requirements.py",
            "tests/unit/test_sqs.py",
            "tests/unit/test_sqs_async.py",
            "tests/unit/test_template.py",
        ]
    )


def sources(project: Project) -> dict[str, str]:
    """The text of every file the project came with, by its path."""
    return {name: (project.path / name).read_text("utf-8") for name in project.files}


def test_the_files_are_exactly_these(project: Project) -> None:
    assert project.files == expected_files(snake_case(project.answers.get("message_name", "NewMessage")))


def test_cookiecutter_says_what_to_do_next(tmp_path: Path) -> None:
    done = run("cookiecutter", str(ROOT), "--no-input", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "cd order-events" in done.stdout
    assert "sam build && sam deploy" in done.stdout


def test_every_file_is_what_it_claims_to_be(project: Project) -> None:
    for name, text in sources(project).items():
        match Path(name).suffix:
            case ".py":
                ast.parse(text)
            case ".json":
                json.loads(text)
            case ".toml":
                tomllib.loads(text)
            case ".yaml":
                yaml.compose(text)


def test_every_file_looks_written_by_hand(project: Project) -> None:
    for name, text in sources(project).items():
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        assert not re.search(r"[ \t]\n|\r", text), name
        assert not re.search(r"\{\{|\{%|\{#|cookiecutter", text.replace("{{ 7*7 }}", "")), name


def test_the_project_name_stands_there_as_typed(project: Project) -> None:
    typed = project.answers.get("project_name", "Order Events")
    texts = sources(project)
    assert tomllib.loads(texts["pyproject.toml"])["project"]["description"] == typed
    description = next(line for line in texts["template.yaml"].splitlines() if line.startswith("Description:"))
    assert yaml.safe_load(description) == {"Description": typed}
    heading = MarkdownIt().parse(texts["README.md"])[1].children
    assert heading
    assert [(token.type, token.content) for token in heading] == [("text", typed)]


def test_lint_format_types_and_tests_pass_as_they_come(project: Project) -> None:
    project.run("ruff", "check", "--no-cache")
    project.run("ruff", "format", "--check", "--no-cache")
    project.run("mypy")
    # The integration tests have little to do with the answers: they take their time only where they do.
    tests = "tests" if project.answers in INTEGRATION else "tests/unit"
    done = project.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cookies", tests)
    assert re.search(r"^\d+ passed", done, re.MULTILINE), done


def test_events_are_as_sqs_would_send_them(project: Project) -> None:
    for path in (project.path / "events").glob("*.json"):
        records = json.loads(path.read_text("utf-8"))["Records"]
        assert len({record["messageId"] for record in records}) == len(records) == 3
        for record in records:
            assert hashlib.md5(record["body"].encode()).hexdigest() == record["md5OfBody"]


def test_what_carries_no_jinja_is_rendered_to_the_letter(bake: Bake) -> None:
    for name in (
        *(f"local/{path.name}" for path in (TEMPLATE / "local").glob("*.py")),
        "lambdas/shared/sqs.py",
        "lambdas/shared/sqs_async.py",
        "tests/integration/test_local.py",
        "tests/unit/test_sqs.py",
        "tests/unit/test_sqs_async.py",
        "tests/unit/test_template.py",
        "tests/unit/test_requirements.py",
    ):
        assert (TEMPLATE / name).read_bytes() == (bake().path / name).read_bytes()


def test_the_owner_is_given_the_tools_that_are_tested_here(bake: Bake) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    theirs = tomllib.loads((bake().path / "pyproject.toml").read_text("utf-8"))
    assert set(theirs["dependency-groups"]["dev"]) | set(theirs["project"]["dependencies"]) <= set(ours)


def test_the_defaults_make_a_message_of_one_field(bake: Bake) -> None:
    module = sources(bake())["lambdas/shared/new_message.py"]
    assert "class NewMessage(" in module
    assert "    order_id: str\n" in module
    assert json.loads(sources(bake())["messages/new_message.json"]) == {"orderId": "order-1"}


def test_make_test_and_make_lint_work_for_the_owner(bake: Bake) -> None:
    project = bake(runtime=THIS_RUNTIME, project_slug="pytest")
    project.run("make", "build")  # what it leaves is not linted
    assert re.search(r"=+ \d+ passed", project.run("make", "test"))
    assert "Success: no issues found" in project.run("make", "lint")
