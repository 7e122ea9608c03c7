"""The built function under Lambda's own runtime client: responses, errors, the deadline and the log."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.projects import Bake, run
from tests.support.records import Event, event, failures
from tests.support.runtime_api import LambdaFunction

pytestmark = pytest.mark.slow
pytest.importorskip("awslambdaric", reason="Lambda's runtime client needs Linux")

HANDLE = """
def handle(message: NewMessage) -> None:
    match message.order_id:
        case "fails":
            raise LookupError("no such order")
        case "takes long":
            time.sleep(1)
        case "exits":
            sys.exit(7)
"""
HANDLE_ASYNC = HANDLE.replace("def ", "import asyncio\n\nasync def ").replace("time.sleep", "await asyncio.sleep")

LOGGED = ("logger", "messageId", "receiveCount", "cause", "errorType", "errorMessage")

DEFINITIONS = {"def": HANDLE, "async def": HANDLE_ASYNC}


@pytest.fixture(scope="module", params=list(DEFINITIONS))
def artifact(
    request: pytest.FixtureRequest,
    bake: Bake,
    tmp_path_factory: pytest.TempPathFactory,
    with_python: Callable[[str], dict[str, str]],
) -> Path:
    """Build a project with a `handle` of this test."""
    project = bake(runtime=RUNTIME, architecture=ARCHITECTURE).copied(tmp_path_factory.mktemp("lambda"))
    module = project.path / "lambdas" / "shared" / "new_message.py"
    source = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    module.write_text(f"import sys\nimport time\n{source}\n{DEFINITIONS[request.param]}", "utf-8")
    module.with_name("for_python_2.py").write_text("print 'Hello'\n", "utf-8")  # libraries have such files
    project.run("make", "build", **with_python(RUNTIME))
    return project.path / ".aws-sam" / "build" / "NewMessageProcessorFunction"


@pytest.fixture
def function(artifact: Path, tmp_path: Path) -> Iterator[LambdaFunction]:
    with LambdaFunction(artifact, "new_message_processor.app.handler", output=tmp_path / "output") as function:
        yield function


def orders(*order_ids: object) -> Event:
    return event(json.dumps({"orderId": order_id}) for order_id in order_ids)


def test_one_process_serves_good_and_mixed_batches(function: LambdaFunction) -> None:
    assert function.invoke(orders("a", "b", "c")) == ("response", failures())
    assert function.invoke(orders("a", 7, "fails", "b")) == ("response", failures("id-1", "id-2"))
    assert function.invoke(orders("a", "b", "c")) == ("response", failures())

    errors = [line for line in function.log() if line["level"] == "ERROR"]
    assert [{key: line.get(key) for key in LOGGED} for line in errors] == [
        {
            "logger": "sqs",
            "messageId": "id-1",
            "receiveCount": 1,
            "cause": "failedToParse",
            "errorType": "CannotDeserialize",
            "errorMessage": "Expected `str`, got `int` - at `$.orderId`",
        },
        {
            "logger": "sqs",
            "messageId": "id-2",
            "receiveCount": 1,
            "cause": "failedToHandle",
            "errorType": "LookupError",
            "errorMessage": "no such order",
        },
    ]
    assert not errors[0]["stackTrace"]
    assert re.search("new_message.py.*in handle", errors[1]["stackTrace"][-1])
    summaries = [line for line in function.log() if "received" in line]
    assert [(line["level"], line["message"]) for line in summaries] == [
        ("INFO", "3 of 3 messages succeeded"),
        ("INFO", "2 of 4 messages succeeded"),
        ("INFO", "3 of 3 messages succeeded"),
    ]


def test_rest_is_returned_at_the_deadline(function: LambdaFunction, request: pytest.FixtureRequest) -> None:
    asynchronous = request.node.callspec.params["artifact"] == "async def"
    batch = orders("a", "takes long", "takes long", "takes long")

    # 1.5 seconds are left to start messages: side by side all are done in one, one by one the last is not started.
    assert function.invoke(batch, seconds=2.5) == ("response", failures() if asynchronous else failures("id-3"))

    # Half a second is left: side by side they are cancelled, one by one the first ends within the reserve.
    late = ["id-1", "id-2", "id-3"] if asynchronous else ["id-2", "id-3"]
    assert function.invoke(batch, seconds=1.5) == ("response", failures(*late))
    warnings = [line["message"] for line in function.log() if line["level"] == "WARNING"]
    assert warnings[-1] == f"No time was left for {len(late)} of 4 messages"

    # The same process goes on with the next batch.
    assert function.invoke(orders("a")) == ("response", failures())


def test_exit_in_handle_fails_the_whole_batch(function: LambdaFunction) -> None:
    assert function.invoke(orders("a", "exits", "b")) == ("exit", 7)
    assert not [line for line in function.log() if "received" in line]


def test_non_sqs_event_is_an_error(function: LambdaFunction) -> None:
    without_id = orders("a", "b")
    del without_id["Records"][1]["messageId"]
    not_sqs: list[Any] = [{}, {"Records": [{"s3": {}}]}, without_id]
    for wrong in not_sqs:
        kind, payload = function.invoke(wrong)
        assert (kind, payload["errorType"]) == ("error", "NotAnSqsEvent")
    assert function.invoke(orders("a")) == ("response", failures())


@pytest.mark.parametrize("safe", ["", "1"])
def test_layer_cannot_take_the_place_of_a_package(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: str
) -> None:
    layer = tmp_path / "layer"
    for name in ("new_message_processor", "shared", "sqs"):
        (layer / name).mkdir(parents=True)
        (layer / name / "__init__.py").write_text("raise ImportError('the layer was imported')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{artifact}:{layer}")  # the order in Lambda
    monkeypatch.setenv("PYTHONSAFEPATH", safe)
    with LambdaFunction(artifact, "new_message_processor.app.handler", output=tmp_path / "output") as function:
        assert function.invoke(orders("a", 7)) == ("response", failures("id-1"))


def test_client_runs_this_python(artifact: Path) -> None:
    (binary,) = artifact.rglob("*.so")
    assert "cpython-{}{}-".format(*sys.version_info) in binary.name


# --- cold starts -------------------------------------------------------------------------------

COLD_START = """
import importlib, json, sys

