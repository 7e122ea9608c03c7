"""Rules for the roles of functions: what they need, and what is too much."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from sqskit.rules.idempotency import table_of
from sqskit.rules.mappings import DEAD_LETTER_QUEUE_URL
from sqskit.rules.stack import Stack

# What the event source mapping and lambdas/sqs do with a queue, with a dead-letter queue, and with
# the table of the keys that are done.
ON_QUEUE = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
]
ON_DEAD_LETTER_QUEUE = ["sqs:SendMessage"]
ON_TABLE = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]


def faults(stack: Stack) -> Iterator[str]:
    """Yield a line for each broken rule."""
    for name, role in stack.of_type("AWS::IAM::Role"):
        yield from (f"{name}: {fault}" for fault in wide_permissions(role))
    for _, mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        function = stack.referred(mapping["FunctionName"]) or {}
        role = stack.named(function.get("Role"))
        if role:
            missing = missing_permissions(
                stack, mapping, function, stack.referred(function["Role"])
            )
            yield from (f"{role}: {fault}" for fault in missing)


def wide_permissions(role: Any) -> Iterator[str]:
    """Find permissions that reach beyond the queue of the function."""
    if re.search("SQS|Administrator|PowerUser", json.dumps(role.get("ManagedPolicyArns", []))):
        yield "its managed policy covers every queue of the account"
    for statement in statements(role):
        actions = json.dumps(statement.get("Action", "*")).lower()
        everything = "*" in json.dumps(statement.get("Resource", "*"))
        if everything and ("sqs:" in actions or '"*"' in actions):
            yield "it may use every queue of the account"


def missing_permissions(stack: Stack, mapping: Any, function: Any, role: Any) -> Iterator[str]:
    """Find actions that the function's queues and table need and the role does not allow."""
    variables = function.get("Environment", {}).get("Variables", {})
    needed = {
        stack.named(mapping["EventSourceArn"]): ON_QUEUE,
        stack.named(variables.get(DEAD_LETTER_QUEUE_URL)): ON_DEAD_LETTER_QUEUE,
        table_of(stack, function): ON_TABLE,
    }
    managed = json.dumps(role.get("ManagedPolicyArns", []))
    for name, actions in needed.items():
        missing = [action for action in actions if name and not allows(stack, role, name, action)]
        policy = "DynamoDBFullAccess" if actions is ON_TABLE else "SQS"
        if missing and policy not in managed:
            yield f"it lacks {', '.join(missing)} on {name}"


def allows(stack: Stack, role: Any, resource: str, action: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and any(
            fnmatchcase(action.lower(), each.lower())
            for each in listed(statement.get("Action", []))
        )
        and any(
            each == "*" or stack.named(each) == resource
            for each in listed(statement.get("Resource", []))
        )
        for statement in statements(role)
    )


def statements(role: Any) -> Iterator[Any]:
    for policy in role.get("Policies", []):
        yield from listed(policy["PolicyDocument"]["Statement"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
