"""Rules for queues and their dead-letter queues.

The limits are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import json
from collections.abc import Iterator
from typing import Any

from sqskit.rules.stack import Stack

# CloudFormation deletes what is in these when it replaces them, as after a change of their name.
KEEPING_DATA = ("AWS::SQS::Queue", "AWS::DynamoDB::Table")


def faults(stack: Stack) -> Iterator[str]:
    """Yield a line for each broken rule."""
    for name, queue in stack.of_type("AWS::SQS::Queue"):
        yield from (f"{name}: {fault}" for fault in queue_faults(stack, name, queue))
    for name, resource in stack.resources.items():
        if resource["Type"] in KEEPING_DATA and resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: without UpdateReplacePolicy: Retain, a new name deletes what is in it"


def queue_faults(stack: Stack, name: str, queue: Any) -> Iterator[str]:
    if queue.get("FifoQueue") and not json.dumps(queue.get("QueueName")).endswith(
        ('.fifo"}', '.fifo"')
    ):
        yield "the name of a FIFO queue must end in .fifo"
    if "RedrivePolicy" not in queue:
        return
    target = queue["RedrivePolicy"]["deadLetterTargetArn"]
    if stack.number(queue["RedrivePolicy"], "maxReceiveCount", 0) < 3:
        yield "maxReceiveCount must be at least 3, because throttled receives count; AWS advises 5"
    if stack.named(target) == name:
        yield "it is its own dead-letter queue"
    dead_letters = stack.referred(target)
    if dead_letters is None:
        return
    if retention(stack, dead_letters) <= retention(stack, queue):
        yield "the dead-letter queue must keep messages longer than the queue"
    if dead_letters.get("FifoQueue") != queue.get("FifoQueue"):
        yield "a FIFO queue needs a FIFO dead-letter queue, a standard queue a standard one"
    if not allows(stack, dead_letters, name, queue):
        yield "the RedriveAllowPolicy of the dead-letter queue does not name it"


def retention(stack: Stack, queue: Any) -> int:
    """Return how many seconds a queue keeps a message; four days if it does not say so."""
    return stack.number(queue, "MessageRetentionPeriod", 345_600)


def allows(stack: Stack, dead_letters: Any, name: str, queue: Any) -> bool:
    """Tell whether a dead-letter queue takes the messages of a queue."""
    policy = dead_letters.get("RedriveAllowPolicy", {"redrivePermission": "allowAll"})
    if policy["redrivePermission"] != "byQueue":
        return bool(policy["redrivePermission"] == "allowAll")
    return any(
        stack.named(arn) == name or text_of(arn).endswith(f":{text_of(queue.get('QueueName'))}")
        for arn in policy.get("sourceQueueArns", [])
    )


def text_of(value: Any) -> str:
    """Return a text, or that of a Sub."""
    return str(value.get("Fn::Sub") if isinstance(value, dict) else value)
