"""How fast the local stack starts, and how many messages it handles per second at several depths of its queue.

python -m benchmarks.local             of this tree
python -m benchmarks.local REVISION    beside that of a git revision, one after the other
"""

import io
import re
import subprocess
import sys
import tarfile
import threading
import time
import venv
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sqskit.aws import EmbeddedAws
from sqskit.poller import POLLERS, Batch, Poller

ROOT = Path(__file__).parents[1]
SOURCE = "{{cookiecutter.project_slug}}/tools/sqskit/src"
PROJECT = ROOT / "examples" / "order-events"
DEPTHS = (10, 100, 1_000)
STARTS = 3
WARM_UP, SECONDS = 2.0, 6.0

FUNCTION = f"""
import sys
sys.path.append({str(PROJECT / "lambdas")!r})
from sqs import batch_handler

def handle(number: int) -> None:
    pass

handler = batch_handler(int, handle)
"""


def rate(depth: int) -> float:
    """Return how many messages per second are done while this many are in the queue or being processed."""
    ends: list[tuple[float, int]] = []

    def note(batch: Batch) -> None:
        ends.append((time.monotonic(), len(batch.records)))

    with TemporaryDirectory() as folder, EmbeddedAws() as aws:
        (Path(folder) / "app.py").write_text(FUNCTION, "utf-8")
        mapping = aws.deploy(PROJECT / "template.yaml")[0]
        mapping = replace(mapping, function=replace(mapping.function, folder=Path(folder), handler="app.handler"))
        sqs: Any = aws.client("sqs")
        entries = [{"Id": str(number), "MessageBody": "1"} for number in range(10)]
        sent = 0
        pollers = [Poller(aws, mapping, note) for _ in range(POLLERS)]
        for poller in pollers:
            poller.prepare()
        begin = None
        while begin is None or time.monotonic() < begin + WARM_UP + SECONDS:
            if sent - sum(number for _, number in ends) < depth:
                sqs.send_message_batch(QueueUrl=mapping.queue.url, Entries=entries)
                sent += len(entries)
            elif begin is None:
                begin = time.monotonic()
                for poller in pollers:
                    poller.start()
            else:
                time.sleep(0.002)
        errors = [poller.error for poller in pollers if poller.error]
        stops = [threading.Thread(target=poller.stop) for poller in pollers]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
    if errors:
        raise errors[0]
    return sum(number for when, number in ends if 0 <= when - begin - WARM_UP < SECONDS) / SECONDS


def start(python: str) -> float:
    """Return how many seconds `sqskit local` takes until it accepts messages."""
    begin = time.monotonic()
    command = [python, "-m", "sqskit", "local", "--plain"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout
        for line in process.stdout:
            if re.match(r"  AWS_ACCESS_KEY_ID=", line):
                break
        else:
            sys.exit("error: the local stack has not started")
        took = time.monotonic() - begin
        process.terminate()
        process.communicate()
    return took


def environment_of(source: Path, folder: Path) -> str:
    """Return the Python of a new environment with this source of sqskit, and the libraries of this one.

    PYTHONPATH would not do, because sqskit hides it from the process of moto.
    """
    venv.create(folder)
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join([str(source), *libraries]), "utf-8")
    return str(next(folder.glob("[bS][ic][nr]*/python*")))


def exported(revision: str, folder: Path) -> Path:
    """Return the source of sqskit in a git revision."""
    find = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    commit = subprocess.run(find, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()
    if not commit:
        sys.exit(f"error: {revision} is not a git revision")
    command = ["git", "archive", commit, SOURCE]
    archive = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder / SOURCE


def main() -> None:
    match sys.argv[1:]:
        case ["--depth", depth]:
            print(rate(int(depth)))
        case [] | [_]:
            compare(*sys.argv[1:])
        case _:
            sys.exit(__doc__)


def compare(*revisions: str) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = [*(exported(revision, folder / "old") for revision in revisions), ROOT / SOURCE]
        pythons = [environment_of(source, folder / f"venv{place}") for place, source in enumerate(sources)]
        cells = [*revisions, "this tree", *("ratio" for _ in revisions)]
        print(f"| | {' | '.join(cells)} |\n|---|{'---|' * len(cells)}")
        for python in pythons:
            start(python)  # the first one writes bytecode
        seconds = [[start(python) for python in pythons] for _ in range(STARTS)]
        show("start, in seconds", [median(column) for column in zip(*seconds, strict=True)], ".1f")
        for depth in DEPTHS:
            show(f"messages/s at depth {depth:,}", [measured(python, depth) for python in pythons], ".0f")


def measured(python: str, depth: int) -> float:
    command = [python, str(Path(__file__)), "--depth", str(depth)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def show(what: str, values: list[float], style: str) -> None:
    """Print a row, with the ratio of the last value to the first one if there are two."""
    ratio = [f"{values[-1] / values[0]:.2f}" if values[0] else "–"] if len(values) > 1 else []  # noqa: RUF001
    print(f"| {what} | {' | '.join([*(format(value, style) for value in values), *ratio])} |", flush=True)


if __name__ == "__main__":
    main()
