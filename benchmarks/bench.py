"""Measure the generated project beside Powertools, and print a table of ratios.

Both sides process the same events in the same run and take turns. Each figure is the median of the ratios of all turns.
`make bench` installs the peer and runs this.
"""

import asyncio
import importlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.cold_start import Function, cold_starts
from benchmarks.slow_cpu import first_failures
from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support import records

HERE = Path(__file__).parent
ROOT = HERE.parent
LAMBDAS = ROOT / "{{cookiecutter.project_slug}}" / "lambdas"
INSTALLED = Path(sys.prefix) / "bench"  # by `make bench`: the peers, and Lambda's runtime client alone
ANSWERS = {
    "project_name": "Orders",
    "message_name": "Order",
    "message_fields": "orderId: str, quantity: int, amount: Decimal, placedAt: datetime, tags: list[str]",
    "runtime": RUNTIME,
    "architecture": ARCHITECTURE,
}
SIZES = (10, 100, 1_000, 10_000)
SECONDS_PER_TURN = 0.02

Processor = Callable[[dict[str, Any], Any], Any]


def main() -> None:
    if sys.platform != "linux":
        sys.exit("The benchmark needs Linux: it runs what Lambda runs.")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["UV_PYTHON"] = sys.executable  # for `make build`
    sys.path.insert(0, str(INSTALLED / "peers"))
    with TemporaryDirectory() as folder:
        ours, theirs = generated_project(Path(folder)), peer_project(Path(folder))
        rows = [*owned(ours), *fates(theirs), *speed(ours, theirs), *order(), *built(ours, theirs)]
        rows += [*first_failures(ours, "order"), *once_each()]
    print(f"\n{RUNTIME} on {platform.system()} {ARCHITECTURE}; Powertools is {peer_version()}\n")
    print("| | this template | target |\n|---|---|---|")
    for name, figure, target in rows:
        print(f"| {name} | {figure} | {target} |")


# --- what is compared --------------------------------------------------------------------------


def generated_project(folder: Path, **more: str) -> Path:
    """Generate a project whose handler does nothing."""
    answers = [f"{name}={answer}" for name, answer in (ANSWERS | more).items()]
    run("cookiecutter", str(ROOT), "--no-input", "--default-config", *answers, cwd=folder)
    module = folder / "Orders" / "lambdas" / "shared" / "order.py"
    source, _, _ = module.read_text("utf-8").partition("def handle(")
    module.write_text(f"{source}def handle(message: Order) -> None:\n    pass\n", "utf-8")
    return folder / "Orders"


def peer_project(folder: Path) -> Path:
    """Make the same with Powertools and Pydantic, for the same runtime and architecture."""
    project = folder / "powertools"
    shutil.copytree(HERE / "powertools", project)
    template = project / "template.yaml"
    text = template.read_text("utf-8").replace("RUNTIME", RUNTIME).replace("ARCHITECTURE", ARCHITECTURE)
    template.write_text(text, "utf-8")
    return project


def peer_version() -> str:
    requirements = (HERE / "powertools" / "lambdas" / "requirements.txt").read_text("utf-8")
    return next(line.partition("==")[2] for line in requirements.splitlines() if line.startswith("aws-lambda-power"))


def bare_loop(decoder: msgspec.json.Decoder[Any], handle: Callable[[Any], None]) -> Processor:
    """Make the floor: decode and handle each body, note which failed; no checks, order, deadline or log."""

    def process(event: dict[str, Any], context: Any) -> Any:
        failed = []
        decode = decoder.decode
        for record in event["Records"]:
            try:
                handle(decode(record["body"]))
            except Exception:
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}

    return process


def orders(size: int) -> dict[str, Any]:
    """Return a batch as SQS sends it, with every tenth message broken."""
    return records.event(
        json.dumps(
            {
                "orderId": f"order-{place}",
                "quantity": "three" if place % 10 == 3 else 3,
                "amount": "12.50",
                "placedAt": "2026-01-31T12:00:00Z",
                "tags": ["new", "gift"],
            }
        )
        for place in range(size)
    )


def context() -> Any:
    """Return Lambda's own context object, with 15 minutes left."""
    from awslambdaric.lambda_context import LambdaContext

    return LambdaContext("8476a536-e9f4-11e8-9739-2dfe598c3fcd", None, None, round(1000 * (time.time() + 900)))


# --- what is owned, and what becomes of messages -------------------------------------------------


def owned(ours: Path) -> Iterator[tuple[str, str, str]]:
    """Count the files that are the owner's, and not the same in every project."""
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]
    own = [path for path in files if path.parts[0] != "tools" and path.parts[:2] != ("lambdas", "sqs")]
    lines = sum((ours / path).read_text("utf-8").count("\n") for path in own)
    yield "files and lines of the owner's", f"{len(own)} files, {lines:,} lines", ""


def fates(theirs: Path) -> list[tuple[str, str, str]]:
    path = os.pathsep.join(map(str, [LAMBDAS, INSTALLED / "peers", theirs / "lambdas"]))
    output = run("env", f"PYTHONPATH={path}", sys.executable, "-m", "benchmarks.fates", cwd=ROOT)
    rows: list[tuple[str, str, str]] = json.loads(output)
    return rows


# --- speed -------------------------------------------------------------------------------------


