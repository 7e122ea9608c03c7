"""Every way to generate a project: with each tool and version, the same answers give the same files."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.projects import CHOICES, QUESTIONS, ROOT, Bake, Project, run

pytestmark = pytest.mark.slow

# None of the answers is the default.
ANSWERS = {
    "project_name": "Payments",
    "message_name": "PaymentReceived",
    "message_fields": 'payment_id: UUID, "net-amount": Decimal > 0, payer: {name: str = "Zoë\'s"} | None = None',
    "queue_type": "fifo",
    "source": "sns",
    "batch_size": "5",
    "runtime": "python3.12",
    "architecture": "x86_64",
    "sam_builder": "pip",
    "ci": "none",
}
GIVEN = [f"{name}={answer}" for name, answer in ANSWERS.items()]

# The same answers typed at the prompts: a choice by its number, and the suggested slug.
TYPED = "".join(
    f"{CHOICES[name].index(ANSWERS[name]) + 1 if name in CHOICES else ANSWERS.get(name, '')}\n"
    for name in QUESTIONS
    if not name.startswith("_")
)

URL = "https://github.com/org/repo.git"  # also `gh:org/repo`; git is told to look for it on this machine


def tool(requirement: str, name: str, *more: str) -> list[str]:
    """Return the command that runs a version of a tool in an environment of its own."""
    extra = [word for each in more for word in ("--with", each)]
    return ["uvx", "--quiet", "--python", sys.executable, *extra, "--from", requirement, name]


NEWEST = version("cookiecutter")
COOKIECUTTERS = {
    "2.6.0": tool("cookiecutter==2.6.0", "cookiecutter"),  # the oldest that SAM takes
    NEWEST: ["cookiecutter"],
}


@pytest.fixture(autouse=True)
def repository(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the template into a git repository, and let git find it by its URL, without the user's settings."""
    host = tmp_path_factory.mktemp("host")
    folder = host / "org" / "repo.git"
    folder.mkdir(parents=True)
    for name in ("cookiecutter.json", "hooks", "local_extensions", "{{cookiecutter.project_slug}}"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (host / "gitconfig").write_text(
        "[user]\nname = T\nemail = t@example.com\n[init]\ndefaultBranch = main\n[core]\nautocrlf = false\n"
        f'[url "{host.as_uri()}/"]\ninsteadOf = https://github.com/\n',
        "utf-8",
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(host / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    commit(folder, "The template")
    return folder


def commit(folder: Path, message: str) -> None:
    succeed("git", "init", "--quiet", cwd=folder)
    succeed("git", "add", "--all", cwd=folder)
    succeed("git", "commit", "--quiet", "--message", message, cwd=folder)


def succeed(*command: str, cwd: Path, stdin: str = "") -> str:
    done = run(*command, cwd=cwd, stdin=stdin)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout


@pytest.fixture
def ours(bake: Bake) -> dict[str, bytes]:
    """Return the files that the answers give."""
    return contents(bake(**ANSWERS).path, bake(**ANSWERS).files)


def contents(project: Path, files: list[str] | None = None) -> dict[str, bytes]:
    return {name: (project / name).read_bytes() for name in files or Project(project, {}).files}


def assert_same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


# --- cookiecutter ------------------------------------------------------------------------------


@pytest.fixture
def location(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> str:
    """Return the template as a path, a git URL or a zip."""
    match request.param:
        case "path":
            return str(ROOT)
        case "zip":
            succeed("git", "archive", "--prefix=repo-main/", f"--output={tmp_path}/main.zip", "HEAD", cwd=repository)
            return str(tmp_path / "main.zip")
        case _:
            return str(request.param)


LOCATIONS = ["path", "gh:org/repo", URL, "zip"]


@pytest.mark.parametrize("location", LOCATIONS, indirect=True)
@pytest.mark.parametrize("cookiecutter", COOKIECUTTERS.values(), ids=COOKIECUTTERS)
def test_cookiecutter(location: str, cookiecutter: list[str], ours: dict[str, bytes], tmp_path: Path) -> None:
    succeed(*cookiecutter, location, "--no-input", *GIVEN, cwd=tmp_path)
    assert_same(contents(tmp_path / "Payments"), ours)


@pytest.mark.parametrize("cookiecutter", COOKIECUTTERS.values(), ids=COOKIECUTTERS)
def test_typed_answers_and_their_replay(cookiecutter: list[str], ours: dict[str, bytes], tmp_path: Path) -> None:
    succeed(*cookiecutter, str(ROOT), cwd=tmp_path, stdin=TYPED)
    assert_same(contents(tmp_path / "Payments"), ours)

    succeed(*cookiecutter, str(ROOT), "--replay", "--output-dir", "again", cwd=tmp_path)
    assert_same(contents(tmp_path / "again" / "Payments"), ours)


@pytest.mark.parametrize("cookiecutter", COOKIECUTTERS.values(), ids=COOKIECUTTERS)
def test_over_an_existing_project(cookiecutter: list[str], ours: dict[str, bytes], tmp_path: Path) -> None:
    bake = (*cookiecutter, str(ROOT), "--no-input", *GIVEN)
    succeed(*bake, cwd=tmp_path)
    readme, own = tmp_path / "Payments" / "README.md", tmp_path / "Payments" / "lambdas" / "shared" / "prices.py"
    for path in (readme, own):
        path.write_text("The owner's.\n", "utf-8")
    theirs = contents(tmp_path / "Payments")

    done = run(*bake, cwd=tmp_path)
    assert done.returncode == 1
    assert "already exists" in " ".join(done.stdout.split())
    assert_same(contents(tmp_path / "Payments"), theirs)

    succeed(*bake, "--overwrite-if-exists", "--skip-if-file-exists", cwd=tmp_path)
    assert_same(contents(tmp_path / "Payments"), theirs)

    succeed(*bake, "-f", cwd=tmp_path)
    assert_same(contents(tmp_path / "Payments"), {**theirs, "README.md": ours["README.md"]})


# --- sam ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", LOCATIONS, indirect=True)
@pytest.mark.parametrize("name", [(), ("--name", "Payments")], ids=["no name", "--name"])
def test_sam_init(location: str, name: tuple[str, ...], ours: dict[str, bytes], tmp_path: Path) -> None:
    extra = {question: answer for question, answer in ANSWERS.items() if not (name and question == "project_name")}
    succeed(
        *("sam", "init", "--location", location, *name, "--no-input", "--extra-context", json.dumps(extra)),
        cwd=tmp_path,
    )
    assert_same(contents(tmp_path / "Payments"), ours)


@pytest.mark.wide
def test_sam_init_with_the_oldest_cookiecutter(ours: dict[str, bytes], tmp_path: Path) -> None:
    sam = tool(f"aws-sam-cli=={version('aws-sam-cli')}", "sam", "cookiecutter==2.6.0")
    succeed(*sam, "init", "--location", str(ROOT), "--no-input", "--extra-context", json.dumps(ANSWERS), cwd=tmp_path)
    assert_same(contents(tmp_path / "Payments"), ours)


def test_sam_init_takes_the_runtime_as_an_answer_only(tmp_path: Path) -> None:
    done = run("sam", "init", "--location", str(ROOT), "--no-input", "--runtime", "python3.12", cwd=tmp_path)
    assert done.returncode == 2
    assert "You must not provide both the --location and --runtime parameters" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_sam_init_with_typed_answers(ours: dict[str, bytes], tmp_path: Path) -> None:
    succeed("sam", "init", "--location", str(ROOT), cwd=tmp_path, stdin=TYPED)
    assert_same(contents(tmp_path / "Payments"), ours)


# --- cruft -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cookiecutter", ["2.6.0", NEWEST])
def test_cruft_brings_the_changes_of_the_template_and_keeps_those_of_the_owner(
    cookiecutter: str, repository: Path, ours: dict[str, bytes], tmp_path: Path
) -> None:
    cruft = tool("cruft==2.16.0", "cruft", f"cookiecutter=={cookiecutter}")
    succeed(*cruft, "create", URL, "--no-input", "--extra-context", json.dumps(ANSWERS), cwd=tmp_path)
    project = tmp_path / "Payments"
    created = contents(project)
    del created[".cruft.json"]
    assert_same(created, ours)
    commit(project, "The project")
    succeed(*cruft, "check", cwd=project)

    def edit(name: str, found: str, replacement: str, folder: Path = project) -> str:
        path = folder / name
        assert found in path.read_text("utf-8")
        path.write_bytes(path.read_bytes().replace(found.encode(), replacement.encode()))
        return name

    owners = [
        edit("lambdas/shared/payment_received.py", "    logger.info(", "    save(message)\n    logger.info("),
        edit("template.yaml", "BatchSize: 5", "BatchSize: 3"),
        edit("README.md", "# Payments\n", "# Payments of the shop\n"),
    ]
    commit(project, "The owner's edits")
    edited = contents(project, owners)

    template = repository / "{{cookiecutter.project_slug}}"
    edit("template.yaml", "ReceiveMessageWaitTimeSeconds: 20", "ReceiveMessageWaitTimeSeconds: 10", template)
    edit("lambdas/sqs/__init__.py", '"""Batches', '"""Changed. Batches', template)
    edit(
        "cookiecutter.json", '    "sam_builder": [', '    "colour": ["red", "blue"],\n    "sam_builder": [', repository
    )
    edit("local_extensions/__init__.py", '"timeout": ', '"shouted": str.upper,\n            "timeout": ', repository)
    (template / "{{cookiecutter.colour}}.txt").write_text("{{ cookiecutter.message_name | shouted }}\n", "utf-8")
    commit(repository, "A change, a new question and a new filter")

    assert run(*cruft, "check", cwd=project).returncode == 1
    succeed(*cruft, "update", "--skip-apply-ask", cwd=project)
    succeed(*cruft, "check", cwd=project)
    updated = contents(project)
    assert not [name for name in updated if name.endswith((".rej", ".orig"))]
    assert updated["red.txt"] == b"PAYMENTRECEIVED\n"
    assert updated["lambdas/sqs/__init__.py"].startswith(b'"""Changed. Batches')
    assert b"ReceiveMessageWaitTimeSeconds: 10" in updated["template.yaml"]
    assert b"ReceiveMessageWaitTimeSeconds: 10" not in edited["template.yaml"]
    restored = updated["template.yaml"].replace(
        b"ReceiveMessageWaitTimeSeconds: 10", b"ReceiveMessageWaitTimeSeconds: 20"
    )
    assert_same({name: updated[name] for name in owners} | {"template.yaml": restored}, edited)


# --- a pasted sample ---------------------------------------------------------------------------

SAMPLE = {"order_id": "1", "detail": {"items": [{"sku": "a"}], "at": "2026-03-04T05:06:07Z"}, "from": None}
PASTED = {"project_name": "Pasted", "message_fields": json.dumps(SAMPLE, indent=2)}


@pytest.fixture
def pasted(bake: Bake) -> dict[str, bytes]:
    project = bake(**PASTED)
    return contents(project.path, project.files)


@pytest.mark.parametrize("cookiecutter", COOKIECUTTERS.values(), ids=COOKIECUTTERS)
def test_sample_on_the_command_line_and_its_replay(
    cookiecutter: list[str], pasted: dict[str, bytes], tmp_path: Path
) -> None:
    given = [f"{name}={answer}" for name, answer in PASTED.items()]
    succeed(*cookiecutter, str(ROOT), "--no-input", *given, cwd=tmp_path)
    assert_same(contents(tmp_path / "Pasted"), pasted)
    succeed(*cookiecutter, str(ROOT), "--replay", "--output-dir", "again", cwd=tmp_path)
    assert_same(contents(tmp_path / "again" / "Pasted"), pasted)


@pytest.mark.parametrize("cookiecutter", COOKIECUTTERS.values(), ids=COOKIECUTTERS)
def test_sample_typed_on_one_line(cookiecutter: list[str], pasted: dict[str, bytes], tmp_path: Path) -> None:
    typed = f"Pasted\n\n\n{json.dumps(SAMPLE)}\n" + "\n" * 10
    succeed(*cookiecutter, str(ROOT), cwd=tmp_path, stdin=typed)
    assert_same(contents(tmp_path / "Pasted"), pasted)


def test_sample_through_sam_init(pasted: dict[str, bytes], tmp_path: Path) -> None:
    succeed("sam", "init", "--location", str(ROOT), "--no-input", "--extra-context", json.dumps(PASTED), cwd=tmp_path)
    assert_same(contents(tmp_path / "Pasted"), pasted)
