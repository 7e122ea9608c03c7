"""Send messages to the local stack: the example, and one that is cut short."""

import uuid
from pathlib import Path
from typing import Any

from botocore.exceptions import EndpointConnectionError

from sqskit.aws import Aws, Queue, endpoint_file
from sqskit.errors import UserError
from sqskit.screen import short
from sqskit.template import example_body, read_example


def send_examples(template: Path) -> None:
    """Send two messages to each queue of the running stack. Raises UserError."""
    root = template.parent
    try:
        aws = Aws(endpoint_file(root).read_text("utf-8"))
        mappings = aws.mappings(template)
    except (OSError, EndpointConnectionError) as error:
        raise UserError("no local stack is running here; start it with `make local`") from error
    for mapping in mappings:
        function = mapping.function
        body = read_example(example_body(root, function.handler), function.name).strip()
        for what, text in (("the example", body), ("cut short", body[:-1])):
            send(aws, mapping.queue, text)
            print(f"{mapping.queue.name}  {what}: {short(text)}")


def send(aws: Aws, queue: Queue, body: str, group: str = "example") -> None:
    """Send a message, in a message group if the queue is FIFO."""
    fifo: dict[str, Any] = {}
    if queue.is_fifo:
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": str(uuid.uuid4())}
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=body, **fifo)
