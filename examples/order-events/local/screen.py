"""What a local run shows: how to send a message, each message's outcome, what is in the queues."""

import shlex
import textwrap
import time

from rich.console import Console

from local.aws import SETTINGS, Aws, EventSourceMapping
from local.poller import Batch
from local.template import sample_message

LONGEST_BODY = 60


class Screen:
    """Prints line after line. On a terminal, what is in the queues is kept up to date below."""

    def __init__(self, aws: Aws, retry_after: int | None, plain: bool = False) -> None:
        self.aws = aws
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
        """Print a line as it is."""
        self.console.print(text, style=style, markup=False)

    def ready(self, mapping: EventSourceMapping) -> None:
        """Say what happens to messages, and how to send one."""
        queue, function = mapping.queue, mapping.function
        self.print(f"{queue.name} sends batches of up to {mapping.batch_size} to {function.name}.")
        after = f"after {plural(queue.visibility_timeout, 'second')}"
        if self.retry_after is not None:
            after = f"after {plural(self.retry_after, 'second')} here, on AWS {after}"
        self.print(f"A message that fails comes again {after}.")
        self.print("Send one with `make local-send`, or with the AWS CLI:\n")
        self.print(f"  {send_command(self.aws.endpoint, mapping)}\n", style="bold")

    def batch(self, batch: Batch) -> None:
        """Show what became of a batch."""
        mapping, invocation = batch.mapping, batch.invocation
        messages = plural(len(batch.records), "message")
        self.print(
            f"{time.strftime('%X')}  {messages} to {mapping.function.name}, "
            f"{1000 * invocation.seconds:.0f} ms",
            style="bold",
        )
        reasons = {}
        for line in invocation.log:
            ours = line.get("logger") == "shared.sqs"
            if ours and "messageId" in line:
                reasons[line["messageId"]] = line["message"].partition(": ")[2].partition("\n")[0]
            if "stackTrace" in line or not ours:
                text = line.get("stackTrace") or line["message"]
                self.print(textwrap.indent(text.rstrip(), "    "), style="dim")
        if batch.error:
            self.print(f"    The whole batch failed: {batch.error}", style="red")
        for record in batch.records:
            message = f"{record['messageId'][:8]}  {short(record['body'])}"
            if record["messageId"] not in batch.failed:
                self.print(f"    done    {message}", style="green")
                continue
            times = record["attributes"]["ApproximateReceiveCount"]
            of = f" of {mapping.queue.max_receive_count}" if mapping.queue.dead_letter_url else ""
            why = "" if batch.error else ": held back, or no time was left"
            if record["messageId"] in reasons:
                why = f": {reasons[record['messageId']]}"
            self.print(f"    failed  {message}", style="red")
            self.print(f"            receive {times}{of}{why}", style="red")

    def queues(self, mappings: list[EventSourceMapping]) -> None:
        """Show how many messages are where; without a terminal, new dead letters."""
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


def send_command(endpoint: str, mapping: EventSourceMapping) -> str:
    """The line that sends the sample message with the AWS CLI."""
    keys = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
    command = ["aws", "sqs", "send-message", "--endpoint-url", endpoint]
    command += ["--queue-url", mapping.queue.url]
    command += ["--message-body", f"file://{sample_message(mapping.function.handler)}"]
    if mapping.queue.is_fifo:
        command += ["--message-group-id", "sample"]
    return f"{keys} {shlex.join(command)}"


def short(body: str) -> str:
    """The start of a message, on one line."""
    body = " ".join(body.split())
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY]}…"


def plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
