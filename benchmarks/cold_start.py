"""Cold starts: from the start of a process with Lambda's runtime client to its first response.

The contenders take turns. As in Lambda, the runtime client has bytecode, and no process writes any.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

from tests.support.runtime_api import LambdaFunction

TURNS = 20

TARGETS = {"msgspec alone": "0.57 x or more", "Powertools": "6 x or more"}

FLOOR = """
def handler(event, context):
    return {"batchItemFailures": []}
"""


class Function(NamedTuple):
    artifact: Path
    handler: str


def cold_starts(
    ours: Function, theirs: Function, runtime: Path, batch: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yield a row of the benchmark for each contender: how much longer it takes than an empty handler.

    ours: with bytecode. theirs: without. batch: one that succeeds.
    """
    compile_in(runtime)
    with TemporaryDirectory() as folder:
        floor, library, source, compiled = (Path(folder, str(number)) for number in range(4))
        floor.mkdir()
        Path(floor, "app.py").write_text(FLOOR, "utf-8")
        shutil.copytree(ours.artifact / "msgspec", library / "msgspec")
        Path(library, "app.py").write_text(f"import msgspec\n{FLOOR}", "utf-8")
        shutil.copytree(ours.artifact, source, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(theirs.artifact, compiled)
        for each in (floor, library, compiled):
            compile_in(each)
        contenders = {
            "an empty handler": Function(floor, "app.handler"),
            "msgspec alone": Function(library, "app.handler"),
            "this template": ours,
            "this template, without bytecode": Function(source, ours.handler),
            "Powertools": theirs,
            "Powertools, with bytecode": Function(compiled, theirs.handler),
        }
        turns = [[first_response(each, runtime, batch) for each in contenders.values()] for _ in range(TURNS + 1)]
    del turns[0]  # it has read the files from the disk
    floors, *others = zip(*turns, strict=True)
    yield "cold start, an empty handler", f"{1000 * median(floors):.1f} ms", ""
    above = [median(time - least for time, least in zip(times, floors, strict=True)) for times in others]
    longer = dict(zip(list(contenders)[1:], above, strict=True))
    for name, seconds in longer.items():
        figure = f"{1000 * seconds:.1f} ms more, {seconds / longer['this template']:.2f} x this template's"
        yield f"cold start, {name}", figure, TARGETS.get(name, "")


def first_response(function: Function, runtime: Path, batch: dict[str, Any]) -> float:
    """Return the seconds that a process takes from its start to its first response."""
    with LambdaFunction(
        *function,
        output=Path(os.devnull),
        options=["-S", "-B"],  # leave out what is installed here, and write no bytecode
        PYTHONPATH=f"{function.artifact}:{runtime}",
        PYTHONPYCACHEPREFIX="",
    ) as process:
        outcome = process.invoke(batch)
        took = perf_counter() - process.started
    assert outcome == ("response", {"batchItemFailures": []}), outcome
    return took


def compile_in(folder: Path) -> None:
    """Compile the modules in a folder, as `make build` does."""
    command = [sys.executable, "-Im", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True)
