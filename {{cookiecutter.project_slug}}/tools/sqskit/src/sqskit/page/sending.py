"""The form of the page: the examples to send, and sending them."""

import re
import threading
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqskit.aws import Aws
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.page.history import History
from sqskit.page.items import message_in
from sqskit.routes import Route, ToBus, route_to
from sqskit.send import (
    LARGEST_MESSAGE,
    batches,
    cut_short,
    distinct,
    send_along,
    send_batch_along,
)
from sqskit.template import example_file, examples

MOST = 100_000  # messages at once

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
GROUP = re.compile("[!-~]{1,128}")
REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Sending:
    """Sends messages to the queues of a stack, in the way they get there on AWS."""

    def __init__(
        self, aws: Aws, mappings: Iterable[EventSourceMapping], root: Path, history: History
    ) -> None:
        """Take a stack, and the folder with its template."""
        self.aws = aws
        self.root = root
        self.history = history
        self.mappings: dict[str, EventSourceMapping] = {}
        for mapping in mappings:
            self.mappings.setdefault(mapping.queue.name, mapping)
        self.routes: dict[str, Route] = {}

    def targets(self) -> list[dict[str, Any]]:
        """Return what the form offers for each queue: its examples, or why there are none."""
        return [self._target(mapping) for mapping in self.mappings.values()]

    def _target(self, mapping: EventSourceMapping) -> dict[str, Any]:
        queue, function = mapping.queue, mapping.function
        bodies, problem = list[str](), ""
        try:
            bodies = examples(example_file(self.root, function.handler), function.name)
        except UserError as error:
            problem = str(error)
        return {
            "queue": queue.name,
            "function": function.name,
            "hasGroups": queue.is_fifo and not isinstance(self._route(queue.name), ToBus),
            "examples": bodies,
            "areEvents": any(message_in(body) != body for body in bodies),
            "problem": problem,
        }

    def send(self, queue: str, body: str, count: int, group: str, *, broken: bool) -> None:
        """Send a body, or many distinct ones like it in a thread of their own.

        broken: cut the body short. Raises UserError.
        """
        if queue not in self.mappings:
            raise UserError(f"the stack has no queue {queue} with a function")
        if not 1 <= count <= MOST:
            raise UserError(f"{count} messages cannot be sent; use a number from 1 to {MOST}")
        if not body:
            raise UserError("an empty message cannot be sent; SQS refuses it")
        if refused := REFUSED.search(body):
            code, place = f"U+{ord(refused[0]):04X}", refused.start() + 1
            raise UserError(f"SQS refuses {code}, character {place} of the body; remove it")
        if (size := len(body.encode())) > LARGEST_MESSAGE:
            raise UserError(f"the body has {size:,} bytes; SQS takes at most {LARGEST_MESSAGE:,}")
        if self.mappings[queue].queue.is_fifo and not GROUP.fullmatch(group):
            raise UserError(
                "a message group has 1 to 128 letters, digits or punctuation marks of ASCII"
            )
        body = cut_short(body) if broken else body
        if count == 1:
            send_along(self._route(queue), self.aws, self.mappings[queue].queue, body, group)
        else:
            many = threading.Thread(
                target=self._send_many, args=[queue, body, count, group], daemon=True
            )
            many.start()

    def _send_many(self, queue: str, body: str, count: int, group: str) -> None:
        sent, target = 0, self.mappings[queue].queue
        for batch in batches(islice(distinct([body]), count)):
            if self.history.has_ended:
                return
            try:
                send_batch_along(self._route(queue), self.aws, target, batch, group)
            except (UserError, BotoCoreError, ClientError) as error:
                self.history.notice(f"only {sent} of {count} messages were sent: {error}")
                return
            sent += len(batch)

    def _route(self, queue: str) -> Route:
        if queue not in self.routes:
            found = self.mappings[queue].queue
            self.routes[queue] = route_to(self.aws.client, found.arn, found.url)
        return self.routes[queue]
