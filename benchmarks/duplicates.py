"""Send many messages twice to a project's local stack, and kill its workers now and then.

Each number must be handled, and once only, unless a worker was killed between the end of `handle` and the moment at
which its key was remembered. `duplicates.py PROJECT [MESSAGES]` prints the counts, and exits with 1 otherwise. The
project needs an idempotency_key.
"""

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqskit.aws import Aws, EmbeddedAws
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch, Poller

from benchmarks.load import MOST_IN_QUEUE, depth, kill, with_short_timeout

project = Path(sys.argv[1]).resolve()
MESSAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
DUPLICATES = MESSAGES // 5
WORKERS = 5
BATCHES_FOR_A_KILL = 10

FUNCTION = f"""
import os, sys, time
sys.path.append({str(project / "lambdas")!r})
from sqs import Backoff, batch_handler
from sqs.idempotency import Once

def note(what, number):
    with open(what, "a") as notes:
        notes.write(f"{{number}} {{os.getpid()}}\\n")

def handle(number: int) -> None:
    note("begun", number)
    time.sleep(0.02)
    note("ended", number)

handler = batch_handler(int, Once(handle, key=lambda number: number), backoff=Backoff(first=1, factor=1))
"""


def main() -> None:
    batches: list[Batch] = []
    killed: list[int] = []
    begin = time.monotonic()
    with TemporaryDirectory() as folder, EmbeddedAws() as aws:
        (Path(folder) / "app.py").write_text(FUNCTION, "utf-8")
        mapping = with_short_timeout(aws, aws.deploy(project / "template.yaml")[0], Path(folder))
        pollers = [Poller(aws, mapping, batches.append) for _ in range(WORKERS)]
        for poller in pollers:
            poller.start()
        sender = threading.Thread(target=send, args=(aws, mapping))
        sender.start()
        while sender.is_alive() or depth(aws, mapping.queue.url):
            time.sleep(0.1 * random.random())
            worker = random.choice(pollers).worker
            if len(batches) > BATCHES_FOR_A_KILL * (len(killed) + 1) and worker.process and kill(worker):
                killed.append(worker.process.pid)
        for poller in pollers:
            poller.stop()
        begun, ended = (noted(Path(folder) / name) for name in ("begun", "ended"))
        dead = depth(aws, str(mapping.queue.dead_letter_url))
    took = time.monotonic() - begin

    print(f"{MESSAGES:,} messages, {DUPLICATES:,} of them duplicates: {took:.0f} s, {len(batches):,} batches")
    print(f"{len(killed)} processes were killed")
    lines = [line for batch in batches for line in batch.invocation.log if "duplicates" in line]
    print(f"{sum(line['duplicates'] for line in lines):,} duplicates were done without a call of handle")
    print(f"{sum(line['inProgress'] for line in lines):,} times, one waited for another with its key")
    interrupted = sum(len(begun[number]) > len(ended[number]) for number in begun)
    print(f"{interrupted} keys had a call of handle that was killed inside it")
    again = {number: pids for number, pids in ended.items() if len(pids) > 1}
    explained = [number for number, pids in again.items() if all(pid in killed for pid in pids[:-1])]
    print(f"{len(again)} keys were handled again, {len(explained)} of them by a kill just after handle")
    lost = MESSAGES - DUPLICATES - len(ended)
    print(f"{lost} keys were not handled; {dead} dead letters")
    if lost or dead or len(explained) < len(again):
        sys.exit("error: a key was not handled once")


def noted(path: Path) -> dict[int, list[int]]:
    """Return the processes that noted each number."""
    found = defaultdict[int, list[int]](list)
    for line in path.read_text("utf-8").splitlines():
        number, pid = line.split()
        found[int(number)].append(int(pid))
    return found


def send(aws: Aws, mapping: EventSourceMapping) -> None:
    """Send each number, and some of them once more: at once, or any time later."""
    keys = MESSAGES - DUPLICATES
    places = [(float(number), number) for number in range(keys)]
    for number in random.sample(range(keys), DUPLICATES):
        places.append((number + random.choice([0.5, 5, 50, random.random() * keys]), number))
    numbers = [number for _, number in sorted(places)]
    assert Counter(numbers).total() == MESSAGES
    sqs: Any = aws.client("sqs")
    for start in range(0, MESSAGES, 10):
        while depth(aws, mapping.queue.url) > MOST_IN_QUEUE:
            time.sleep(0.02)
        ten = enumerate(numbers[start : start + 10])
        entries = [{"Id": str(place), "MessageBody": str(number)} for place, number in ten]
        sqs.send_message_batch(QueueUrl=mapping.queue.url, Entries=entries)


if __name__ == "__main__":
    main()
