"""Put a project's local stack under load: many messages, some of them broken, with crashes and a kill.

Every good message must be processed at least once, every broken one must become a dead letter exactly once, and none
may be lost. `load.py PROJECT [MESSAGES]` prints the figures and exits with 1 otherwise.
"""

import random
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqskit.aws import Aws, EmbeddedAws, EventSourceMapping
from sqskit.poller import Batch, Poller
from sqskit.worker import Worker

project = Path(sys.argv[1]).resolve()

BROKEN = 20  # one in this many messages is broken
CRASHES = 200  # about one in this many invocations crashes
MOST_IN_QUEUE = 100  # moto's SQS is slower with more

FUNCTION = f"""
import os, random, sys, time
sys.path.append({str(project / "lambdas")!r})
from sqs import batch_handler

def handle(number: int) -> None:
    with open("processed", "a") as processed:
        processed.write(f"{{number}}\\n")

process_batch = batch_handler(int, handle)

def handler(event, context):
    response = process_batch(event, context)
    if random.random() < 1 / {CRASHES}:
        os._exit(1)
    time.sleep(0.02)
    return response
"""


def main() -> None:
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    batches: list[Batch] = []
    begin = time.monotonic()
    with TemporaryDirectory() as folder, EmbeddedAws() as aws:
        (Path(folder) / "app.py").write_text(FUNCTION, "utf-8")
        mapping = aws.deploy(project / "template.yaml")[0]
        function = replace(mapping.function, folder=Path(folder), handler="app.handler")
        mapping = replace(mapping, function=function)
        pollers = [Poller(aws, mapping, batches.append, retry_after=0) for _ in range(2)]
        for poller in pollers:
            poller.start()
        sender = threading.Thread(target=send, args=(aws, mapping, messages))
        sender.start()
        while sender.is_alive() and not any("status -9" in str(batch.error) for batch in batches):
            time.sleep(0.1 * random.random())
            kill(pollers[0].worker)
        sender.join()
        while depth(aws, mapping.queue.url):
            time.sleep(0.1)
        for poller in pollers:
            poller.stop()
        processed = [int(line) for line in (Path(folder) / "processed").read_text("utf-8").split()]
        dead = dead_letters(aws, str(mapping.queue.dead_letter_url))
    took = time.monotonic() - begin

    numbers = range(messages)
    good = {number for number in numbers if number % BROKEN}
    errors = Counter(batch.error for batch in batches if batch.error)
    print(f"{messages:,} messages in {len(batches):,} batches, {messages / took:.0f} a second")
    print(f"{sum(errors.values())} batches failed as a whole: {dict(errors)}")
    print(f"{len(good - set(processed))} of {len(good):,} good messages were lost")
    print(f"{len(processed) - len(set(processed))} times a good message was processed again")
    print(f"{len(dead)} dead letters of {messages - len(good)} broken messages, {len(dead) - len(set(dead))} twice")
    expected = sorted(f"broken {number}" for number in numbers if number not in good)
    if set(processed) != good or sorted(dead) != expected:
        sys.exit("error: messages were lost, or broken ones did not become dead letters")


def kill(worker: Worker) -> None:
    if worker.process:
        worker.process.kill()


def send(aws: Aws, mapping: EventSourceMapping, messages: int) -> None:
    sqs: Any = aws.client("sqs")
    for start in range(0, messages, 10):
        while depth(aws, mapping.queue.url) > MOST_IN_QUEUE:
            time.sleep(0.02)
        entries = [
            {"Id": str(number), "MessageBody": str(number) if number % BROKEN else f"broken {number}"}
            for number in range(start, min(start + 10, messages))
        ]
        sqs.send_message_batch(QueueUrl=mapping.queue.url, Entries=entries)


def depth(aws: Aws, url: str) -> int:
    return sum(aws.depth(url))


def dead_letters(aws: Aws, url: str) -> list[str]:
    sqs: Any = aws.client("sqs")
    bodies: list[str] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


if __name__ == "__main__":
    main()
