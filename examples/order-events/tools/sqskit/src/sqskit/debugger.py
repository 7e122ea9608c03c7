"""The port at which a debugger attaches to a function, whatever process runs it at the moment.

It passes on what the debugger and the process say, in the Debug Adapter Protocol:
https://microsoft.github.io/debug-adapter-protocol/specification
"""

import importlib.util
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from sqskit.errors import UserError

# A new process waits this long for the debugger of the last one, which attaches by itself.
SECONDS_TO_RETURN = 5


def check_installed() -> None:
    """Raise UserError if debugpy is missing."""
    if importlib.util.find_spec("debugpy") is None:
        raise UserError(
            "debugpy is not installed; write `sqskit[debug]` instead of `sqskit` in the dev group "
            "of pyproject.toml"
        )


class Session:
    """The connection of a debugger."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.is_open = False  # between the debugger and a process
        self.is_leaving = False  # because the debugger has asked for it

    def run(self, process: socket.socket) -> bool:
        """Pass on what is said until one side has gone; tell whether it was the debugger."""
        with self.client, process:
            self.is_open = True
            back = threading.Thread(target=self._pass_back, args=[process], daemon=True)
            back.start()
            for message in messages(self.client):
                self.is_leaving |= message.get("command") in ("disconnect", "terminate")
                send(process, **message)
            if self.is_open:
                self.is_open = False
                # Otherwise, a debugger that has crashed would leave the process at its breakpoint.
                send(process, type="request", command="disconnect", arguments={})
                back.join(1)
                return True
        return self.is_leaving

    def _pass_back(self, process: socket.socket) -> None:
        for message in messages(process):
            # With these events the process would end the session for good.
            if message.get("event") not in ("exited", "terminated"):
                send(self.client, **message)
            if message["type"] == "response" and message["command"] == "disconnect":
                with suppress(OSError):  # the debugger may leave its end open
                    self.client.shutdown(socket.SHUT_RDWR)
        if self.is_open:
            self.is_open = False
            # The process has ended. This makes the debugger attach again, to the next one.
            body = {} if self.is_leaving else {"restart": True}
            send(self.client, type="event", event="terminated", body=body)
            with suppress(OSError):
                self.client.shutdown(socket.SHUT_WR)


class Debugger:
    """The port of one function, for one debugger at a time."""

    def __init__(self, port: int, name: str, say: Callable[[str], None]) -> None:
        """Listen at a port. Raises UserError if it is taken.

        name: of the function. say: shows a line to the user.
        """
        self.name = name
        self.say = say
        try:
            self.listener = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:  # the second if there is no such port
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else error
            raise UserError(
                f"cannot listen for a debugger of {name} at port {port}: {reason}; "
                "give --debug another port"
            ) from error
        self.address = "{}:{}".format(*self.listener.getsockname())
        self.port_of_process: int | None = None  # None until the process listens
        self.session: Session | None = None
        # How long a new process waits for a debugger: the first one until there is one, and others
        # for the one that was attached to the last process.
        self.seconds_to_wait = math.inf
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def is_attached(self) -> bool:
        return self.session is not None and self.session.is_open

    def process_starts(self) -> float:
        """Prepare for a new process, and return how many seconds it is to wait for a debugger."""
        self.port_of_process = None
        if math.isinf(self.seconds_to_wait):
            self.say(
                f"{self.name} waits for a debugger at {self.address}; in VS Code, press F5. "
                "You can send messages meanwhile."
            )
        return self.seconds_to_wait

    def process_listens(self, port: int) -> None:
        """Let debuggers attach to the process, which listens at a port."""
        self.port_of_process = port

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):  # only Linux needs it, to end the thread
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self.listener.accept()
                if self.is_attached:
                    client.close()
                else:
                    self.session = Session(client)
                    threading.Thread(target=self._serve, args=[self.session], daemon=True).start()

    def _serve(self, session: Session) -> None:
        """Attach a debugger to the current process, or else to the next one."""
        while not (process := self._connected()):
            time.sleep(0.05)
            if self.session is not session:  # it has tried again
                session.client.close()
                return
        self.seconds_to_wait = SECONDS_TO_RETURN
        self.say(f"A debugger is attached to {self.name}: time at a breakpoint does not count.")
        if session.run(process):
            self.seconds_to_wait = 0
            self.say(f"The debugger is detached from {self.name}, which goes on without it.")

    def _connected(self) -> socket.socket | None:
        """Return a connection to the process, if there is one that listens."""
        with suppress(OSError):  # it has just ended
            if self.port_of_process:
                return socket.create_connection(("127.0.0.1", self.port_of_process))
        return None


def messages(source: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield messages of the protocol until the source ends, or sends something else."""
    with suppress(OSError, ValueError), source.makefile("rb") as stream:
        while header := stream.readline():
            length = int(header.removeprefix(b"Content-Length:"))
            while stream.readline().strip():  # other headers
                pass
            yield json.loads(stream.read(length))


def send(target: socket.socket, **message: Any) -> None:
    """Send a message of the protocol, even if the target has ended."""
    # Messages that are passed on have a number. This one is not in use, and nobody refers to it.
    content = json.dumps({"seq": 2**31 - 1, **message}).encode()
    with suppress(OSError):
        target.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
