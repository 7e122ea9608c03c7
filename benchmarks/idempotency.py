"""Handling each message once, beside Powertools: both on the same table in the same moto, in turns.

Prints rows of the benchmark as JSON. A process of its own has the modules of a project with a key.
"""

import importlib
import json
import logging
import os
import sys
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from sqskit.aws import EmbeddedAws

from benchmarks.bench import HERE, INSTALLED, context, generated_project, orders

SIZE = 10
TURNS = 60
numbers = count()


def main() -> None:
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, str(INSTALLED / "peers"))
    with TemporaryDirectory() as folder, EmbeddedAws() as aws:
        project = generated_project(Path(folder), idempotency_key="orderId")
        aws.deploy(project / "template.yaml")
        (table,) = aws.client("dynamodb").list_tables()["TableNames"]
        os.environ |= {
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": aws.region,
            "IDEMPOTENCY_TABLE": table,
        }
        sys.path[:0] = [str(project / "lambdas"), str(HERE / "powertools" / "lambdas")]
        ours = importlib.import_module("order_processor.app").handler
        theirs = importlib.import_module("app_once").handler
        turns = [[seconds(each) for each in (ours, theirs)] for _ in range(TURNS)]
        # Each has claimed and completed the key of each message.
        assert aws.client("dynamodb").describe_table(TableName=table)["Table"]["ItemCount"] == 2 * TURNS * SIZE
    ratio = median(theirs / ours for ours, theirs in turns)
    print(json.dumps([("Powertools, each message once, calls to moto included", f"{ratio:.2f} x as long", "")]))


def seconds(process: Any) -> float:
    """Return how long a batch of new messages takes."""
    event = orders(SIZE)
    for record in event["Records"]:
        order = json.loads(record["body"]) | {"orderId": f"order-{next(numbers)}", "quantity": 3}
        record["body"] = json.dumps(order)
    lambda_context = context()
    begin = perf_counter()
    assert process(event, lambda_context) == {"batchItemFailures": []}
    return perf_counter() - begin


if __name__ == "__main__":
    main()
