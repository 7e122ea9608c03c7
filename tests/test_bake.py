"""Generated projects: the files are what they claim to be, and clean as they come."""

import ast
import hashlib
import itertools
import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from markdown_it import MarkdownIt

from local_extensions.fields.names import snake_case
from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.cases import CASES, COVERING, cases
from tests.support.projects import CHOICES, ROOT, TEMPLATE, Bake, Project, posix, python_of, run

# The rooms that are the same in every project. No Jinja in them is rendered.
SAME_EVERYWHERE = ("lambdas/sqs", "tools")

# The most files and lines outside these rooms in a project with the default answers.
MOST_FILES, MOST_LINES = 28, 1_700

# The names of the architectures in binary files.
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


@pytest.fixture(scope="module", params=CASES)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    return bake(**request.param)


def with_cases(*questions: str) -> pytest.MarkDecorator:
    """Run a test once for each different set of answers to these questions."""
    return pytest.mark.parametrize("project", cases(*questions), indirect=True)


@pytest.fixture
def python(project: Project, with_python: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Return the variables with which the runtime's Python is used."""
    return with_python(project.answers["runtime"])


def name_of(project: Project) -> str:
    return project.answers.get("message_name", "NewMessage")


def sources(project: Project) -> dict[str, str]:
    """Return the text of every file the project came with, by its path."""
    return {name: (project.path / name).read_text("utf-8") for name in project.files}


# --- the files ---------------------------------------------------------------------------------


def literal_files(*, idempotent: bool = False) -> list[str]:
    """Return the files of these rooms. One of them is only in a project with an idempotency key."""
    paths = [path for room in SAME_EVERYWHERE for path in (TEMPLATE / room).rglob("*") if path.is_file()]
    names = [path.relative_to(TEMPLATE).as_posix() for path in paths]
    return [name for name in names if idempotent or name != "lambdas/sqs/idempotency.py"]


def expected_files(module: str, ci: str, *, idempotent: bool) -> list[str]:
    return sorted(
        [
            *literal_files(idempotent=idempotent),
            "lambdas/shared/__init__.py",
            f"lambdas/{module}_processor/__init__.py",
            *([".github/dependabot.yml", ".github/workflows/ci.yml", "deploy-role.yaml"] if ci == "github" else []),
            ".gitignore",
            ".vscode/launch.json",
            "AGENTS.md",
            "Makefile",
            "README.md",
            f"contract/{module}.event.json",
            f"contract/{module}.json",
            f"contract/{module}.schema.json",
            f"lambdas/{module}_processor/app.py",
            "lambdas/requirements.txt",
            "lambdas/shared/delivery.py",
            f"lambdas/shared/{module}.py",
            "pyproject.toml",
            "samconfig.toml",
            "template.yaml",
            "tests/conftest.py",
            "tests/test_contract.py",
            "tests/test_local.py",
            f"tests/test_{module}.py",
            f"tests/test_{module}_processor.py",
            "tests/test_requirements.py",
            "tests/test_stack.py",
        ]
    )


def test_exactly_these_files_are_generated(project: Project) -> None:
    answers, module = project.answers, snake_case(name_of(project))
    assert project.files == expected_files(module, answers["ci"], idempotent=bool(answers.get("idempotency_key")))
    assert (project.path / ".github").exists() == (project.answers["ci"] == "github")


def test_owner_has_few_files_and_lines(bake: Bake) -> None:
    own = {name: text for name, text in sources(bake()).items() if not name.startswith(SAME_EVERYWHERE)}
    assert len(own) <= MOST_FILES
    assert sum(text.count("\n") for text in own.values()) <= MOST_LINES


def test_rooms_that_are_the_same_everywhere_are_copied_literally(bake: Bake) -> None:
    project = bake(idempotency_key="orderId")
    for name in literal_files(idempotent=True):
        assert (TEMPLATE / name).read_bytes() == (project.path / name).read_bytes()


def test_entry_point_has_six_lines(bake: Bake) -> None:
    (app,) = (text for name, text in sources(bake()).items() if name.endswith("_processor/app.py"))
    assert app.count("\n") == 6


def test_project_without_a_key_has_nothing_of_idempotency(bake: Bake) -> None:
    for name, text in sources(bake()).items():
        if "tools/" not in name and "lambdas/sqs/" not in name:
            assert not re.search("idempotency|dynamodb|duplicates|Once\\(", text, re.IGNORECASE), name


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
        if name.endswith("py.typed"):
            continue
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        assert not re.search(r"[ \t]\n|\r", text), name
        assert not re.search(r"\{\{|\{%|\{#|cookiecutter", re.sub(r"\{\{ 7\*7 }}|\$\{\{ (vars|github)", "", text)), name


def test_project_name_appears_as_typed(project: Project) -> None:
    typed = project.answers.get("project_name", "Order Events")
    texts = sources(project)
    assert tomllib.loads(texts["pyproject.toml"])["project"]["description"] == typed
    description = next(line for line in texts["template.yaml"].splitlines() if line.startswith("Description:"))
    assert yaml.safe_load(description) == {"Description": typed}
    heading = MarkdownIt().parse(texts["README.md"])[1].children
    assert heading
    assert [(token.type, token.content) for token in heading] == [("text", typed)]


def test_event_is_as_sqs_would_send_the_example(project: Project) -> None:
    texts = {Path(name).name: text for name, text in sources(project).items() if name.startswith("contract/")}
    module = snake_case(name_of(project))
    records = json.loads(texts[f"{module}.event.json"])["Records"]
    example = json.loads(texts[f"{module}.json"])
    bodies = [json.loads(record["body"]) for record in records]
    if project.answers["source"] == "eventbridge":
        bodies = [event["detail"] for event in bodies]
    assert bodies == (example if isinstance(example, list) else [example])
    assert len({record["messageId"] for record in records}) == len(records)
    for record in records:
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode()).hexdigest()
        assert ("MessageGroupId" in record["attributes"]) == (project.answers["queue_type"] == "fifo")


