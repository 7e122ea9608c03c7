"""The terminal: how to send a message, the outcome of each one, and the depth of the queues."""

import codecs
import os
import shlex
import textwrap
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, Group
from rich.text import Text

from sqskit.aws import Aws, Depth
from sqskit.environment import KEYS, REGION
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.outcomes import known_id, outcomes_of
from sqskit.poller import Batch, is_own
from sqskit.routes import Route, ToBus, route_to
from sqskit.template import example_file, examples

LONGEST_BODY = 60

# The word for what became of a message, and its colour.
WORDS = {
    "done": ("done", "green"),
    "duplicate": ("dup", "cyan"),
    "failed": ("failed", "red"),
    "returned": ("back", "red"),
    "dead": ("dead", "red"),
}

PROXIES = ("HTTP_PROXY", "http_proxy")  # for an address that begins with http


class Line(NamedTuple):
    """A line to print. A terminal cuts it at its width, or else wraps it."""

    text: str
    style: str = ""
    cut: bool = False


class Screen:
    """Prints lines, and on a terminal keeps a status below them."""

    def __init__(self, plain: bool = False) -> None:
        self.console = Console(highlight=False, force_terminal=False if plain else None)
        self.is_live = (
            self.console.is_terminal
            and self.console.file.isatty()  # rich is told otherwise by FORCE_COLOR
            and not self.console.is_dumb_terminal
        )
        self.status = self.console.status("")
        self.printing = threading.Lock()
        self.dead_letters: dict[str, int] = {}
        if self.is_live:
            self.status.start()

    def close(self) -> None:
        self.status.stop()

    def print(self, *lines: Line) -> None:
        """Print lines together, even if several threads print."""
        with self.printing:
            for line in lines:
                text = Text(printable(line.text), line.style)
                if line.cut and self.is_live:
                    self.console.print(text, no_wrap=True, overflow="ellipsis")
                else:
                    self.console.print(text, soft_wrap=True)

    def wait_for(self, what: str) -> None:
        """Show what has to be done before the stack is ready."""
        self.status.update(Text(f"waiting for {what}"))

    def ready(
        self, aws: Aws, mapping: EventSourceMapping, root: Path, retry_after: int | None
    ) -> None:
        """Say which function gets the messages of a queue, and how to send one."""
        queue, function = mapping.queue, mapping.function
        route = route_to(aws.client, queue.arn, queue.url)
        lines = [
            Line(f"{queue.name} sends batches of up to {mapping.batch_size} to {function.name}.")
        ]
        if retry_after is not None:
            after = plural(retry_after, "second")
            lines.append(Line(f"A message that ends the process is first retried after {after}."))
        lines += [
            Line("Send one with `make local-send`, or with the AWS CLI:\n"),
            Line(f"  {send_command(aws.endpoint, route, function.handler, root)}\n", "bold"),
        ]
        if queue.dead_letter_url:
            targets = "`make local-dead-letters`, `local-redrive`, `local-drop ID=…`"
            lines.append(Line(f"Its dead letters: {targets}\n"))
        self.print(*lines)

    def batch(self, batch: Batch) -> None:
        """Show the log of a batch and the outcome of each message, or why that is impossible.

        The run goes on, because the messages themselves are all right.
        """
        try:
            lines = list(filtered(batch) if batch.filtered else processed(batch))
        except Exception as error:
            lines = [Line(f"cannot show a batch: {type(error).__name__}: {error}", "red")]
        self.print(*lines)

    def queues(self, depths: Iterable[Depth]) -> None:
        """Show the depth of each queue; without a status, only new dead letters."""
        lines = []
        for depth in depths:
            name, dead = depth.queue.name, depth.dead
            counts = f"{depth.waiting} waiting, {depth.in_flight} in flight"
            if dead is not None:
                counts += f", {plural(dead, 'dead letter')}"
                if dead != self.dead_letters.get(name, 0) and not self.is_live:
                    self.print(Line(f"{name}: {plural(dead, 'dead letter')}"))
                self.dead_letters[name] = dead
            lines.append(status_line(name, counts, self.console.width))
        self.status.update(Group(*lines))


def status_line(name: str, counts: str, width: int) -> Text:
    """Return a line with the counts of a queue that cuts the name if there is no room for both."""
    spinner = 2
    shown = Text(name, no_wrap=True, overflow="ellipsis")
    shown.truncate(max(10, width - spinner - len(": ") - len(counts)), overflow="ellipsis")
    return shown.append(f": {counts}")


