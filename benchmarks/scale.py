"""How far the stack goes: a simulation of queue, pollers, batches, timeouts and retries.

python -m benchmarks.scale           the tables of docs/scale.md
python -m benchmarks.scale --all     each arrival rate with each time per message and each batch size
python -m benchmarks.scale --plot    draws docs/scale.svg
python -m benchmarks.scale --check   compares the simulation with the local stack, which takes three minutes
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from benchmarks.simulation.coarse import Coarse, drain
from benchmarks.simulation.settings import Settings, capacity, changes
from benchmarks.simulation.storm import RATES as STORM_RATES
from benchmarks.simulation.storm import WAYS, storm

RATES = (1, 10, 100, 1_000, 10_000, 100_000)
SECONDS = (0.01, 0.1, 1.0)
BATCH_SIZES = (1, 10, 100, 1_000)
MILLION = 1_000_000
NONE = "–"  # noqa: RUF001

# List prices of us-east-1 in US dollars; docs/scale.md says where they were read.
REQUEST_TO_SQS = {False: 0.40 / MILLION, True: 0.50 / MILLION}  # by whether the queue is FIFO
INVOCATION = 0.20 / MILLION
GIGABYTE_SECOND = 0.0000133334  # on arm64
GIGABYTES = 0.25  # the template's MemorySize


def settings_of(rate: float, seconds: float, batch_size: int) -> Settings:
    """Return the template's settings for an answer to `batch_size`."""
    timeout = max(10.0, 0.03 * batch_size)
    return Settings(rate=rate, seconds=seconds, batch_size=batch_size, timeout=timeout, window=float(batch_size > 10))


def cost(run: Coarse) -> float:
    """Return the dollars for a million messages that are handled. They are sent in batches of ten."""
    totals = run.totals
    requests = totals.done / 10 + totals.receives + totals.empty_receives + totals.deletes + totals.waits / 10
    dollars = (
        requests * REQUEST_TO_SQS[run.settings.fifo]
        + totals.batches * INVOCATION
        + totals.function_seconds * GIGABYTES * GIGABYTE_SECOND
    )
    return dollars / totals.done * MILLION


@cache
def hour(rate: float, seconds: float, batch_size: int) -> Coarse:
    return Coarse(settings_of(rate, seconds, batch_size)).run(3600)


@cache
def drained(seconds: float, batch_size: int) -> Coarse:
    """Run with a million messages in the queue, and none that arrive."""
    return drain(replace(settings_of(0, seconds, batch_size), backlog=MILLION))


def rows(rates: Sequence[int], batch_sizes: Sequence[int]) -> Iterable[list[str]]:
    """Yield a row for each arrival rate, time per message and batch size."""
    for rate in rates:
        for seconds in SECONDS:
            for batch_size in batch_sizes:
                run = hour(rate, seconds, batch_size)
                names = ", ".join(name for name, _ in changes(run.settings)) or NONE
                yield [
                    f"{rate:,}",
                    time(seconds),
                    f"{batch_size:,}",
                    number(run.totals.done / 3600),
                    number(run.backlog),
                    number(run.totals.dead),
                    time(drained(seconds, batch_size).now),
                    f"{cost(run):.2f}",
                    names,
                ]


def batch_rows() -> Iterable[list[str]]:
    for batch_size in (1, 100, 1_000):
        for seconds in SECONDS:
            run = drained(seconds, batch_size)
            most = number(capacity(run.settings))
            untried = max(0, run.settings.largest_batch - run.settings.most_in_time)
            yield [
                f"{batch_size:,}",
                time(seconds),
                most,
                f"{untried:,}" if untried else NONE,
                time(run.now),
                number(run.totals.dead),
                f"{cost(run):.2f}",
            ]


def fifo_rows() -> Iterable[list[str]]:
    """Yield what a FIFO queue handles of 10,000 messages per second, at the end of half an hour."""
    for groups in (1, 10, 100, 1_000):
        cells = []
        for high_throughput in (False, True):
            settings = Settings(rate=10_000, groups=groups, high_throughput=high_throughput, maximum_concurrency=1_000)
            run = Coarse(settings).run(1740)
            done = run.totals.done
            cells.append(number((run.run(60).totals.done - done) / 60))
        yield [f"{groups:,}", *cells]


def storm_rows() -> Iterable[list[str]]:
    for rate in STORM_RATES:
        for way, backoff in WAYS.items():
            seen = storm(rate, backoff)
            yield [
                f"{rate:,}",
                way,
                number(seen.calls),
                number(seen.most_calls),
                number(seen.dead),
                number(seen.most_in_flight),
                number(seen.most_waiting),
                time(seen.over_after) if seen.over_after is not None else NONE,
            ]


RATES_TABLE = ["arrive per s", "each takes", "batch size", "handled per s", "backlog after 1 h", "dead letters",
               "a million drains in", "$ per million", "what has to change, first things first"]  # fmt: skip
BATCH_TABLE = ["batch size", "each takes", "handled per s at most", "out of time in a batch", "a million drains in",
               "dead letters", "$ per million"]  # fmt: skip
FIFO_TABLE = ["message groups", "handled per s", "with high throughput, as in the template"]
STORM_TABLE = ["arrive per s", "retry after", "calls in the outage", "most calls per s", "dead letters",
               "most in flight", "most not done", "over after"]  # fmt: skip


def table(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    cells = [heading, ["---"] * len(heading), *lines]
    return "".join(f"|{'|'.join(f' {cell} ' for cell in line)}|\n" for line in cells).replace(" --- ", "---")


def tables() -> list[str]:
    """Return the tables of docs/scale.md."""
    return [
        table(RATES_TABLE, rows([1, 100, 1_000, 10_000, 100_000], [10])),
        table(BATCH_TABLE, batch_rows()),
        table(FIFO_TABLE, fifo_rows()),
        table(STORM_TABLE, storm_rows()),
    ]


def number(value: float) -> str:
    """Write a number with two or three digits, as in 1.2, 340, 12,000 and 3.4 M."""
    if value >= 999_500:
        return f"{value / MILLION:.1f} M" if value < 99.95 * MILLION else f"{value / MILLION:,.0f} M"
    if value >= 999.5:
        return f"{round(value, -1 if value < 9995 else -2):,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value < 99.95 else f"{value:.0f}"


def time(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    for unit, length in (("s", 1), ("min", 60), ("h", 3600)):
        if seconds < 100 * length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds / 86_400:.1f} days"


def main() -> None:
    match sys.argv[1:]:
        case []:
            print("\n".join(tables()), end="")
        case ["--all"]:
            print(table(RATES_TABLE, rows(RATES, BATCH_SIZES)), end="")
        case ["--plot"]:
            from benchmarks.simulation.plot import PICTURE, picture

            PICTURE.write_text(picture(), "utf-8", newline="\n")
            print(f"docs/{PICTURE.name} written")
        case ["--check"]:
            from benchmarks.simulation.local import check

            sys.exit(0 if check() else "error: the simulation and the local stack differ by more than 20 %")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