def test_defaults_give_a_message_with_one_field(bake: Bake) -> None:
    module = sources(bake())["lambdas/shared/new_message.py"]
    assert "class NewMessage(" in module
    assert "    order_id: str\n" in module
    assert json.loads(sources(bake())["contract/new_message.json"]) == {"orderId": "order-1"}


def test_unknown_fields_of_a_body_are_ignored_and_defaults_may_be_left_out(bake: Bake) -> None:
    project = bake(message_fields="orderId: str, note: str = 'none', gift: bool | None = None")
    namespace: dict[str, Any] = {"__name__": "new_message"}
    exec(sources(project)["lambdas/shared/new_message.py"], namespace)
    message = msgspec.json.decode('{"orderId": "1", "later": 2}', type=namespace["NewMessage"])
    assert msgspec.to_builtins(message) == {"orderId": "1", "note": "none", "gift": None}


# --- its own tools -----------------------------------------------------------------------------


def test_style_and_format_are_clean(project: Project) -> None:
    project.run("ruff", "check", "--no-cache")
    project.run("ruff", "format", "--check", "--no-cache")


@pytest.mark.slow
@with_cases("message_name", "message_fields", "runtime")
def test_types_are_clean(project: Project, python: dict[str, str]) -> None:
    project.run("uv", "run", "mypy", **python)


@pytest.mark.slow
@with_cases("message_name", "message_fields", "project_slug", "queue_type", "batch_size", "runtime")
def test_own_tests_pass(project: Project, python: dict[str, str]) -> None:
    done = project.run("uv", "run", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not local", **python)
    assert re.search(r"^\d+ passed", done, re.MULTILINE), done


@pytest.mark.slow
@with_cases("queue_type")
def test_own_tests_on_the_local_stack_pass(project: Project, python: dict[str, str]) -> None:
    done = project.run("uv", "run", "pytest", "-q", "-p", "no:cacheprovider", "-m", "local", **python)
    assert re.search(r"^2 passed", done, re.MULTILINE), done


@pytest.mark.slow
@posix
def test_make_test_and_make_lint_work_for_the_owner(bake: Bake, tmp_path: Path) -> None:
    project = bake(runtime=RUNTIME, project_slug="pytest")
    project.run("make", "build")  # its output is not linted
    assert "Success: no issues found" in project.run("make", "lint")
    for name in ("new_message_processor", "shared", "sqs"):  # packages that are not the project's
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    tests = project.run("make", "test", "ARGS=-m 'not local'", PYTHONPATH=str(tmp_path))
    assert re.search(r"=+ \d+ passed", tests)


BOTO3 = """
import boto3

sqs = boto3.client("sqs", region_name="eu-west-1")


def forward(body: str) -> None:
    boto3.resource("dynamodb").Table("orders").put_item(Item={"id": "1"})
    sqs.send_message(QueueUrl="https://example.com", MessageBody=body)
"""


@pytest.mark.slow
@posix
def test_boto3_in_the_owners_code_passes_lint(bake: Bake, tmp_path: Path) -> None:
    project = bake(runtime=RUNTIME).copied(tmp_path)
    (project.path / "lambdas" / "shared" / "forward.py").write_text(BOTO3.lstrip(), "utf-8")
    project.run("make", "lint")


@pytest.mark.slow
@with_cases("queue_type", "sam_builder")
def test_sam_validates_the_template(project: Project) -> None:
    assert "is a valid SAM Template" in project.run("sam", "validate", "--lint")


@pytest.mark.slow
@with_cases("runtime", "architecture", "sam_builder")
def test_sam_builds_a_complete_artifact(project: Project, request: pytest.FixtureRequest) -> None:
    env = request.getfixturevalue("python") if project.answers["sam_builder"] == "pip" else {}
    project.run("sam", "build", **env)

    module = snake_case(name_of(project))
    (artifact,) = (path for path in (project.path / ".aws-sam" / "build").iterdir() if path.is_dir())
    names = {path.name for path in artifact.iterdir()}
    assert {name for name in names if not name.startswith((".", "msgspec-"))} == {
        "msgspec",
        f"{module}_processor",
        "requirements.txt",
        "shared",
        "sqs",
    }
    (binary,) = artifact.rglob("*.so")
    version, machine = project.answers["runtime"].removeprefix("python"), MACHINES[project.answers["architecture"]]
    assert f"cpython-{version.replace('.', '')}-{machine}-linux" in binary.name

    # If this machine can run it: it needs nothing else, and reports only the broken message.
    interpreter = python_of(project.answers["runtime"])
    if interpreter and sys.platform == "linux" and project.answers["architecture"] == ARCHITECTURE:
        (event,) = project.path.glob("contract/*.event.json")
        (good,) = json.loads(event.read_text("utf-8"))["Records"]
        broken = good | {"messageId": "broken", "body": "{"}
        invoke = (str(ROOT / "tests" / "support" / "invoke.py"), str(artifact), f"{module}_processor.app.handler")
        batch = json.dumps({"Records": [good, broken]})
        done = run(str(interpreter), "-I", "-S", *invoke, cwd=artifact.parent, stdin=batch)
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout.splitlines()[-1]) == {"batchItemFailures": [{"itemIdentifier": "broken"}]}
        assert "Message broken failed at receive 1: " in done.stdout


