"""Send the examples: to the local stack, with one that is cut short, or to a queue on AWS."""

import uuid
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from sqskit.aws import Aws, running_stack
from sqskit.errors import UserError
from sqskit.mapping import Queue
from sqskit.screen import short
from sqskit.template import example_file, examples


def send_examples(template: Path) -> None:
    """Send messages to each queue of the running stack. Raises UserError."""
    aws, mappings = running_stack(template)
    for mapping in mappings:
        function = mapping.function
        bodies = examples(example_file(template.parent, function.handler), function.name)
        for body in bodies:
            send(aws, mapping.queue, body)
            print(f"{mapping.queue.name}  example: {short(body)}")
        broken = bodies[0][:-1]
        send(aws, mapping.queue, broken)
        print(f"{mapping.queue.name}  cut short: {short(broken)}")


def send_to_aws(queue_url: str, file: Path) -> None:
    """Send the examples in a file to a queue, with the user's AWS credentials. Raises UserError."""
    fifo = {"MessageGroupId": "example"} if queue_url.endswith(".fifo") else {}
    bodies = examples(file)
    try:
        sqs: Any = botocore.session.Session().create_client("sqs")
        for body in bodies:
            sent = sqs.send_message(QueueUrl=queue_url, MessageBody=body, **fifo)
            print(f"{sent['MessageId']}  {short(body)}")
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"cannot send the example: {error}") from error


def send(aws: Aws, queue: Queue, body: str, group: str = "example") -> None:
    """Send a message, in a message group if the queue is FIFO."""
    fifo: dict[str, Any] = {}
    if queue.is_fifo:
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": str(uuid.uuid4())}
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body, **fifo)
