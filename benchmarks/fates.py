"""What becomes of messages beside Powertools, on a model of SQS with the settings of the template's queue.

Prints rows of the benchmark as JSON: the dead letters after a message that ends the process in a batch of ten, and how
long a service may be down until the first message becomes a dead letter. The benchmark sets PYTHONPATH to both sides.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from app import OrderRecord
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from sqs import batch_handler

from tests.support.sqs_model import Model, model

Handle = Callable[[str], None]  # gets the id of an order
Handler = Callable[[Any, Any], Any]


class Order(msgspec.Struct, rename="camel"):
    order_id: str


def ours(handle: Handle) -> Handler:
    return batch_handler(Order, lambda order: handle(order.order_id))


def theirs(handle: Handle) -> Handler:
    processor = BatchProcessor(event_type=EventType.SQS, model=OrderRecord)

    def process(event: Any, context: Any) -> Any:
        try:
            return process_partial_response(event, lambda record: handle(record.body.order_id), processor, context)
        except Exception:  # it raises if no message has succeeded, and all of them stay in the queue
            return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in event["Records"]]}

    return process


def body(number: int) -> str:
    order = {"orderId": f"order-{number}", "quantity": 3, "amount": "12.50", "tags": []}
    return json.dumps({**order, "placedAt": "2026-01-31T12:00:00Z"})


def dead_letters_of_a_killer(side: Callable[[Handle], Handler]) -> int:
    """Return how many of ten messages become dead letters if one ends the process each time."""

    def handle(order_id: str) -> None:
        if order_id == "order-4":
            raise SystemExit

    with model() as sqs:
        play(sqs, side(handle))
        return len(sqs.dead)


def survived_outage(side: Callable[[Handle], Handler]) -> float:
    """Return how many minutes lie between the first and the last try of a message that keeps failing, at least."""
    tries = dict[str, list[float]]()

    def handle(order_id: str) -> None:
        tries.setdefault(order_id, []).append(sqs.clock.now)
        raise ConnectionError

    with model() as sqs:
        play(sqs, side(handle))
    return min(times[-1] - times[0] for times in tries.values()) / 60


def play(sqs: Model, handler: Handler) -> None:
    """Process ten messages until the queue is empty."""
    sqs.send([body(number) for number in range(10)])
    while sqs.invoke(handler):
        pass


def main() -> None:
    logging.disable(logging.CRITICAL)
    dead = [dead_letters_of_a_killer(side) for side in (ours, theirs)]
    minutes = [survived_outage(side) for side in (ours, theirs)]
    rows = [
        ("one message of ten ends the process: dead letters", "{}; with Powertools {}".format(*dead), ""),
        ("outage without a dead letter", "{:.0f} min; with Powertools {:.0f} min".format(*minutes), ""),
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
