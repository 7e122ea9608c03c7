"""The simulation beside the local stack: the same arrivals, and a handler that sleeps.

What the local stack itself takes for a batch is measured first, with one poller and a handler that does nothing, and is
the overhead of the simulation. The growth of the pollers is compared with the published numbers.
"""

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqskit.aws import Aws, EmbeddedAws
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch, Poller

from benchmarks.simulation.coarse import Coarse
from benchmarks.simulation.settings import Backoff, Settings

PROJECT = Path(__file__).parents[2] / "examples" / "order-events"
SENDING = 15  # seconds
TICK = 0.05
MOST_DIFFERENCE = 0.2
MOST = 0.98  # of the messages

FUNCTION = """
import random, sys, time
sys.path.append({lambdas!r})
from sqs import Backoff, batch_handler

def handle(number: int) -> None:
    time.sleep({seconds})
    if random.random() < {failure}:
        raise RuntimeError("it failed")

handler = batch_handler(int, handle, backoff=Backoff(first=2, factor=1))
"""

CASES = [
    Settings(rate=5, seconds=0.05, maximum_concurrency=2),
    Settings(rate=20, seconds=0.2, maximum_concurrency=2),
    Settings(rate=40, seconds=0.1, maximum_concurrency=3),
    Settings(rate=30, seconds=0.1, maximum_concurrency=2, batch_size=1),
    Settings(rate=20, seconds=0.05, maximum_concurrency=2, failure=0.2),
]

# By minute, what AWS's documentation says of a standard queue: five batches, up to 300 more per minute, up to 1,250;
# and of provisioned mode with at least two pollers of ten batches each, up to 1,000 more per minute.
PUBLISHED = {None: [5, 305, 605, 905, 1205, 1250], (2, 2000): [20, 1020, 2020, 3020, 4020, 5020]}


@dataclass
class Seen:
    """What happened while messages were sent, and after."""

    done: float  # per second, while messages were sent
    seconds: float  # from the first message until 98 % are done; the last ones fail again and again by chance


def check() -> bool:
    """Print both, and tell whether they agree."""
    agree = True
    print("| pollers | minute | published | simulated |\n|---|---|---|---|")
    for pollers, published in PUBLISHED.items():
        for minute, (expected, simulated) in enumerate(zip(published, growth(pollers), strict=True)):
            print(f"| {'provisioned' if pollers else 'default'} | {minute} | {expected:,} | {simulated:,.0f} |")
            agree &= abs(simulated - expected) <= MOST_DIFFERENCE * expected
    print("\n| arrive per s | each takes | batch size | places | failing | handled per s | simulated |"
          " 98 % done after | simulated |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    with EmbeddedAws() as aws:
        mapping = aws.deploy(PROJECT / "template.yaml")[0]
        for case in CASES:
            alone = replace(case, seconds=0, failure=0, rate=0, backlog=100, maximum_concurrency=1)
            overhead = measure(aws, mapping, alone).seconds * case.batch_size / alone.backlog
            settings = replace(case, overhead=overhead, backoff=Backoff(2, 1))
            seen, model = measure(aws, mapping, settings), simulate(settings)
            print(f"| {case.rate} | {1000 * case.seconds:.0f} ms | {case.batch_size} | {case.maximum_concurrency} |"
                  f" {case.failure:.0%} | {seen.done:.1f} | {model.done:.1f} | {seen.seconds:.1f} s |"
                  f" {model.seconds:.1f} s |", flush=True)  # fmt: skip
            for one, other in ((seen.done, model.done), (seen.seconds, model.seconds)):
                agree &= abs(one - other) <= MOST_DIFFERENCE * one
    return agree


def growth(pollers: tuple[int, int] | None) -> list[float]:
    """Return how many batches may run at the same time after each of the first minutes with a backlog."""
    run = Coarse(
        Settings(
            backlog=10**9, seconds=1, maximum_concurrency=None, pollers=pollers, account_concurrency=20_000, timeout=20
        )
    )
    found = [run.concurrency]
    for _ in range(5):
        found.append(run.run(60).concurrency)
    return found


def simulate(settings: Settings) -> Seen:
    run = Coarse(settings, TICK).run(SENDING)
    done = run.totals.done / SENDING
    run.settings = replace(settings, rate=0)
    while run.totals.done < MOST * run.totals.sent:
        run.step()
    return Seen(done, run.now)


def measure(aws: Aws, mapping: EventSourceMapping, settings: Settings) -> Seen:
    """Let pollers of the local stack handle the messages of these settings."""
    batches: list[tuple[float, int]] = []  # when each ended, and how many messages it has done
    sqs: Any = aws.client("sqs")

    def note(batch: Batch) -> None:
        batches.append((time.monotonic(), len(batch.records) - len(batch.failed)))

    with TemporaryDirectory() as folder:
        code = FUNCTION.format(lambdas=str(PROJECT / "lambdas"), seconds=settings.seconds, failure=settings.failure)
        (Path(folder) / "app.py").write_text(code, "utf-8")
        function = replace(mapping.function, folder=Path(folder), handler="app.handler")
        mapping = replace(mapping, function=function, batch_size=settings.batch_size, window=0)
        pollers = [Poller(aws, mapping, note) for _ in range(settings.maximum_concurrency or 1)]
        for poller in pollers:
            poller.prepare()
        if settings.backlog:
            send(sqs, mapping.queue.url, settings.backlog)
        begin, sent = time.monotonic(), settings.backlog
        for poller in pollers:
            poller.start()
        for step in range(1, SENDING * 5 + 1) if settings.rate else ():
            number = round(settings.rate * step / 5) - (sent - settings.backlog)
            send(sqs, mapping.queue.url, number)
            sent += number
            time.sleep(max(0, begin + step / 5 - time.monotonic()))
        until = begin + SENDING
        while sum(done for _, done in batches) < sent:
            time.sleep(0.02)
        # None may still receive when the next ones begin: what it received would stay hidden.
        ends = [threading.Thread(target=poller.stop) for poller in pollers]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
    in_time = sum(done for when, done in batches if when < until)
    done = 0
    for when, number in sorted(batches):
        done += number
        if done >= MOST * sent:
            return Seen(in_time / SENDING, when - begin)
    raise AssertionError("messages are not done")


def send(sqs: Any, url: str, number: int) -> None:
    for start in range(0, number, 10):
        entries = [{"Id": str(place), "MessageBody": "1"} for place in range(min(10, number - start))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