compiled = []
sys.addaudithook(lambda event, details: compiled.append(details[1]) if event == "compile" else None)
folder, event = sys.argv[1:]
sys.path.insert(0, folder)
handler = importlib.import_module("new_message_processor.app").handler
assert handler(json.loads(event), None) == {"batchItemFailures": []}
print(json.dumps([compiled, list(sys.modules), handler.__call__.__code__.co_filename]))
"""


class ColdStart(NamedTuple):
    """What the first batch of a process compiled of the artifact and imported, and a path as in a traceback."""

    compiled: set[str]
    imported: set[str]
    path: str


def cold_start(artifact: Path) -> ColdStart:
    # -B keeps the bytecode from being written, as in Lambda's read-only file system.
    python = (sys.executable, "-I", "-S", "-B", "-c", COLD_START)
    done = run(*python, str(artifact), json.dumps(orders("a")), cwd=artifact.parent)
    assert done.returncode == 0, done.stdout
    compiled, imported, path = json.loads(done.stdout)
    return ColdStart({name for name in compiled if Path(name).is_relative_to(artifact)}, set(imported), path)


def test_cold_start_compiles_nothing(artifact: Path, tmp_path: Path) -> None:
    unpacked = shutil.copytree(artifact, tmp_path / "task", copy_function=shutil.copy)  # with other times
    handler, library = str(unpacked / "sqs" / "handler.py"), str(unpacked / "msgspec" / "__init__.py")
    start = cold_start(unpacked)
    assert (start.compiled, start.path) == (set(), handler)

    for folder in list(unpacked.rglob("__pycache__")):
        shutil.rmtree(folder)
    assert {handler, library} < cold_start(unpacked).compiled


def test_cold_start_imports_nothing_slow(artifact: Path, request: pytest.FixtureRequest) -> None:
    slow = {"boto3"}
    if request.node.callspec.params["artifact"] == "def":
        slow |= {"asyncio", "base64", "concurrent.futures", "dataclasses", "inspect"}  # asyncio needs the others
    assert not cold_start(artifact).imported & slow
