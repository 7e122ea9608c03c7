"""The terminal: how to send a message, the outcome of each one, and the depth of the queues."""

import shlex
import textwrap
import time
from pathlib import Path

from rich.console import Console

from sqskit.aws import Aws
from sqskit.environment import SETTINGS
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch
from sqskit.routes import ToBus, route_to
from sqskit.template import example_file, examples

LONGEST_BODY = 60

# lambdas/sqs logs a failure like this, with the text `Message … failed at receive …: reason`.
LOGGER, MESSAGE_ID = "sqs", "messageId"


class Screen:
    """Prints lines, and on a terminal keeps the depth of the queues below them."""

    def __init__(self, aws: Aws, root: Path, retry_after: int | None, plain: bool = False) -> None:
        self.aws = aws
        self.root = root
        self.retry_after = retry_after
        self.console = Console(
            highlight=False, soft_wrap=True, force_terminal=False if plain else None
        )
        self.status = self.console.status("starting")
        self.dead_letters: dict[str, int] = {}
        if self.console.is_terminal:
            self.status.start()

    def close(self) -> None:
        self.status.stop()

    def print(self, text: str = "", style: str | None = None) -> None:
        """Print a line without any markup."""
        self.console.print(text, style=style, markup=False)

    def ready(self, mapping: EventSourceMapping) -> None:
        """Say which function gets the messages of a queue, and how to send one."""
        queue, function = mapping.queue, mapping.function
        self.print(f"{queue.name} sends batches of up to {mapping.batch_size} to {function.name}.")
        if self.retry_after is not None:
            after = plural(self.retry_after, "second")
            self.print(f"A message that ends the process is retried after {after}.")
        self.print("Send one with `make local-send`, or with the AWS CLI:\n")
        self.print(f"  {send_command(self.aws, mapping, self.root)}\n", style="bold")
        if queue.dead_letter_url:
            targets = "`make local-dead-letters`, `make local-redrive`, `make local-drop ID=…`"
            self.print(f"Its dead letters: {targets}\n")

    def batch(self, batch: Batch) -> None:
        """Show the log of a batch and the outcome of each message."""
        mapping, invocation = batch.mapping, batch.invocation
        if batch.filtered:
            for record in batch.records:
                message = f"{record['messageId'][:8]}  {short(record['body'])}"
                self.print(f"{time.strftime('%X')}  filtered out  {message}", style="dim")
            return
        messages = plural(len(batch.records), "message")
        self.print(
            f"{time.strftime('%X')}  {messages} to {mapping.function.name}, "
            f"{1000 * invocation.seconds:.0f} ms",
            style="bold",
        )
        reasons: dict[str, str] = {}
        for line in invocation.log:
            ours = line.get("logger") == LOGGER
            if ours and MESSAGE_ID in line:
                reasons[line[MESSAGE_ID]] = line["message"].partition(": ")[2].partition("\n")[0]
            if "stackTrace" in line or not ours:
                text = line.get("stackTrace") or line["message"]
                self.print(textwrap.indent(text.rstrip(), "    "), style="dim")
        if batch.error:
            self.print(f"    The whole batch failed: {batch.error}", style="red")
        failed_groups = set[str]()
        for record in batch.records:
            message = f"{record['messageId'][:8]}  {short(record['body'])}"
            reason = reasons.get(record["messageId"], "")
            group = record["attributes"].get("MessageGroupId", "") if mapping.queue.is_fifo else ""
            if record["messageId"] not in batch.failed and not reason:
                self.print(f"    done    {message}", style="green")
                continue
            if reason:
                outcome = "failed" if record["messageId"] in batch.failed else "dead  "
                failed_groups.add(group)
            else:
                outcome = "back  "
                held = group and group in failed_groups
                reason = "an earlier message of its group failed" if held else "no time was left"
            times = record["attributes"]["ApproximateReceiveCount"]
            of = f" of {mapping.queue.max_receive_count}" if mapping.queue.dead_letter_url else ""
            why = "" if batch.error and outcome == "back  " else f": {reason}"
            self.print(f"    {outcome}  {message}", style="red")
            self.print(f"            receive {times}{of}{why}", style="red")

    def queues(self, mappings: list[EventSourceMapping]) -> None:
        """Show the depth of each queue; without a terminal, only new dead letters."""
        texts = []
        for mapping in mappings:
            queue = mapping.queue
            waiting, in_flight = self.aws.depth(queue.url)
            text = f"{queue.name}: {waiting} waiting, {in_flight} in flight"
            if queue.dead_letter_url:
                dead = sum(self.aws.depth(queue.dead_letter_url))
                text += f", {plural(dead, 'dead letter')}"
                if dead != self.dead_letters.get(queue.name, 0) and not self.console.is_terminal:
                    self.print(f"{queue.name}: {plural(dead, 'dead letter')}")
                self.dead_letters[queue.name] = dead
            texts.append(text)
        self.status.update(" | ".join(texts))


def send_command(aws: Aws, mapping: EventSourceMapping, root: Path) -> str:
    """Return the command that sends an example with the AWS CLI, in the way of the stack."""
    keys = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
    file = example_file(root, mapping.function.handler)
    route = route_to(aws.client, mapping.queue.arn, mapping.queue.url)
    try:
        bodies = examples(file)
        in_file = len(bodies) == 1 and not isinstance(route, ToBus)
        body = f"file://{file.relative_to(root)}" if in_file else bodies[0]
    except UserError:
        body = "{}"
    service, action, *parameters = route.command(body)
    command = ["aws", service, action, "--endpoint-url", aws.endpoint, *parameters]
    return f"{keys} {shlex.join(command)}"


def short(body: str) -> str:
    """Return the start and the end of a message, on one line."""
    body = one_line(body)
    return body if len(body) <= LONGEST_BODY else f"{body[: LONGEST_BODY - 20]}…{body[-19:]}"


def one_line(text: str) -> str:
    """Return a text on one line, without what would control the terminal."""
    return "".join(
        each if each.isprintable() else f"\\u{ord(each):04x}" for each in " ".join(text.split())
    )


def plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
