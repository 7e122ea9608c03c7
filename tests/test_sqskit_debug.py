"""`sqskit local --debug`: a debugger stops in `handle`, for as long as it likes, and the message is done once."""

import json
import re
import signal
import socket
import sys
import textwrap
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqs.queue import Calls, Queue
from sqskit.__main__ import DEBUGGER_PORT
from sqskit.aws import Aws, running_stack
from sqskit.debugger import Debugger as Port
from sqskit.mapping import EventSourceMapping, Function
from sqskit.poller import COULD_NOT
from sqskit.send import send
from sqskit.testing import wait_until
from sqskit.worker import Worker

from tests.support.debugger import Debugger
from tests.support.projects import Bake, Project, linux, posix, run
from tests.support.records import record
from tests.support.running import Running, running_local
from tests.test_sqskit_local import wait_until_nothing_runs

pytestmark = pytest.mark.slow

LOCAL = (sys.executable, "-m", "sqskit", "local", "--plain")
TIMEOUT, VISIBILITY_TIMEOUT = 3, 3  # of the function and the queue, in seconds
LONGER_THAN_BOTH = 4
WAITS = r"\w+ waits for a debugger at 127\.0\.0\.1:(\d+); in VS Code, press F5\."


@dataclass
class Debugged:
    """A project that runs with `--debug`."""

    project: Project
    local: Running
    port: int
    aws: Aws
    mapping: EventSourceMapping

    @property
    def module(self) -> Path:
        return self.project.path / "lambdas" / "shared" / "new_message.py"

    def line(self, text: str) -> int:
        """Return the number of the only line with a text in the module of `handle`."""
        (number,) = (n for n, line in enumerate(self.module.read_text("utf-8").splitlines(), 1) if text in line)
        return number

    def send(self, order_id: str = "1", group: str = "a") -> None:
        send(self.aws, self.mapping.queue, json.dumps({"orderId": order_id}), group)

    @contextmanager
    def attached(self, *lines: str) -> Iterator[Debugger]:
        """Attach a debugger with breakpoints at the lines with these texts."""
        with Debugger(self.port) as debugger:
            debugger.attach({self.module: [self.line(text) for text in lines]}, justMyCode=True)
            yield debugger

    def until_empty(self) -> None:
        """Wait until every message has left the queue, none of them as a dead letter."""
        wait_until(lambda: self.aws.depth(self.mapping.queue.url) == (0, 0))
        assert self.aws.depth(str(self.mapping.queue.dead_letter_url)) == (0, 0)


def shortened(project: Project, **settings: int) -> None:
    """Make the timeouts of a stack so short that a test can wait for longer."""
    template = project.path / "template.yaml"
    source = template.read_text("utf-8")
    settings = {"Timeout": TIMEOUT, "VisibilityTimeout": VISIBILITY_TIMEOUT, **settings}
    for name, value in settings.items():
        source, found = re.subn(rf"(?m)^(      {name}:) \d+.*$", rf"\1 {value}", source, count=1)
        assert found, name
    template.write_text(source, "utf-8")


def with_body(project: Project, body: str, *, head: str = "", is_async: bool = False) -> None:
    """Replace the body of `handle`, and add lines above it."""
    module = project.path / "lambdas" / "shared" / "new_message.py"
    above, _, _ = module.read_text("utf-8").partition("\n\n\ndef handle(")
    define = "async def" if is_async else "def"
    function = f"{define} handle(message: NewMessage) -> None:\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    module.write_text(f"{above}\n{head}\n\n{function}\n", "utf-8")


@contextmanager
def debugged(project: Project) -> Iterator[Debugged]:
    """Run a project with `--debug`, at a free port."""
    with running_local(project, *LOCAL, "--debug", "0") as local:
        (line,) = local.until(WAITS)
        port = re.findall(WAITS, line)[0]
        aws, (mapping,) = running_stack(project.path / "template.yaml")
        yield Debugged(project, local, int(port), aws, mapping)


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    """Return a project with short timeouts that a test may change."""
    project = bake().copied(tmp_path)
    shortened(project)
    return project


