"""Powertools' idempotency, in a process of its own, because it changes botocore when it is imported.

Each line of the input is a call, as JSON, and each line of the output its result. The argument is the table.
"""

import json
import sys
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

calls = 0


class Context:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def handle(message: Any) -> str:
    global calls
    calls += 1
    return "its result"


def run(command: str, message: Any, key: str, seconds: float) -> str:
    """Handle a message, or only claim its key."""
    layer = DynamoDBPersistenceLayer(sys.argv[1])
    config = IdempotencyConfig(event_key_jmespath=key)
    context: Any = Context(seconds)
    config.register_lambda_context(context)
    if command == "claim":
        layer.configure(config, f"{handle.__module__}.{handle.__qualname__}")
        layer.save_inprogress(message, remaining_time_in_millis=int(seconds * 1000))
        return "claimed"
    once = idempotent_function(handle, data_keyword_argument="message", persistence_store=layer, config=config)
    before = calls
    try:
        once(message=message)
    except IdempotencyAlreadyInProgressError:
        return "in progress"
    return "handled" if calls > before else "duplicate"


if __name__ == "__main__":
    for line in sys.stdin:
        print(run(**json.loads(line)), flush=True)
