"""Rules for the environments in samconfig.toml."""

import re
from collections.abc import Iterator
from typing import Any

from sqskit.rules.stack import Stack
from sqskit.samconfig import settings_of

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
LONGEST_QUEUE_NAME = 80


def faults(stack: Stack, environments: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each broken rule, about the environments that deploy a stack."""
    owners: dict[Any, str] = {}
    for name, environment in environments.items():
        if "deploy" not in environment:
            continue
        settings = settings_of(environment)
        yield from (f"{name}: {fault}" for fault in settings_faults(stack, name, settings))
        place = tuple(map(settings.get, ("stack_name", "region", "profile")))
        owner = owners.setdefault(place, name)
        if settings.get("stack_name") and owner != name:
            yield f"{name}: it deploys the stack {settings['stack_name']}, as {owner} does"


def settings_faults(stack: Stack, name: str, settings: dict[str, Any]) -> Iterator[str]:
    if not settings.get("stack_name"):
        yield "there is no stack_name"
    if not re.search("CAPABILITY_(NAMED_)?IAM", str(settings.get("capabilities"))):
        yield 'capabilities must be "CAPABILITY_IAM", because the stack has roles'
    parameters = settings.get("parameter_overrides", {})
    if not isinstance(parameters, dict):  # SAM cuts a value in a list or in a text at a space
        yield f"write parameters below [{name}.deploy.parameters.parameter_overrides]"
        return
    for parameter in stack.parameters:
        if parameter not in parameters:
            yield f"the parameter {parameter} is missing; an existing stack would keep its value"
    for parameter in parameters:
        if parameter not in stack.parameters:
            yield f"the template has no parameter {parameter}"
    for queue in queue_names(stack, str(settings.get("stack_name"))):
        if len(queue) > LONGEST_QUEUE_NAME:
            yield f"the queue name {queue} is longer than {LONGEST_QUEUE_NAME} characters"


def queue_names(stack: Stack, stack_name: str) -> Iterator[str]:
    """Yield the names of the queues in a stack, as far as they are known before it is deployed."""
    for _, queue in stack.of_type("AWS::SQS::Queue"):
        name = queue.get("QueueName")
        text = name.get("Fn::Sub") if isinstance(name, dict) else name
        if isinstance(text, str):
            yield text.replace("${AWS::StackName}", stack_name)
