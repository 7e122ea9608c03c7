"""Put a project's local stack under load: messages of every kind, and workers that are killed.

Prints a table of what became of the messages. Every good one must be done at least once and none may be lost or become
a dead letter; every other one must become a dead letter. `load.py PROJECT [MESSAGES]` exits with 1
otherwise.
"""

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqskit.aws import Aws, EmbeddedAws
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch, Poller
from sqskit.worker import Worker

project = Path(sys.argv[1]).resolve()
MESSAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000

# Of a hundred messages, five cannot be parsed, one is rejected, and one ends the process.
BROKEN, REJECTED, KILLERS = range(5), {5}, {6}
KINDS = ["good", "broken", "rejected", "killer"]
STEP = 37  # so that those of a kind do not follow each other
SIGKILLS = 20  # one in this many batches is killed from outside
MOST_IN_QUEUE = 100  # moto's SQS is slower with more
POLLERS = 3

# Killers that return more slowly than the messages of their batches rarely meet them again. So it is by default; a few
# killers do not meet each other anyway.
FIRST, FACTOR = (6, 1.5) if MESSAGES > 1_000 else (1, 1)

FUNCTION = f"""
import os, sys
sys.path.append({str(project / "lambdas")!r})
from shared.delivery import Reject
from sqs import Backoff, batch_handler

def handle(number: int) -> None:
    with open("handled", "a") as handled:
        handled.write(f"{{number}}\\n")
    if {STEP} * number % 100 in {REJECTED}:
        raise Reject("unknown tenant")
    if {STEP} * number % 100 in {KILLERS}:
        os._exit(1)

handler = batch_handler(int, handle, backoff=Backoff(first={FIRST}, factor={FACTOR}))
"""


def main() -> None:
    batches: list[Batch] = []
    begin = time.monotonic()
    with TemporaryDirectory() as folder, EmbeddedAws() as aws:
        (Path(folder) / "app.py").write_text(FUNCTION, "utf-8")
        mapping = with_short_timeout(aws, aws.deploy(project / "template.yaml")[0], Path(folder))
        pollers = [Poller(aws, mapping, batches.append) for _ in range(POLLERS)]
        for poller in pollers:
            poller.start()
        sender = threading.Thread(target=send, args=(aws, mapping))
        sender.start()
        kills = 0
        while sender.is_alive() or depth(aws, mapping.queue.url):
            time.sleep(0.1 * random.random())
            if len(batches) > SIGKILLS * (kills + 1):
                kills += kill(random.choice(pollers).worker)
        for poller in pollers:
            poller.stop()
        handled = [int(line) for line in (Path(folder) / "handled").read_text("utf-8").split()]
        dead = dead_letters(aws, str(mapping.queue.dead_letter_url))
    took = time.monotonic() - begin

    print(f"{MESSAGES:,} messages in {len(batches):,} batches, {MESSAGES / took:.0f} a second")
    errors = Counter(batch.error for batch in batches if batch.error)
    print(f"{errors.total():,} batches failed as a whole: {dict(errors)}\n")
    if not report(Counter(handled), Counter(dead)):
        sys.exit("error: messages were lost, or did not become what they should")


def kind_of(number: int) -> str:
    place = STEP * number % 100
    if place in BROKEN:
        return "broken"
    return "rejected" if place in REJECTED else "killer" if place in KILLERS else "good"


def report(handled: Counter[int], dead: Counter[int]) -> bool:
    """Print a row for each kind of message, and tell whether all became what they should."""
    numbers = defaultdict[str, list[int]](list)
    for number in range(MESSAGES):
        numbers[kind_of(number)].append(number)
    print("| message | sent | handled | most often | dead letters | lost |\n|---|---|---|---|---|---|")
    for kind in KINDS:
        of = numbers[kind]
        done = sum(handled[number] > 0 for number in of)
        most = max((handled[number] for number in of), default=0)
        lost = sum(not dead[number] and (kind != "good" or not handled[number]) for number in of)
        print(f"| {kind} | {len(of):,} | {done:,} | {most} | {sum(dead[number] for number in of):,} | {lost:,} |")
    return all(
        (dead[number] > 0) == (kind != "good") and bool(handled[number]) == (kind != "broken")
        for kind in KINDS
        for number in numbers[kind]
    )


def with_short_timeout(aws: Aws, mapping: EventSourceMapping, folder: Path) -> EventSourceMapping:
    """Return the mapping to the function in a folder, whose batches return soon if it is killed."""
    function = replace(mapping.function, folder=folder, handler="app.handler", timeout=2)
    aws.client("sqs").set_queue_attributes(QueueUrl=mapping.queue.url, Attributes={"VisibilityTimeout": "12"})
    return replace(mapping, function=function)


def kill(worker: Worker) -> bool:
    """Kill the process of a worker, if it has one."""
    if worker.process and worker.process.poll() is None:
        worker.process.kill()
        return True
    return False


def send(aws: Aws, mapping: EventSourceMapping) -> None:
    sqs: Any = aws.client("sqs")
    for start in range(0, MESSAGES, 10):
        while depth(aws, mapping.queue.url) > MOST_IN_QUEUE:
            time.sleep(0.02)
        entries = [
            {"Id": str(number), "MessageBody": f"{number}{'!' if kind_of(number) == 'broken' else ''}"}
            for number in range(start, min(start + 10, MESSAGES))
        ]
        sqs.send_message_batch(QueueUrl=mapping.queue.url, Entries=entries)


def depth(aws: Aws, url: str) -> int:
    return sum(aws.depth(url))


def dead_letters(aws: Aws, url: str) -> list[int]:
    """Return the numbers of the dead letters."""
    sqs: Any = aws.client("sqs")
    numbers: list[int] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            numbers.append(int(message["Body"].rstrip("!")))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return numbers


if __name__ == "__main__":
    main()
