"""The built function under Lambda's own runtime client: responses, errors, the deadline, and the log."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.projects import Bake, Project
from tests.support.runtime_api import LambdaFunction

pytest.importorskip("awslambdaric", reason="Lambda's runtime client is for Linux")

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
HANDLE_ASYNC = HANDLE.replace("def ", "async def ").replace("time.sleep", "await asyncio.sleep")

LOGGED = ("logger", "messageId", "receiveCount", "cause", "errorType", "errorMessage")

DEFINITIONS = {"def": HANDLE, "async def": HANDLE_ASYNC}


@pytest.fixture(scope="module", params=list(DEFINITIONS))
def artifact(request: pytest.FixtureRequest, bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes of a project with a `handle` of ours."""
    baked = bake(runtime=RUNTIME, architecture=ARCHITECTURE)
    project = Project(tmp_path_factory.mktemp("lambda") / "order-events", baked.answers)
    shutil.copytree(baked.path, project.path, ignore=shutil.ignore_patterns(".*"))
    module = project.path / "lambdas" / "shared" / "new_message.py"
    source = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    module.write_text(f"import asyncio\nimport sys\nimport time\n{source}\n{DEFINITIONS[request.param]}", "utf-8")
    project.run("sam", "build")
    return project.path / ".aws-sam" / "build" / "NewMessageProcessorFunction"


@pytest.fixture
def function(artifact: Path) -> Iterator[LambdaFunction]:
    with LambdaFunction(artifact, "new_message_processor.app.handler") as function:
        yield function


def event(*order_ids: object) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"id-{place}",
                "body": json.dumps({"orderId": order_id}),
                "attributes": {"ApproximateReceiveCount": "2"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
            }
            for place, order_id in enumerate(order_ids)
        ]
    }


def failed(*ids: str) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}


def test_one_process_serves_good_and_mixed_batches(function: LambdaFunction) -> None:
    assert function.invoke(event("a", "b", "c")) == ("response", failed())
    assert function.invoke(event("a", 7, "fails", "b")) == ("response", failed("id-1", "id-2"))
    assert function.invoke(event("a", "b", "c")) == ("response", failed())

    errors = [line for line in function.log() if line["level"] == "ERROR"]
    assert [{key: line.get(key) for key in LOGGED} for line in errors] == [
        {
            "logger": "shared.sqs",
            "messageId": "id-1",
            "receiveCount": "2",
            "cause": "failedToParse",
            "errorType": "CannotDeserialize",
            "errorMessage": "Expected `str`, got `int` - at `$.orderId`",
        },
        {
            "logger": "shared.sqs",
            "messageId": "id-2",
            "receiveCount": "2",
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


def test_at_the_deadline_the_rest_is_returned(function: LambdaFunction, request: pytest.FixtureRequest) -> None:
    asynchronous = request.node.callspec.params["artifact"] == "async def"
    batch = event("a", "takes long", "takes long", "takes long")

    # 1.5 seconds are left to start messages: side by side all are done in one, one by one the last is not started.
    assert function.invoke(batch, seconds=2.5) == ("response", failed() if asynchronous else failed("id-3"))

    # Half a second is left: side by side they are cancelled, one by one the first ends within the reserve.
    late = ["id-1", "id-2", "id-3"] if asynchronous else ["id-2", "id-3"]
    assert function.invoke(batch, seconds=1.5) == ("response", failed(*late))
    warnings = [line["message"] for line in function.log() if line["level"] == "WARNING"]
    assert warnings[-1] == f"No time was left for {len(late)} of 4 messages"

    # The same process goes on with the next batch.
    assert function.invoke(event("a")) == ("response", failed())


def test_what_exits_fails_the_whole_batch(function: LambdaFunction) -> None:
    assert function.invoke(event("a", "exits", "b")) == ("exit", 7)
    assert not [line for line in function.log() if "received" in line]


def test_what_is_no_sqs_event_is_an_error(function: LambdaFunction) -> None:
    without_id = event("a", "b")
    del without_id["Records"][1]["messageId"]
    not_sqs: list[Any] = [{}, {"Records": [{"s3": {}}]}, without_id]
    for wrong in not_sqs:
        kind, payload = function.invoke(wrong)
        assert (kind, payload["errorType"]) == ("error", "NotAnSqsEvent")
    assert function.invoke(event("a")) == ("response", failed())


def test_the_client_runs_this_python(artifact: Path) -> None:
    (binary,) = artifact.rglob("*.so")
    assert "cpython-{}{}-".format(*sys.version_info) in binary.name
