"""Send the examples: to the local stack, with one that is cut short, or to a stack on AWS."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import count, cycle, islice
from pathlib import Path

from sqskit.aws import Aws, running_stack
from sqskit.mapping import Queue
from sqskit.on_aws import DeployedStack, answering, deployed
from sqskit.routes import Route, ToBus, ToQueue, ToTopic, once, route_to
from sqskit.screen import short
from sqskit.template import example_file, examples

# What changes in a text such as `order-1` and in a UUID. A colon follows a name in JSON.
NUMBERED = re.compile(r'(?<=")([^"\\]*[A-Za-z]-)\d+(?="(?!\s*:))')
UUID = re.compile(r'(?<=")(\w{8}-\w{4}-\w{4}-\w{4}-)\w{12}(?="(?!\s*:))')

# The most bytes of a message, and of all bodies in a request to SQS.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LARGEST_MESSAGE = 1024 * 1024


@answering()  # the run may end meanwhile
def send_examples(template: Path, number: int | None) -> None:
    """Send messages to each queue of the running stack, in the way they get there on AWS.

    number: how many, all distinct; if there is none, each example and one that is cut short.
    Raises UserError.
    """
    aws, mappings = running_stack(template)
    routes = set[Route]()
    for mapping in mappings:
        queue, function = mapping.queue, mapping.function
        route = route_to(aws.client, queue.arn, queue.url)
        if route in routes:  # such as a bus, from which both queues get each event
            continue
        routes.add(route)
        bodies = examples(example_file(template.parent, function.handler), function.name)
        for batch in batches(islice(distinct(bodies), number) if number else bodies):
            send_batch_along(route, aws, queue, batch)
            for body in batch:
                print(f"{where(route)}  example: {short(body)}")
        if not number:
            broken = cut_short(bodies[0])
            send_along(route, aws, queue, broken)
            print(f"{where(fitting(route, queue, broken))}  cut short: {short(broken)}")


def send_to_aws(template: Path, env: str, name: str, file: Path) -> None:
    """Send the examples in a file to a stack on AWS, with the user's credentials.

    env: its environment in samconfig.toml.
    name: of the message, with which the names of the outputs begin. Raises UserError.
    """
    with answering():
        stack = deployed(template, env)
        route = route_of(stack, name)
        for body in examples(file):
            route.send(stack.client, body, MessageGroupId="example")
            print(f"sent to {where(route)}: {short(body)}")


def route_of(stack: DeployedStack, name: str) -> Route:
    """Return how to send a message to a stack. Raises UserError."""
    if "TopicArn" in stack.outputs:
        return ToTopic(stack.outputs["TopicArn"])
    if "EventBusName" in stack.outputs:
        source, detail_type = stack.output("EventSource"), stack.output("EventDetailType")
        return ToBus(stack.outputs["EventBusName"], source, detail_type)
    return ToQueue(stack.output(f"{name}QueueUrl"))


def where(route: Route) -> str:
    """Return the name of what a message is sent to."""
    match route:
        case ToQueue(url=url):
            return url.rpartition("/")[2]
        case ToTopic(arn=arn):
            return arn.rpartition(":")[2]
        case ToBus(bus=bus):
            return f"the bus {bus}"


def send(aws: Aws, queue: Queue, body: str, group: str = "example") -> None:
    """Send a message to a queue of the local stack, in the way it gets there on AWS."""
    send_along(route_to(aws.client, queue.arn, queue.url), aws, queue, body, group)


def send_along(route: Route, aws: Aws, queue: Queue, body: str, group: str = "example") -> None:
    """Send a message along its route to a queue of the local stack."""
    fitting(route, queue, body).send(aws.client, body, **once(group))


def fitting(route: Route, queue: Queue, body: str) -> Route:
    """Return the route, or the queue itself for a body that EventBridge does not take."""
    return ToQueue(queue.url) if isinstance(route, ToBus) and not is_object(body) else route


def send_batch_along(
    route: Route, aws: Aws, queue: Queue, bodies: list[str], group: str = "example"
) -> None:
    """Send messages along their route, in one request if they go to the queue itself."""
    if isinstance(route, ToQueue):
        route.send_batch(aws.client, bodies, group)
    else:
        for body in bodies:
            send_along(route, aws, queue, body, group)


def batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    """Yield bodies in groups that SQS accepts in one request."""
    batch, size = list[str](), 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == 10 or size + length > LARGEST_MESSAGE):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch


def is_object(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def cut_short(body: str) -> str:
    """Return a body without its end, which no function can parse if it is JSON."""
    return body[:-1]


def distinct(bodies: list[str]) -> Iterator[str]:
    """Yield the bodies in turn, with other UUIDs and other numbers in texts such as `order-1`."""
    for n, body in zip(count(1), cycle(bodies), strict=False):
        yield re.sub(UUID, rf"\g<1>{n:012}", re.sub(NUMBERED, rf"\g<1>{n}", body))