@pytest.mark.slow
@with_cases("ci", "sam_builder")
def test_github_accepts_the_workflow(project: Project) -> None:
    if project.answers["ci"] == "github":
        check = ("uvx", "--quiet", "--from", "check-jsonschema==0.39.0", "check-jsonschema", "--builtin-schema")
        project.run(*check, "vendor.github-workflows", ".github/workflows/ci.yml")
        project.run(*check, "vendor.dependabot", ".github/dependabot.yml")


@with_cases("ci", "sam_builder")
def test_workflow_is_safe(project: Project) -> None:
    if project.answers["ci"] == "github":
        project.run("zizmor", "--quiet", "--offline", "--strict-collection", ".github")
        files = (".github/workflows/ci.yml", ".github/dependabot.yml")
        project.run("jactionlint", "--no-online", "--shellcheck=", "--pyflakes=", *files)


@with_cases("ci", "sam_builder")
def test_build_never_sees_the_credentials_of_aws(project: Project) -> None:
    if project.answers["ci"] == "github":
        workflow = yaml.safe_load((project.path / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
        assert workflow["permissions"] == {"contents": "read"}
        assert "permissions" not in workflow["jobs"]["check"]
        for environment in ("dev", "prod"):
            steps = [step.get("run") or step["uses"].split("@")[0] for step in workflow["jobs"][environment]["steps"]]
            assert steps[-3:] == [
                "actions/download-artifact",
                "aws-actions/configure-aws-credentials",
                f"sam deploy --config-env {environment}",
            ]
            assert not any(step.startswith(("actions/checkout", "sam build", "make")) for step in steps)


@with_cases("ci", "sam_builder")
def test_main_is_deployed_to_dev_and_then_to_prod(project: Project) -> None:
    if project.answers["ci"] == "github":
        text = (project.path / ".github" / "workflows" / "ci.yml").read_text("utf-8")
        jobs = yaml.safe_load(text)["jobs"]
        assert list(jobs) == ["check", "dev", "prod"]
        assert [jobs[name].get("needs") for name in jobs] == [None, "check", "dev"]
        assert jobs["dev"]["if"] == "github.event_name == 'push' && vars.AWS_REGION && vars.AWS_ROLE_DEV"
        assert jobs["prod"]["if"] == "vars.AWS_ROLE_PROD"
        for environment in ("dev", "prod"):
            assert jobs[environment]["environment"] == environment
            assert jobs[environment]["permissions"] == {"id-token": "write"}
            role = jobs[environment]["steps"][-2]["with"]["role-to-assume"]
            assert role == f"${{{{ vars.AWS_ROLE_{environment.upper()} }}}}"


# --- the template ------------------------------------------------------------------------------


def test_cookiecutter_says_what_to_do_next(tmp_path: Path) -> None:
    done = run("cookiecutter", str(ROOT), "--no-input", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    for step in ("cd order-events", "make local", "sam build && sam deploy"):
        assert step in done.stdout


def test_owner_has_the_versions_that_are_tested_here(bake: Bake) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    project = tomllib.loads((bake().path / "pyproject.toml").read_text("utf-8"))
    tool = tomllib.loads((bake().path / "tools" / "sqskit" / "pyproject.toml").read_text("utf-8"))
    theirs = project["dependency-groups"]["dev"] + project["project"]["dependencies"] + tool["project"]["dependencies"]
    theirs += tool["project"]["optional-dependencies"]["debug"]
    assert set(theirs) - {"sqskit[debug]"} <= set(ours)


def test_every_pair_of_choices_is_baked() -> None:
    for one, other in itertools.combinations(CHOICES, 2):
        pairs = {(answers[one], answers[other]) for answers in COVERING}
        assert pairs == set(itertools.product(CHOICES[one], CHOICES[other]))