def speed(ours: Path, theirs: Path) -> Iterator[tuple[str, str, str]]:
    sys.path[:0] = [str(ours / "lambdas"), str(theirs / "lambdas")]
    module, sqs = importlib.import_module("shared.order"), importlib.import_module("sqs")
    template: Processor = importlib.import_module("order_processor.app").handler
    powertools: Processor = importlib.import_module("app").handler
    floor = bare_loop(msgspec.json.Decoder(module.Order), module.handle)

    with logging_off():
        assert floor(orders(100), context()) == template(orders(100), context()) == powertools(orders(100), context())
        for size in (10, 10_000):
            took = take_turns([template, powertools, floor], orders(size))
            yield f"Powertools, a message in a batch of {size:,}", f"{ratio(took[1], took[0]):.1f} x faster", "8 x"
            yield f"bare loop, a message in a batch of {size:,}", f"{ratio(took[0], took[2]):.2f} x as long", "1.25 x"
    with logging_to_nowhere():
        for size in (10, 10_000):
            took = take_turns([template, powertools], orders(size))
            yield f"Powertools, logs written, batch of {size:,}", f"{ratio(took[1], took[0]):.1f} x faster", ""
    with logging_off():
        for name, processor in (("", template), (", bare loop", floor)):
            yield f"growth from 10 to 10,000 messages{name}", f"{growth(processor):.2f} x", "1.3 x"

        async def wait(_: object) -> None:
            await asyncio.sleep(seconds)

        asynchronous = importlib.import_module("app_async")
        seconds = asynchronous.SECONDS
        contenders = [sqs.batch_handler(module.Order, wait), asynchronous.handler]
        took = take_turns(contenders, orders(10), turns=20)
        for name, times in zip(("async", "async, Powertools"), took, strict=True):
            yield f"{name}, 10 messages that wait 50 ms", f"{median(times) / seconds:.2f} x one wait", "1.3 x"


def order() -> Iterator[tuple[str, str, str]]:
    """Count what is retried of a FIFO message group whose second message fails and whose third is broken."""
    sqs, module = importlib.import_module("sqs"), importlib.import_module("shared.order")
    batches = importlib.import_module("aws_lambda_powertools.utilities.batch")
    batch = orders(4)  # the last of which is broken
    del batch["Records"][2]
    for place, record in enumerate(batch["Records"]):
        record["eventSourceARN"] += ".fifo"
        record["attributes"] |= {"MessageGroupId": "a", "MessageDeduplicationId": "x", "SequenceNumber": str(place)}

    def handle(order: Any) -> None:
        if order.order_id == "order-1":
            raise ValueError(order.order_id)

    powertools = batches.SqsFifoPartialProcessor(model=importlib.import_module("app").OrderRecord)
    with logging_off():
        failed = sqs.batch_handler(module.Order, handle)(batch, context())["batchItemFailures"]
        try:
            batches.process_partial_response(batch, lambda record: handle(record.body), powertools, context())
            theirs = "the same"
        except Exception as error:
            theirs = f"all, by a {type(error).__name__}"
    yield "FIFO, one fails and a broken one follows: retried are", f"{len(failed)} of 3; with Powertools {theirs}", ""


def growth(process: Processor) -> float:
    """Return how much longer a message takes in the slowest size of batch than in the fastest."""
    batches = [orders(size) for size in SIZES]
    turns = [[once(process, batch) / size for batch, size in zip(batches, SIZES, strict=True)] for _ in range(40)]
    return median(max(turn) / min(turn) for turn in turns)


def take_turns(contenders: list[Processor], batch: dict[str, Any], turns: int = 40) -> list[list[float]]:
    """Return the seconds a batch takes each contender, once a turn."""
    took = [[once(contender, batch) for contender in contenders] for _ in range(turns)]
    return [list(times) for times in zip(*took, strict=True)]


def once(process: Processor, batch: dict[str, Any]) -> float:
    """Return the seconds a batch takes, on average over a turn."""
    lambda_context = context()
    begin, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - begin) < SECONDS_PER_TURN or not calls:
        process(batch, lambda_context)
        calls += 1
    return passed / calls


def ratio(times: list[float], others: list[float]) -> float:
    return median(time / other for time, other in zip(times, others, strict=True))


@contextmanager
def logging_off() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def logging_to_nowhere() -> Iterator[None]:
    """Write Lambda's JSON lines at level INFO to a stream that forgets them."""
    from awslambdaric.lambda_runtime_log_utils import JsonFormatter

    root = logging.getLogger()
    with open(os.devnull, "w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(JsonFormatter())
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        yield
        root.removeHandler(handler)


def once_each() -> list[tuple[str, str, str]]:
    """Return the rows about handling each message once, which need the modules of another project."""
    rows: list[tuple[str, str, str]] = json.loads(run(sys.executable, "-m", "benchmarks.idempotency", cwd=ROOT))
    return rows


# --- what is built -----------------------------------------------------------------------------


def built(ours: Path, theirs: Path) -> Iterator[tuple[str, str, str]]:
    run("make", "build", cwd=ours)
    run("sam", "build", "--beta-features", cwd=theirs)
    artifacts = [project / ".aws-sam" / "build" / "OrderProcessorFunction" for project in (ours, theirs)]
    function, peer = Function(artifacts[0], "order_processor.app.handler"), Function(artifacts[1], "app.handler")
    yield from cold_starts(function, peer, INSTALLED / "runtime", orders(3))
    sizes = [sum(file.stat().st_size for file in each.rglob("*") if file.is_file()) / 1e6 for each in artifacts]
    yield "built artifact", f"{sizes[0]:.2f} MB; with Powertools {sizes[1]:.1f} MB", "1 MB"


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{command[0]} ended with exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
