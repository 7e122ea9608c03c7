"""What comes out of the template: files that are what they claim to be, clean as they come."""

import ast
import hashlib
import itertools
import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from local_extensions.field_types import snake_case
from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.cases import CASES, COVERING, WITH_INTEGRATION_TESTS
from tests.support.projects import CHOICES, ROOT, TEMPLATE, Bake, Project, posix, python_of, run
from tests.support.running import running_local

# What the architectures are called in the names of binaries.
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


@pytest.fixture(scope="module", params=CASES)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    return bake(**request.param)


@pytest.fixture
def python(project: Project, with_python: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """The Python of the project's runtime, as variables."""
    return with_python(project.answers["runtime"])


def expected_files(module: str, ci: str) -> list[str]:
    return sorted(
        [
            *([".github/workflows/ci.yml"] if ci == "github" else []),
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
            f"schema/{module}.json",
            "schema/write.py",
            "template.yaml",
            "tests/integration/test_local.py",
            f"tests/unit/{module}_refusals.json",
            f"tests/unit/test_{module}.py",
            f"tests/unit/test_{module}_processor.py",
            "tests/unit/test_requirements.py",
            "tests/unit/test_schema.py",
            "tests/unit/test_sqs.py",
            "tests/unit/test_sqs_async.py",
            "tests/unit/test_template.py",
        ]
    )


def sources(project: Project) -> dict[str, str]:
    """The text of every file the project came with, by its path."""
    return {name: (project.path / name).read_text("utf-8") for name in project.files}


def test_the_files_are_exactly_these(project: Project) -> None:
    module = snake_case(project.answers.get("message_name", "NewMessage"))
    assert project.files == expected_files(module, project.answers["ci"])
    assert (project.path / ".github").exists() == (project.answers["ci"] == "github")


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
            case ".yaml" | ".yml":
                yaml.compose(text)


def test_every_file_looks_written_by_hand(project: Project) -> None:
    for name, text in sources(project).items():
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        assert not re.search(r"[ \t]\n|\r", text), name
        assert not re.search(r"\{\{|\{%|\{#|cookiecutter", re.sub(r"\{\{ 7\*7 }}|\$\{\{ vars", "", text)), name


def test_the_project_name_stands_there_as_typed(project: Project) -> None:
    typed = project.answers.get("project_name", "Order Events")
    texts = sources(project)
    assert tomllib.loads(texts["pyproject.toml"])["project"]["description"] == typed
    description = next(line for line in texts["template.yaml"].splitlines() if line.startswith("Description:"))
    assert yaml.safe_load(description) == {"Description": typed}
    heading = MarkdownIt().parse(texts["README.md"])[1].children
    assert heading
    assert [(token.type, token.content) for token in heading] == [("text", typed)]


def test_lint_format_types_and_tests_pass_as_they_come(project: Project, python: dict[str, str]) -> None:
    project.run("uv", "run", "ruff", "check", "--no-cache", **python)
    project.run("uv", "run", "ruff", "format", "--check", "--no-cache", **python)
    project.run("uv", "run", "mypy", **python)
    tests = "tests" if project.answers.get("message_name") in WITH_INTEGRATION_TESTS else "tests/unit"
    done = project.run("uv", "run", "pytest", "-q", "-p", "no:cacheprovider", tests, **python)
    assert re.search(r"^\d+ passed", done, re.MULTILINE), done


def test_sam_validates_and_builds_it(project: Project, request: pytest.FixtureRequest) -> None:
    env = request.getfixturevalue("python") if project.answers["sam_builder"] == "pip" else {}
    assert "is a valid SAM Template" in project.run("sam", "validate", "--lint", **env)
    project.run("sam", "build", **env)

    module = snake_case(project.answers.get("message_name", "NewMessage"))
    (artifact,) = (path for path in (project.path / ".aws-sam" / "build").iterdir() if path.is_dir())
    names = {path.name for path in artifact.iterdir()}
    assert {name for name in names if not name.startswith((".", "msgspec-"))} == {
        "msgspec",
        f"{module}_processor",
        "requirements.txt",
        "shared",
    }
    (binary,) = artifact.rglob("*.so")
    version, machine = project.answers["runtime"].removeprefix("python"), MACHINES[project.answers["architecture"]]
    assert f"cpython-{version.replace('.', '')}-{machine}-linux" in binary.name

    # Where this machine can run it: it is complete, and tells the broken message from the good ones.
    interpreter = python_of(project.answers["runtime"])
    if interpreter and sys.platform == "linux" and project.answers["architecture"] == ARCHITECTURE:
        event = (project.path / "events" / "one_broken.json").read_text("utf-8")
        invoke = (str(ROOT / "tests" / "support" / "invoke.py"), str(artifact), f"{module}_processor.app.handler")
        done = run(str(interpreter), "-I", "-S", *invoke, cwd=artifact.parent, stdin=event)
        assert done.returncode == 0, done.stdout
        broken = json.loads(event)["Records"][1]["messageId"]
        assert json.loads(done.stdout.splitlines()[-1]) == {"batchItemFailures": [{"itemIdentifier": broken}]}
        assert f"Message {broken} failed at receive 1: " in done.stdout


def test_the_stack_processes_a_message(project: Project, python: dict[str, str]) -> None:
    with running_local(project, "uv", "run", "python", "-m", "local", **python) as running:
        project.run("uv", "run", "python", "-m", "local.send", **python)
        outcomes = running.until(r"    (done|failed) ", times=2)  # of a sample and one that is cut short
    assert sorted(line.split()[0] for line in outcomes) == ["done", "failed"]


def test_github_takes_the_workflow(project: Project) -> None:
    if project.answers["ci"] == "github":
        check = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
        project.run("uvx", "--quiet", "--from", "check-jsonschema==0.39.0", *check, ".github/workflows/ci.yml")


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
        "tests/unit/test_schema.py",
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


def test_every_pair_of_choices_is_baked() -> None:
    for one, other in itertools.combinations(CHOICES, 2):
        pairs = {(answers[one], answers[other]) for answers in COVERING}
        assert pairs == set(itertools.product(CHOICES[one], CHOICES[other]))


@posix
def test_make_test_and_make_lint_work_for_the_owner(bake: Bake) -> None:
    project = bake(runtime=RUNTIME, project_slug="pytest")
    project.run("make", "build")  # what it leaves is not linted
    assert "Success: no issues found" in project.run("make", "lint")
    assert re.search(r"=+ \d+ passed", project.run("make", "test", PYTEST_ADDOPTS="--ignore=tests/integration"))
