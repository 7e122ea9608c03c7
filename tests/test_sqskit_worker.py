"""The process of a function on this machine is like that in Lambda."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqskit.mapping import Function
from sqskit.worker import Invocation, Worker, changed, end_of

from tests.support.projects import linux, posix

pytestmark = pytest.mark.slow

ENDPOINT = "http://127.0.0.1:1"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:F"


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.close()


# It ends while another thread of it waits for the function.
TOOL = """
import sys, threading
from pathlib import Path
from sqskit.mapping import Function
from sqskit.worker import Worker

function = Function("F", Path(sys.argv[1]), "app.handler", 60, 256, "python3.13", "arn", {})
worker = Worker(function, "http://127.0.0.1:1")
threading.Thread(target=worker.invoke, args=[{}], daemon=True).start()
sys.stdin.read()
"""

# Its connection is closed when the process ends.
BUSY = """
import signal, socket, time
for number in set(signal.valid_signals()) - {{signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(number, signal.SIG_IGN)
connection = socket.create_connection(("127.0.0.1", {port}))
def handler(event, context):
    connection.send(b"!")
    while True:
        try:
            while True:
                {body}
        except BaseException:
            pass
"""


class Code:
    """A folder with the code of a function."""

    def __init__(self, folder: Path, workers: list[Worker]) -> None:
        self.folder = folder
        self.workers = workers

    def invoke(self, source: str, **environment: str) -> Invocation:
        """Invoke a function with this code, at most once more than its import."""
        (self.folder / "app.py").write_text(source, "utf-8")
        function = Function("F", self.folder, "app.handler", 5, 256, "python3.13", ARN, environment)
        self.workers.append(Worker(function, ENDPOINT))
        return self.workers[-1].invoke({"Records": []})

    def returned(self, expression: str, **environment: str) -> Any:
        """Return the value of an expression in the handler."""
        done = self.invoke(f"import os\ndef handler(event, context): return {expression}\n", **environment)
        assert done.error is None
        return json.loads(str(done.response))


@pytest.fixture
def code(tmp_path: Path, workers: list[Worker]) -> Code:
    return Code(tmp_path, workers)


@linux
def test_context_has_what_that_of_lambda_has(code: Code) -> None:
    from awslambdaric.lambda_context import LambdaContext

    expected = {name for name in dir(LambdaContext("id", None, None, 0)) if not name.startswith("_")}
    found = code.returned("[name for name in dir(context) if name[0] != '_']")
    assert set(found) == expected - {"w3c"}
    assert code.returned("[context.invoked_function_arn, context.memory_limit_in_mb, context.function_version]") == [
        ARN,
        "256",
        "$LATEST",
    ]
    assert 4000 < code.returned("context.get_remaining_time_in_millis()") <= 5000


def test_environment_has_what_that_of_lambda_has(code: Code) -> None:
    own = {"TZ": "Asia/Tokyo", "AWS_ENDPOINT_URL": "https://example.com", "AWS_REGION": "eu-west-1", "COLOR": "red"}
    found = code.returned("dict(os.environ)", **own)
    assert found["AWS_LAMBDA_LOG_STREAM_NAME"].partition("[")[2].startswith("$LATEST]")
    expected = {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "F",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/F",
        "AWS_REGION": "us-east-1",
        "COLOR": "red",
        "LAMBDA_TASK_ROOT": str(code.folder),
        "TZ": "Asia/Tokyo",
        "_HANDLER": "app.handler",
    }
    assert expected.items() <= found.items()


def test_code_of_the_function_comes_before_pythonpath(
    code: Code, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path_factory.mktemp("others")
    for folder in (others, code.folder):
        (folder / "shared").mkdir()
        (folder / "shared" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(others))
    assert code.returned("__import__('shared').__file__").startswith(str(code.folder))


def test_what_python_prints_by_itself_is_logged(
    code: Code, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("custom")
    (folder / "sitecustomize.py").write_text("print('[debugger] is ready')\nprint(1)\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    done = code.invoke("def handler(event, context): return 1\n")
    assert (done.response, done.log) == ("1", [{"message": "[debugger] is ready"}, {"message": "1"}])


@pytest.mark.parametrize(
    "log",
    [
        "logging.error('%d', 'x')",
        "logging.error('x', extra={('a', 'b'): 1})",
        "logging.error('x', extra={'loop': loop})",
        "logging.error('\\ud800')",
        "faulthandler.enable()",
        "subprocess.run(['true'], stdout=sys.stdout)",
    ],
)
def test_log_line_does_not_fail_its_message(code: Code, log: str) -> None:
    imports = "import faulthandler, logging, subprocess, sys\nloop = []\nloop.append(loop)\n"
    assert code.invoke(f"{imports}def handler(event, context):\n    {log}\n").error is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import sys\nsys.exit('COLOR is missing')", "SystemExit: COLOR is missing\n  {}, line 2\n    sys.exit("),
        ("import json\njson.loads('{')", "JSONDecodeError: Expecting property name enclosed in double quotes"),
        (
            "\nif True:\npass",
            "IndentationError: expected an indented block after 'if' statement on line 2\n  {}, line 3",
        ),
        ("compile('(', 'x', 'exec')", "SyntaxError: '(' was never closed\n  {}, line 1\n    compile("),
    ],
)
def test_error_at_import_names_the_line_of_the_function(code: Code, source: str, error: str) -> None:
    found = str(code.invoke(source).error)
    assert found.startswith(f"cannot import app.handler: {error.format(code.folder / 'app.py')}")
    assert found.count(f"{code.folder / 'app.py'}, line ") == 1


def test_folders_that_disappear_meanwhile_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for name in "abcdefgh":
                (tmp_path / name / "__pycache__").mkdir(parents=True)
            for name in "abcdefgh":
                shutil.rmtree(tmp_path / name)

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(come_and_go)
        try:
            for _ in range(300):
                assert list(changed(tmp_path)) == [tmp_path / "app.py"]
        finally:
            over.set()
        ended.result()


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (0, "the process ended with exit status 0"),
        (137, "the process ended with exit status 137"),
        (-9, "the process was ended by SIGKILL"),
        (-40, "the process was ended by signal 40"),  # it has no name
    ],
)
def test_end_of_a_process_names_the_signal(status: int, end: str) -> None:
    assert end_of(status) == end


def test_last_words_before_the_end_at_import_are_logged(code: Code) -> None:
    code.invoke("import os\nprint('COLOR is missing', flush=True)\nos._exit(3)\n")
    started = code.workers[-1].start()
    assert started.error == "the process ended with exit status 3"
    assert [line["message"] for line in started.log] == ["COLOR is missing"]


@posix
@pytest.mark.parametrize(
    ("body", "is_killed"), [("pass", True), ("pass", False), ("time.sleep(60)", True), ("connection.recv(1)", True)]
)
def test_process_that_is_busy_ends_with_the_tool(tmp_path: Path, body: str, is_killed: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        source = BUSY.format(port=server.getsockname()[1], body=body)
        (tmp_path / "app.py").write_text(source, "utf-8")
        with subprocess.Popen([sys.executable, "-c", TOOL, str(tmp_path)], stdin=subprocess.PIPE) as tool:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                assert connection.recv(1) == b"!"
                if is_killed:
                    tool.kill()
                else:
                    tool.communicate()
                assert connection.recv(1) == b""


FORKS = """
import os
def fork_once():
    global fork_once
    fork_once = lambda: None
    if os.fork():
        os.wait()
    else:
        {child}
{at_import}
def handler(event, context):
    child = fork_once()
    return child or event.get("number", 1)
"""
HINT = "a forked process has left the function ({}); end it with os._exit()"


@posix
@pytest.mark.parametrize(
    ("child", "at_import", "said"),
    [
        ("return 'of the child'", "", [HINT.format("it returned")]),
        ("raise ValueError('of the child')", "", [HINT.format("ValueError: of the child")]),
        ("return", "fork_once()", [HINT.format("it returned")]),
        ("os._exit(0)", "", []),
        ("raise SystemExit", "", []),
    ],
)
def test_forked_process_does_not_answer_for_the_function(
    code: Code, child: str, at_import: str, said: list[str]
) -> None:
    first = code.invoke(FORKS.format(child=child, at_import=at_import))
    second = code.workers[-1].invoke({"number": 2})
    assert (first.error, second.error) == (None, None)
    assert (first.response, second.response) == ("1", "2")
    assert [line["message"] for line in first.log + second.log] == said
