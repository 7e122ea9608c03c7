"""`sqskit local` and `sqskit send`: their errors, and that they leave no process behind."""

import re
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import sqskit.testing
from sqskit.errors import UserError

from tests.support.projects import ROOT, Bake, Project, linux, posix, run
from tests.support.running import running_local

pytestmark = pytest.mark.slow

SQSKIT = (sys.executable, "-m", "sqskit")
LOCAL = (*SQSKIT, "local", "--plain")


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    """Return a project that a test may change."""
    return bake().copied(tmp_path)


def running(project: Project) -> list[int]:
    """Return the processes that still run in a project."""
    folders = {project.path, project.path / "lambdas"}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() in folders and "Z" not in (process / "stat").read_text().split()[2]:
                found.append(int(process.name))
        except OSError:  # it has ended since
            pass
    return found


def wait_until_nothing_runs(project: Project) -> None:
    until = time.monotonic() + 10
    while running(project):
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "found", "replacement", "said"),
    [
        ("template.yaml", "Type: SQS", "Type: SQZ",
         "SAM cannot transform the template: Resource with id [NewMessageProcessorFunction] is invalid."),
        ("template.yaml", "Resources:", "Resources: [", "SAM cannot transform the template: while parsing"),
        ("template.yaml", "Resources:", "Things:", "SAM cannot transform the template: KeyError: 'Resources'"),
        ("template.yaml", "CodeUri: lambdas/", "CodeUri: lambda/", "the CodeUri of NewMessageProcessorFunction"),
        ("template.yaml", "app.handler", "app.handel",
         "cannot import new_message_processor.app.handel: AttributeError:"),
        ("template.yaml", "new_message_processor.app.handler", "mesage_processor.app.handler",
         "cannot import mesage_processor.app.handler: ModuleNotFoundError: No module named 'mesage_processor'; "
         "check Handler in the template"),
        ("lambdas/shared/new_message.py", "import msgspec", "import msgspeck",
         "cannot import new_message_processor.app.handler: ModuleNotFoundError: No module named 'msgspeck'; "
         "add it with `uv add`"),
        ("lambdas/shared/new_message.py", "import msgspec", "import (",
         "cannot import new_message_processor.app.handler: SyntaxError:"),
    ],
)  # fmt: skip
def test_start_up_errors_are_one_line(project: Project, name: str, found: str, replacement: str, said: str) -> None:
    source = (project.path / name).read_text("utf-8")
    assert found in source
    (project.path / name).write_text(source.replace(found, replacement, 1), "utf-8")
    done = run(*LOCAL, cwd=project.path, AWS_PROFILE="not there")
    assert done.returncode == 1
    assert done.stdout.startswith(f"error: {said}")
    assert len(done.stdout.splitlines()) == 1
    assert not running(project)


def test_port_in_use_is_refused(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(*LOCAL, "--port", str(port), cwd=project.path)
    assert (done.returncode, done.stdout) == (
        1,
        f"error: port {port} is in use; give --port another one, or leave it out\n",
    )
    assert not running(project)


@posix
def test_make_says_that_uv_is_missing(project: Project, tmp_path: Path) -> None:
    for tool in ("make", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = run("make", "local", cwd=project.path, PATH=str(tmp_path))
    assert done.returncode == 2
    assert "error: install uv first: https://docs.astral.sh/uv/" in done.stdout


def test_send_says_that_no_stack_is_running(project: Project) -> None:
    done = run(*SQSKIT, "send", cwd=project.path)
    assert (done.returncode, done.stdout) == (
        1,
        "error: no local stack is running here; start it with `make local`\n",
    )


@linux
@pytest.mark.parametrize(
    ("end", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_process_is_left_running(project: Project, end: signal.Signals, status: int) -> None:
    with running_local(project, *LOCAL, "--retry-after", "60") as local:
        sent = project.run(*SQSKIT, "send")
        assert sent.count("local-NewMessageQueue") == 2
        local.until("    (done|dead) ", times=2)
        assert len(running(project)) > 2
        local.process.send_signal(end)
        rest, _ = local.process.communicate(timeout=20)
        assert local.process.returncode == status, rest
        assert "Traceback" not in rest
    wait_until_nothing_runs(project)
    assert run(*SQSKIT, "send", cwd=project.path).stdout.startswith("error: no local stack is running here")


@pytest.mark.parametrize("messages", [200, pytest.param(10_000, marks=pytest.mark.wide)])
def test_no_message_is_lost_under_load_and_faults(bake: Bake, messages: int) -> None:
    done = run(sys.executable, "benchmarks/load.py", str(bake().path), str(messages), cwd=ROOT)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\| good \| (\S+) \| \1 \| \d+ \| 0 \| 0 \|$", done.stdout, re.MULTILINE)


OTHER_TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs:
    Type: AWS::SQS::Queue
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: work.run
      Runtime: python3.13
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
"""


def test_any_template_with_an_sqs_event_can_run(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "work.py").write_text("def run(event, context): print(event['Records'][0]['body'])\n", "utf-8")
    (tmp_path / "stack.yml").write_text(OTHER_TEMPLATE, "utf-8")
    project = Project(tmp_path, {})
    with running_local(project, *LOCAL, "--template", "stack.yml") as local:
        assert local.lines[-1].endswith(" --message-body '{}'\n")
        done = run(*SQSKIT, "send", "--template", "stack.yml", cwd=tmp_path)
        assert done.stdout == "error: contract/work.json is missing: write an example body for Worker\n"
        (tmp_path / "contract").mkdir()
        (tmp_path / "contract" / "work.json").write_text('{"job": 1}\n', "utf-8")
        project.run(*SQSKIT, "send", "--template", "stack.yml")
        local.until("    done    ", times=2)
    assert '    {"job": 1}\n' in local.lines


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["local", "--port", "70000"], "--port must be from 0 to 65535"),
        (["local", "--retry-after", "-1"], "--retry-after must be from 0 to 43200 seconds"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: list[str], error: str) -> None:
    done = run(*SQSKIT, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.endswith(f"error: {error}\n")


def test_running_a_function_that_cannot_be_imported_says_why(project: Project) -> None:
    (project.path / "lambdas" / "shared" / "new_message.py").write_text("import (\n", "utf-8")
    with (
        pytest.raises(UserError, match=r"cannot import new_message_processor\.app\.handler: SyntaxError"),
        sqskit.testing.running(project.path / "template.yaml", "NewMessageProcessorFunction"),
    ):
        pass