@linux
def test_debugger_stops_in_handle_for_longer_than_any_timeout(project: Project) -> None:
    with debugged(project) as stack:
        for order_id in ("first", "second"):  # while nobody is attached yet, so they are in one batch
            stack.send(order_id)
        with stack.attached("logger.info") as debugger:
            frame = debugger.stopped()
            assert frame["name"] == "handle"
            assert debugger.variables(frame) == {"message": "NewMessage(order_id='first')"}
            time.sleep(LONGER_THAN_BOTH)
            assert stack.aws.depth(stack.mapping.queue.url) == (0, 2)  # nobody else can receive them
            debugger.go_on()
            assert debugger.variables(debugger.stopped()) == {"message": "NewMessage(order_id='second')"}
            debugger.detach()  # at the breakpoint
        stack.local.until("    done  |The debugger is detached from NewMessageProcessorFunction", times=3)
        stack.until_empty()
        stack.send("third")  # without a debugger
        stack.local.until("    done  ")
        with stack.attached("logger.info") as debugger:  # and again with one
            stack.send("fourth")
            assert debugger.variables(debugger.stopped()) == {"message": "NewMessage(order_id='fourth')"}
            begin = time.monotonic()
            stack.local.process.send_signal(signal.SIGINT)
            rest, _ = stack.local.process.communicate(timeout=20)
            assert time.monotonic() - begin < 3
            assert stack.local.process.returncode == 0, rest
            assert "Traceback" not in rest
    wait_until_nothing_runs(project)
    handled = [line for line in stack.local.lines if line.startswith("    Handling ")]
    assert handled == [f"    Handling the message for {n}\n" for n in ("first", "second", "third")]
    assert not [line for line in stack.local.lines if " receive " in line]  # each is done at its first receive


@pytest.mark.wide
def test_async_handle_is_not_cancelled_at_a_breakpoint(project: Project) -> None:
    with_body(
        project, "await asyncio.sleep(0.1)\nprint('handled', message.order_id)", head="import asyncio", is_async=True
    )
    with debugged(project) as stack, stack.attached("print(") as debugger:
        for order_id in "12":
            stack.send(order_id)
        for _ in "12":
            debugger.stopped()
            time.sleep(LONGER_THAN_BOTH)
            debugger.go_on()
        stack.local.until("    done  ", times=2)
        stack.until_empty()
    assert sorted(line for line in stack.local.lines if "handled" in line) == ["    handled 1\n", "    handled 2\n"]


FAILS_ONCE = """
print("handling", message.order_id)
if message.order_id == "1" and not Path("known").exists():
    Path("known").touch()
    raise RetryLater(1)
"""


@pytest.mark.wide
@pytest.mark.parametrize(("queue_type", "order"), [("standard", "121"), ("fifo", "112")])
def test_message_is_retried_and_done_once_with_breakpoints_at_each_receive(
    bake: Bake, tmp_path: Path, queue_type: str, order: str
) -> None:
    project = bake(queue_type=queue_type).copied(tmp_path)
    shortened(project)
    with_body(project, FAILS_ONCE, head="from pathlib import Path\nfrom shared.delivery import RetryLater")
    stops = []
    with debugged(project) as stack, stack.attached("print(") as debugger:
        for order_id in "12":
            stack.send(order_id)
        for _ in order:
            stops.append(debugger.variables(debugger.stopped())["message"])
            time.sleep(LONGER_THAN_BOTH)
            debugger.go_on()
        stack.local.until("    done  ", times=2)
        stack.until_empty()
    assert [re.findall(r"\d", stop)[0] for stop in stops] == list(order)


@pytest.mark.wide
def test_debugger_returns_to_the_process_that_has_the_new_code(project: Project) -> None:
    with debugged(project) as stack:
        with stack.attached() as debugger:
            stack.send("1")
            stack.local.until("    done  ")
            with_body(project, "print('new code')", head="loaded = True")
            stack.send("2")
            assert debugger.event("terminated") == {"restart": True}
        with stack.attached("loaded = True", "print(") as debugger:
            assert debugger.stopped()["name"] == "<module>"
            time.sleep(LONGER_THAN_BOTH)
            debugger.go_on()
            assert debugger.stopped()["name"] == "handle"
            debugger.go_on()
            stack.local.until("    done  ")
            stack.until_empty()
    assert "    new code\n" in stack.local.lines


@pytest.mark.wide
def test_debugger_returns_after_the_process_has_crashed(project: Project) -> None:
    body = (
        "import os\nif not os.path.exists('known'):\n    open('known', 'x').close()\n    os._exit(3)\nprint('handled')"
    )
    with_body(project, body)
    with debugged(project) as stack:
        with stack.attached("os._exit(3)") as debugger:
            stack.send()
            debugger.stopped()
            debugger.send("continue", threadId=debugger.thread)  # too late for a response
            assert debugger.event("terminated") == {"restart": True}
        with stack.attached("print(") as debugger:
            debugger.stopped()
            debugger.go_on()
            stack.local.until("    done  ")
            stack.until_empty()
    assert "    The whole batch failed: the process ended with exit status 3\n" in stack.local.lines


