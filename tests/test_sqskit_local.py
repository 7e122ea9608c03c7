"""`sqskit local` and `sqskit send`: their errors, and that they leave no process behind."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqskit.testing
from sqskit.aws import EmbeddedAws
from sqskit.errors import UserError

from tests.support.projects import ROOT, Bake, Project, linux, posix, run
from tests.support.running import running_local

pytestmark = pytest.mark.slow

SQSKIT = (sys.executable, "-m", "sqskit")
LOCAL = (*SQSKIT, "local", "--plain")
STARTING = "Starting moto, and deploying template.yaml to it …"


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
    ],
)  # fmt: skip
def test_start_up_errors_are_one_line(project: Project, name: str, found: str, replacement: str, said: str) -> None:
    source = (project.path / name).read_text("utf-8")
    assert found in source
    (project.path / name).write_text(source.replace(found, replacement, 1), "utf-8")
    done = run(*LOCAL, cwd=project.path, AWS_PROFILE="not there")
    starting, *rest = done.stdout.splitlines()
    assert (done.returncode, starting, len(rest)) == (1, STARTING, 1)
    assert rest[0].startswith(f"error: {said}")
    assert not running(project)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import (", "SyntaxError: invalid syntax"),
        ("import msgspeck", "ModuleNotFoundError: No module named 'msgspeck'; add it with `uv add`"),
    ],
)
def test_error_at_import_shows_its_line(project: Project, source: str, error: str) -> None:
    module = project.path / "lambdas" / "shared" / "new_message.py"
    module.write_text(f"\n{source}\n", "utf-8")
    assert run(*LOCAL, cwd=project.path).stdout.splitlines()[1:] == [
        f"error: cannot import new_message_processor.app.handler: {error}",
        f"  {Path('lambdas/shared/new_message.py')}, line 2",
        f"    {source}",
    ]


def test_port_in_use_is_refused(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(*LOCAL, "--port", str(port), cwd=project.path)
    assert (done.returncode, done.stdout) == (
        1,
        f"{STARTING}\nerror: the embedded AWS cannot start: cannot use port {port}: Address already in use; "
        "give --port another one, or leave it out\n",
    )
    assert not running(project)


def test_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "server.py"
    server.write_text("import sys\nprint('much ' * 100_000, file=sys.stderr)\nraise ImportError('no moto')\n", "utf-8")
    monkeypatch.setattr("sqskit.server_process.SERVER", server)
    with pytest.raises(UserError, match=r"^the embedded AWS cannot start: ImportError: no moto$"):
        EmbeddedAws()


CLOSED_PORT = "http://127.0.0.1:1"
DEAD_PROXY = {
    **dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy"), CLOSED_PORT),
    "NO_PROXY": "",
    "AWS_REGION": "eu-west-1",
}

# Settings of AWS that are broken, of Python that leave something out, and an output that cannot show every character.
ODD = {
    **DEAD_PROXY,
    "AWS_PROFILE": "not there",
    "AWS_RETRY_MODE": "unknown",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONSAFEPATH": "1",
    "FORCE_COLOR": "1",
    "NO_COLOR": "1",
}
BODY = '{"orderId": "注文"}'


def make_odd(project: Project) -> dict[str, str]:
    """Make files of a project odd in ways that must not matter, and return such an environment."""
    folder = project.path.parent
    for name in ("template.yaml", "contract/new_message.json"):
        path = project.path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    module = project.path / "lambdas" / "shared" / "new_message.py"
    head = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    call = 'logging.error("%d queues", len(boto3.client("sqs").list_queues()["QueueUrls"]), extra={"stackTrace": [1]})'
    module.write_text(f"{head}\n\n\ndef handle(message):\n    import boto3\n    {call}\n", "utf-8")
    (folder / "moto").mkdir()
    (folder / "moto" / "__init__.py").write_text("raise ImportError('another moto')\n", "utf-8")
    (folder / "config").write_text("[[ broken", "utf-8")
    packages = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**ODD, "PYTHONPATH": packages, "AWS_CONFIG_FILE": str(folder / "config")}


def test_machine_with_an_odd_environment_runs_the_stack(project: Project) -> None:
    project = project.copied(project.path.parent / "with spaces, 50% and ünïcödé")
    environment = make_odd(project)
    with running_local(project, *LOCAL, **environment) as local:
        assert local.lines[0] == STARTING.replace("…", "?") + "\n"
        variables, aws, command = local.lines[-1].partition("aws ")
        assert project.run(*SQSKIT, "send", **environment).count("local-NewMessageQueue") == 2
        local.until("    (done|dead) ", times=2)
        settings = dict(word.split("=", 1) for word in variables.split())
        project.run(*shlex.split(aws + command)[:-1], BODY, **{**DEAD_PROXY, **settings})
        local.until("    done ")
        local.process.send_signal(signal.SIGINT)
        rest, _ = local.process.communicate(timeout=20)
        assert local.process.returncode == 0, rest
    assert local.lines[-1].endswith('{"orderId": "??"}\n')
    assert "    [1]\n" in local.lines


def test_second_run_in_the_same_project_is_refused(project: Project) -> None:
    with running_local(project, *LOCAL) as local:
        (endpoint,) = re.findall(r"--endpoint-url (\S+)", local.lines[-1])
        done = run(*LOCAL, cwd=project.path)
        assert (done.returncode, done.stdout) == (
            1,
            f"error: a stack of this project already runs at {endpoint}; stop it first\n",
        )
        project.run(*SQSKIT, "send")


@linux
def test_run_ends_quietly_if_nobody_reads_on(project: Project) -> None:
    with subprocess.Popen(LOCAL, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
    wait_until_nothing_runs(project)


@posix
def test_make_says_that_uv_is_missing(project: Project, tmp_path: Path) -> None:
    for tool in ("make", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    done = run("make", "local", cwd=project.path, PATH=str(tmp_path))
    assert done.returncode == 2
    assert "error: install uv first: https://docs.astral.sh/uv/" in done.stdout


@posix
def test_make_says_that_the_first_run_needs_the_internet(project: Project, tmp_path: Path) -> None:
    done = run("make", "local", cwd=project.path, UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "error: uv cannot install the libraries, see above; the first time, it needs the internet\n" in done.stdout


def test_example_that_cannot_be_sent_is_refused(project: Project) -> None:
    (project.path / "contract" / "new_message.json").write_text('{"orderId": "\\ud800"}', "utf-8")
    done = run(*SQSKIT, "contract", cwd=project.path)
    assert done.stdout.startswith("error: contract/new_message.json is not JSON: 'utf-8' codec can't encode character")


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
        (tmp_path / "template.yaml").write_text("Resources: {}\n", "utf-8")
        done = run(*SQSKIT, "send", cwd=tmp_path)
        assert re.fullmatch("error: the stack at http://.+ has another template; name it with .+\n", done.stdout)
        project.run(*SQSKIT, "send", "--template", "stack.yml")
        local.until("    done    ", times=2)
    assert '    {"job": 1}\n' in local.lines


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["local", "--port", "70000"], "--port must be from 0 to 65535"),
        (["local", "--retry-after", "-1"], "--retry-after must be from 0 to 43200 seconds"),
        (["send", "--count", "0"], "--count must be from 1 to 100000"),
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
