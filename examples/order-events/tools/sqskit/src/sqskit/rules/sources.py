"""Rules for what sends to queues: topics, event buses and producers."""

import json
from collections.abc import Iterator
from typing import Any

from sqskit.rules.roles import listed
from sqskit.rules.stack import Stack

ANYONE = ("*", {"AWS": "*"})

# What a service may do with a queue or a topic.
SENDING = {"AWS::SQS::QueuePolicy": "sqs:SendMessage", "AWS::SNS::TopicPolicy": "sns:Publish"}


def faults(stack: Stack) -> Iterator[str]:
    """Yield a line for each broken rule."""
    for name, subscription in stack.of_type("AWS::SNS::Subscription"):
        found = subscription_faults(stack, subscription)
        yield from (f"{name}: {fault}" for fault in found)
    for name, rule in stack.of_type("AWS::Events::Rule"):
        for target in rule.get("Targets", []):
            found = target_faults(stack, name, target)
            yield from (f"{name}: {fault}" for fault in found)
    policies = [
        stack.named(queue)
        for _, policy in stack.of_type("AWS::SQS::QueuePolicy")
        for queue in policy["Queues"]
    ]
    for queue in dict.fromkeys(policies):
        if policies.count(queue) > 1:
            yield f"{queue}: it has several policies, and each replaces the one before"
    for type_, action in SENDING.items():
        for name, policy in stack.of_type(type_):
            yield from (f"{name}: {fault}" for fault in wide_statements(policy, action))
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy"):
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            if any("*" in str(each) for each in listed(statement["Resource"])):
                yield f"{name}: it must name the one resource that its owner may send to"
            if any("*" in each for each in listed(statement["Action"])):
                yield f"{name}: it must name each action that its owner may use"


def subscription_faults(stack: Stack, subscription: Any) -> Iterator[str]:
    queue = stack.named(subscription.get("Endpoint"))
    if queue is None:
        return
    if subscription.get("RawMessageDelivery") is not True:
        yield "without RawMessageDelivery: true, each message is wrapped in a notification"
    if "RedrivePolicy" not in subscription:
        yield "without a RedrivePolicy, SNS drops what it cannot deliver"
    receivers = [
        queue,
        stack.named(subscription.get("RedrivePolicy", {}).get("deadLetterTargetArn")),
    ]
    for each in filter(None, receivers):
        if not may_send(stack, "sns.amazonaws.com", subscription["TopicArn"], each):
            yield f"no policy lets the topic send to {each}"


def target_faults(stack: Stack, rule: str, target: Any) -> Iterator[str]:
    queue = stack.named(target["Arn"])
    if queue is None or stack.resources[queue]["Type"] != "AWS::SQS::Queue":
        return
    if stack.resources[rule]["Properties"].get("State") == "DISABLED":
        yield "State must not be DISABLED: no event reaches the queue"
    dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
    if dead_letters is None:
        yield "without a DeadLetterConfig, EventBridge drops what it cannot deliver"
    elif (stack.referred(dead_letters) or {}).get("FifoQueue"):
        yield "its DeadLetterConfig needs a standard queue"
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    if stack.referred(target["Arn"]).get("FifoQueue") and not group:
        yield "a FIFO queue needs a MessageGroupId in SqsParameters"
    for each in filter(None, [queue, stack.named(dead_letters)]):
        if not may_send(stack, "events.amazonaws.com", {"Fn::GetAtt": [rule, "Arn"]}, each):
            yield f"no policy lets the rule send to {each}"


def may_send(stack: Stack, service: str, source: Any, queue: str) -> bool:
    """Tell whether a policy lets one topic or rule send to a queue."""
    return any(
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": service}
        and "sqs:SendMessage" in listed(statement["Action"])
        and stack.named(statement["Resource"]) == queue
        and source_of(statement) == source
        for _, policy in stack.of_type("AWS::SQS::QueuePolicy")
        if queue in map(stack.named, policy["Queues"])
        for statement in listed(policy["PolicyDocument"]["Statement"])
    )


def source_of(statement: Any) -> Any:
    """Return the ARN to which a statement is limited, if it is."""
    condition = statement.get("Condition", {})
    limits = condition.get("ArnEquals", condition.get("StringEquals", {}))
    return limits.get("aws:SourceArn")


def wide_statements(policy: Any, action: str) -> Iterator[str]:
    """Find statements that let in more than one topic or rule, or than this account."""
    for statement in listed(policy["PolicyDocument"]["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        if statement["Principal"] in ANYONE:
            yield "it lets anyone in"
        if "Service" in statement["Principal"]:
            source = source_of(statement)
            limits = statement.get("Condition", {}).get("StringEquals", {})
            own = limits.get("aws:SourceAccount") == {"Ref": "AWS::AccountId"}
            if not own and (source is None or "*" in json.dumps(source)):
                yield f"it lets {statement['Principal']['Service']} in for every account"
            if listed(statement["Action"]) != [action]:
                yield f"a service may have no action but {action}"