@contextmanager
def debugger_of_handler(folder: Path, body: str) -> Iterator[Debugger]:
    """Invoke a handler that waits for a debugger, without a stack, and connect to its port."""
    (folder / "app.py").write_text(f"import os, sys\ndef handler(event, context):\n    {body}\n", "utf-8")
    function = Function("F", folder, "app.handler", 5, 256, "python3.13", "arn:aws:lambda:::function:F", {})
    port = Port(0, "F", lambda text: None)
    worker = Worker(function, "http://127.0.0.1:1", port)
    invoking = threading.Thread(target=worker.invoke, args=[{"Records": []}])
    try:
        with Debugger(int(port.address.partition(":")[2])) as debugger:
            invoking.start()
            yield debugger
    finally:
        worker.close()
        port.close()
        invoking.join()


@posix
@pytest.mark.parametrize("end", ["sys.exit(3)", "raise KeyboardInterrupt", "os._exit(3)", "os.abort()"])
def test_debugger_is_told_once_to_return_however_the_process_ends(tmp_path: Path, end: str) -> None:
    with debugger_of_handler(tmp_path, end) as debugger:
        debugger.attach({})
        assert debugger.ends() == [("terminated", {"restart": True})]


def test_debugger_that_ends_the_process_is_not_told_to_return(tmp_path: Path) -> None:
    with debugger_of_handler(tmp_path, "pass") as debugger:
        debugger.attach({})
        debugger.request("terminate")
        assert debugger.ends() == [("terminated", {})]


def test_debugger_that_leaves_its_end_open_does_not_keep_others_out(tmp_path: Path) -> None:
    with debugger_of_handler(tmp_path, "import time; time.sleep(4)") as first:
        first.attach({})
        first.detach()
        assert first.ends() == []
        with Debugger(first.socket.getpeername()[1]) as second:
            second.attach({})


@pytest.mark.parametrize("sent", ["GET / HTTP/1.1\r\n\r\n", "Content-Length: 2\r\n\r\n{"])
def test_connection_of_another_program_is_closed(tmp_path: Path, sent: str) -> None:
    with debugger_of_handler(tmp_path, "pass") as debugger:
        debugger.socket.sendall(sent.encode())
        debugger.socket.shutdown(socket.SHUT_WR)
        assert debugger.ends() == []


@pytest.mark.wide
def test_function_goes_on_if_the_debugger_disappears(project: Project) -> None:
    with debugged(project) as stack:
        with stack.attached("logger.info") as debugger:
            stack.send()
            debugger.stopped()
        stack.local.until("    done  ")
        with_body(project, "import time\ntime.sleep(60)")
        stack.send()
        stack.local.until(f"    The whole batch failed: timed out after {TIMEOUT} seconds")


@pytest.mark.wide
def test_error_at_import_is_one_line_although_a_debugger_is_attached(project: Project) -> None:
    with_body(project, "pass", head="import msgspeck")
    with debugged(project) as stack, stack.attached():
        rest, _ = stack.local.process.communicate(timeout=20)
    assert stack.local.process.returncode == 1
    errors = [line for line in rest.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].endswith("No module named 'msgspeck'; add it with `uv add`")
    assert "Traceback" not in rest


@pytest.mark.wide
def test_key_function_can_be_debugged(bake: Bake, tmp_path: Path) -> None:
    project = bake(idempotency_key="orderId").copied(tmp_path)
    shortened(project)
    app = project.path / "lambdas" / "new_message_processor" / "app.py"
    source, found = re.subn(r"key=lambda message: .+?\)", "key=key)", app.read_text("utf-8"))
    assert found == 1, source
    app.write_text(f"def key(message):\n    return message.order_id\n\n\n{source}", "utf-8")
    with debugged(project) as stack, Debugger(stack.port) as debugger:
        debugger.attach({app: [2]})
        stack.send()
        debugger.stopped()
        time.sleep(LONGER_THAN_BOTH)
        debugger.go_on()
        stack.local.until("    done  ")
        stack.until_empty()


@pytest.mark.wide
def test_breakpoint_in_the_code_stops_only_if_a_debugger_is_attached(project: Project) -> None:
    with_body(project, "breakpoint()\nprint('handled')")
    with debugged(project) as stack:
        with stack.attached() as debugger:
            stack.send()
            frame = debugger.stopped()
            assert (frame["name"], frame["line"]) == ("handle", stack.line("print("))
            debugger.detach()
        stack.local.until("    done  ")
        stack.send()
        stack.local.until("    done  ")
    place = f"lambdas/shared/new_message.py, line {stack.line('breakpoint()')}"
    assert f"    breakpoint() in {place}, is skipped; no debugger is attached\n" in stack.local.lines