def filtered(batch: Batch) -> Iterator[Line]:
    """Yield a line for each message that no filter lets through."""
    for record in batch.records:
        message = f"{known_id(record)[:8]}  {short(record['body'])}"
        yield Line(f"{time.strftime('%X')}  filtered out  {message}", "dim", cut=True)


def processed(batch: Batch) -> Iterator[Line]:
    yield from heading(batch)
    yield from log_lines(batch)
    yield from outcomes(batch)


def heading(batch: Batch) -> Iterator[Line]:
    messages = plural(len(batch.records), "message")
    function, milliseconds = batch.mapping.function.name, 1000 * batch.invocation.seconds
    yield Line(f"{time.strftime('%X')}  {messages} to {function}, {milliseconds:.0f} ms", "bold")


def log_lines(batch: Batch) -> Iterator[Line]:
    """Yield what the function has logged itself, and the stack traces of failures."""
    for line in batch.invocation.log:
        if "stackTrace" in line or not is_own(line):
            text = str(line.get("stackTrace") or line["message"])
            yield Line(textwrap.indent(text.rstrip(), "    "), "dim")
    if batch.error:
        error = textwrap.indent(batch.error, "    ").lstrip()
        yield Line(f"    The whole batch failed: {error}", "red")


def outcomes(batch: Batch) -> Iterator[Line]:
    """Yield a line for each message that is done or a duplicate, and two for another one."""
    queue = batch.mapping.queue
    for outcome in outcomes_of(batch):
        record = outcome.record
        word, colour = WORDS[outcome.kind]
        yield Line(
            f"    {word:6}  {known_id(record)[:8]}  {short(record['body'])}", colour, cut=True
        )
        if colour == "red":
            times = record["attributes"]["ApproximateReceiveCount"]
            of = f" of {queue.max_receive_count}" if queue.dead_letter_url else ""
            if batch.error and outcome.kind == "returned":  # the line about the batch says why
                seconds = batch.retry_at[record["messageId"]] - time.time()
                said = f"it returns in {max(0, round(seconds))} s"
            else:
                fate = "" if outcome.kind == "dead" else outcome.fate  # the word says it
                said = "; ".join(filter(None, [outcome.reason, fate]))
            yield Line(f"            receive {times}{of}: {said}", "red")


def send_command(endpoint: str, route: Route, handler: str, root: Path) -> str:
    """Return the command that sends an example for a function with the AWS CLI."""
    variables = dict(KEYS)
    if any(os.environ.get(name) for name in PROXIES):
        variables["no_proxy"] = "127.0.0.1"
    settings = " ".join(f"{name}={value}" for name, value in variables.items())
    body = example_argument(handler, root, in_file=not isinstance(route, ToBus))
    service, action, *parameters = route.command(body)
    command = ["aws", service, action, "--region", REGION, "--endpoint-url", endpoint]
    return f"{settings} {shlex.join([*command, *parameters])}"


def example_argument(handler: str, root: Path, *, in_file: bool) -> str:
    """Return an example; if wanted, as a file, if it is one that the AWS CLI can send as it is."""
    file = example_file(root, handler)
    try:
        bodies = examples(file)
    except UserError:
        return "{}"
    if in_file and len(bodies) == 1 and not file.read_bytes().startswith(codecs.BOM_UTF8):
        return f"file://{file.relative_to(root)}"
    return bodies[0]


def short(body: str) -> str:
    """Return the start and the end of a message, on one line."""
    body = one_line(body)
    return body if len(body) <= LONGEST_BODY else f"{body[: LONGEST_BODY - 20]}…{body[-19:]}"


def one_line(text: str) -> str:
    """Return a text on one line, without what would control the terminal."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Return a text without what would control the terminal, except for line breaks and tabs."""
    return "".join(each if is_harmless(each) else f"\\u{ord(each):04x}" for each in text)


def is_harmless(character: str) -> bool:
    is_space = unicodedata.category(character) == "Zs"  # such as that of Japanese
    return character.isprintable() or is_space or character in "\n\t"


def plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def in_words(seconds: float) -> str:
    """Return a time such as `3 minutes`, rounded down."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return plural(int(seconds // length), unit)
    return plural(int(seconds), "second")
