"""The page of the local stack: each message as it is tried, done, retried or dead."""

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqskit.aws import Aws, Depth
from sqskit.mapping import EventSourceMapping
from sqskit.page.history import History
from sqskit.page.letters import DeadLetters
from sqskit.page.request import value_of
from sqskit.page.sending import Sending
from sqskit.page.server import Action, Server

# The page of a template has a port of its own among these, so that its address stays the same.
PORTS = range(20_000, 30_000)

# How long to wait for browsers that are to hear that the run is over.
SECONDS_TO_END = 1


class Page:
    """A page about a stack and its messages, served during a `with` statement."""

    def __init__(
        self, aws: Aws, mappings: Iterable[EventSourceMapping], template: Path, *, opened: bool
    ) -> None:
        """opened: `open` also opens it in a browser."""
        mappings = list(mappings)
        self.history = History()
        self.letters = DeadLetters(aws, mappings, self.history)
        self.sending = Sending(aws, mappings, template.parent, self.history)
        self.template = template
        self.opened = opened
        self.server: Server | None = None
        self.problem = ""

    def __enter__(self) -> Self:
        """Serve the page. If that is impossible, the run goes on without it."""
        about = {"project": self.template.parent.name, "targets": self.sending.targets()}
        actions: dict[str, Action] = {
            "/send": self._send,
            "/send-back": lambda request: self.letters.send_back(value_of(request, "id", str)),
            "/send-all-back": lambda request: self.letters.send_all_back(),
            "/drop": lambda request: self.letters.drop(value_of(request, "id", str)),
        }
        try:
            self.server = Server(port_of(self.template), self.history, about, actions)
        except OSError as error:
            self.problem = str(error)
        else:
            threading.Thread(target=self.server.serve_forever, args=[0.1], daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.history.end()
        until = time.monotonic() + SECONDS_TO_END
        while self.history.watchers and time.monotonic() < until:
            time.sleep(0.01)
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def open(self) -> str:
        """Open the page if that is wanted, and return a line that says where it is."""
        if not self.server:
            return f"There is no page to watch it: {self.problem}"
        line = f"Watch it at {self.server.url}"
        if self.opened:
            import webbrowser  # not needed otherwise

            if not webbrowser.open(self.server.url):
                line += " (no browser was found that could open it)"
        return line

    def queues(self, depths: list[Depth]) -> None:
        """Show the depth of each queue, and dead letters that the page does not know yet."""
        self.history.set_depths(depths)
        self.letters.compare(depths)

    def _send(self, request: dict[str, Any]) -> None:
        self.sending.send(
            value_of(request, "queue", str),
            value_of(request, "body", str),
            value_of(request, "count", int, default=1),
            value_of(request, "group", str, default="") or "example",
            broken=value_of(request, "broken", bool, default=False),
        )


def port_of(template: Path) -> int:
    """Return the port for the page of a template."""
    digest = hashlib.sha256(os.fsencode(template)).digest()
    return PORTS[int.from_bytes(digest[:4], "big") % len(PORTS)]