def test_breakpoint_without_a_debugger_says_how_to_stop_there(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    breakpoint()\n    return 1\n", "utf-8")
    function = Function("F", tmp_path, "app.handler", 5, 256, "python3.13", "arn:aws:lambda:::function:F", {})
    worker = Worker(function, "http://127.0.0.1:1")
    try:
        done = worker.invoke({"Records": []})
    finally:
        worker.close()
    said = f"breakpoint() in {tmp_path / 'app.py'}, line 2, is skipped; to stop, run `make local ARGS=--debug`"
    assert (done.response, done.log) == ("1", [{"message": said}])


def test_poller_knows_what_lambdas_sqs_logs_if_it_cannot_hide_a_message(caplog: pytest.LogCaptureFixture) -> None:
    no_time_left = Calls(Queue("https://queue", None, None), stop_at=0.0)
    no_time_left.hide([(record("1"), 30)])
    assert [COULD_NOT in line.getMessage() for line in caplog.records] == [True]


def test_editor_attaches_to_the_port_of_the_first_function(bake: Bake) -> None:
    settings = json.loads((bake().path / ".vscode" / "launch.json").read_text("utf-8"))
    (attach,) = settings["configurations"]
    assert attach["connect"] == {"host": "127.0.0.1", "port": DEBUGGER_PORT}
    assert (attach["type"], attach["request"], attach["name"]) == ("debugpy", "attach", "make local")


def test_missing_debugpy_is_one_line(bake: Bake) -> None:
    project = bake()
    code = "import sys; sys.modules['debugpy'] = None; from sqskit.__main__ import main; main()"
    done = run(sys.executable, "-c", code, "local", "--debug", cwd=project.path)
    error = (
        "error: debugpy is not installed; write `sqskit[debug]` instead of `sqskit` in the dev group of pyproject.toml"
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, error)
    dev = tomllib.loads((project.path / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    assert "sqskit[debug]" in dev


TWO_FUNCTIONS = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src/, Handler: work.run, Runtime: python3.13}}
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Others: {Type: AWS::SQS::Queue}
  One:
    Type: AWS::Serverless::Function
    Properties: {Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}}
  Two:
    Type: AWS::Serverless::Function
    Properties: {Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Others.Arn}}}}
"""


@pytest.fixture
def two_functions(tmp_path: Path) -> Project:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "work.py").write_text("def run(event, context): print('done')\n", "utf-8")
    (tmp_path / "template.yaml").write_text(TWO_FUNCTIONS, "utf-8")
    return Project(tmp_path, {})


def test_port_in_use_is_refused_also_if_it_is_that_of_the_second_function(two_functions: Project) -> None:
    with socket.socket() as free, socket.socket() as taken:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1] + 1
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            pass  # another program uses it, which serves as well
        else:
            taken.listen()
        free.close()
        done = run(*LOCAL, "--debug", str(port - 1), cwd=two_functions.path)
    error = f"port {port}: Address already in use; give --debug another port"
    assert re.fullmatch(f"error: cannot listen for a debugger of (One|Two) at {error}", done.stdout.splitlines()[-1])
    assert done.returncode == 1
    wait_until_nothing_runs(two_functions)


@pytest.mark.wide
def test_each_function_has_a_port_and_waits_for_a_debugger_of_its_own(two_functions: Project) -> None:
    with running_local(two_functions, *LOCAL, "--debug", "0") as local:
        ports = [int(re.findall(WAITS, line)[0]) for line in local.until(WAITS, times=2)]
        assert len(set(ports)) == 2
        for port in ports:
            with Debugger(port) as debugger:
                debugger.attach({})
                debugger.detach()
        begin = time.monotonic()
        local.process.send_signal(signal.SIGINT)
        local.process.communicate(timeout=20)
        assert time.monotonic() - begin < 3
    wait_until_nothing_runs(two_functions)


@pytest.mark.parametrize("at_a_breakpoint", [False, pytest.param(True, marks=pytest.mark.wide)])
def test_no_process_is_left_when_the_tool_is_killed(project: Project, at_a_breakpoint: bool) -> None:
    with debugged(project) as stack:
        if at_a_breakpoint:
            with stack.attached("logger.info") as debugger:
                stack.send("1")
                debugger.stopped()
                stack.local.process.kill()
        stack.local.process.kill()
    wait_until_nothing_runs(project)


@pytest.mark.wide
def test_interrupt_ends_the_wait_for_a_debugger(project: Project) -> None:
    with debugged(project) as stack:
        begin = time.monotonic()
        stack.local.process.send_signal(signal.SIGINT)
        rest, _ = stack.local.process.communicate(timeout=20)
        assert time.monotonic() - begin < 3
        assert (stack.local.process.returncode, "error" in rest) == (0, False), rest
    wait_until_nothing_runs(project)
