"""A small client of the Debug Adapter Protocol, which VS Code and other editors speak with debugpy.

https://microsoft.github.io/debug-adapter-protocol/specification
"""

import json
import queue
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS = 20  # to wait for a message


class Debugger:
    """A connection to a debug adapter."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.settimeout(None)
        self.number = 0
        self.responses: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answered: dict[int, dict[str, Any]] = {}  # responses that nobody has asked for yet
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the other side has closed it
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def attach(self, breakpoints: dict[Path, list[int]], **settings: Any) -> None:
        """Attach with the settings of launch.json, set breakpoints, and let the process go on."""
        self.request("initialize", adapterID="debugpy", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        attached = self.send("attach", **settings)  # some adapters answer it after the configuration
        self.event("initialized")
        for path, lines in breakpoints.items():
            self.set_breakpoints(path, lines)
        self.request("configurationDone")
        self.response(attached)

    def set_breakpoints(self, path: Path, lines: list[int]) -> None:
        """Replace the breakpoints of a file."""
        set_ = self.request(
            "setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line} for line in lines]
        )
        assert all(each["verified"] for each in set_["breakpoints"]), set_

    def stopped(self) -> dict[str, Any]:
        """Wait until the process stops, and return the frame in which it did."""
        self.thread = self.event("stopped")["threadId"]
        frames: list[dict[str, Any]] = self.request("stackTrace", threadId=self.thread)["stackFrames"]
        return frames[0]

    def variables(self, frame: dict[str, Any]) -> dict[str, str]:
        """Return the local variables of a frame, as the debugger shows them."""
        scope = self.request("scopes", frameId=frame["id"])["scopes"][0]
        found = self.request("variables", variablesReference=scope["variablesReference"])["variables"]
        return {each["name"]: each["value"] for each in found}

    def go_on(self) -> None:
        self.request("continue", threadId=self.thread)

    def detach(self) -> None:
        self.request("disconnect", restart=False, terminateDebuggee=False)

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.response(self.send(command, **arguments))

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request, and return its number."""
        self.number += 1
        request = {"seq": self.number, "type": "request", "command": command, "arguments": arguments}
        content = json.dumps(request).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        return self.number

    def response(self, number: int) -> dict[str, Any]:
        """Wait for the response to a request, and return its body."""
        while number not in self.answered:
            response = self.responses.get(timeout=SECONDS)
            self.answered[response["request_seq"]] = response
        response = self.answered.pop(number)
        assert response["success"], response
        body: dict[str, Any] = response.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event, and return its body."""
        while True:
            event = self.events.get(timeout=SECONDS)
            if event["event"] == name:
                body: dict[str, Any] = event.get("body") or {}
                return body

    def ends(self) -> list[tuple[str, Any]]:
        """Wait until the other side closes the connection, and return the events that end a session."""
        events = iter(lambda: self.events.get(timeout=SECONDS), {"event": "closed"})
        return [(each["event"], each.get("body")) for each in events if each["event"] in ("exited", "terminated")]

    def _read(self) -> None:
        with suppress(OSError), self.socket.makefile("rb") as messages:  # the other side may reset it
            while header := messages.readline():
                length = int(header.partition(b":")[2])
                while messages.readline().strip():
                    pass
                message = json.loads(messages.read(length))
                (self.responses if message["type"] == "response" else self.events).put(message)
        self.events.put({"event": "closed"})
