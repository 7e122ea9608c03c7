"""The server of the page, on loopback, for this page only: it refuses other hosts and origins."""

import hashlib
import json
import os
import re
import time
from base64 import b64encode
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqskit.errors import UserError
from sqskit.page.history import History
from sqskit.page.request import BadRequest, request_in
from sqskit.send import LARGEST_MESSAGE

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("page.html")

# In bytes. JSON can write each byte of a message as six, such as \u0061.
LARGEST_REQUEST = 6 * LARGEST_MESSAGE + 10_000

MOST_DIGITS = 18  # of a number; int refuses one with thousands of them
LONGEST_PATH = 100  # in a line about it

SECONDS_BETWEEN_CHANGES = 0.1
SECONDS_OF_SILENCE = 10  # after which the page hears that the run goes on
SECONDS_TO_RETRY = 1  # after which the page asks again if it hears nothing

Action = Callable[[dict[str, Any]], object]


class Server(ThreadingHTTPServer):
    """Serves the page, what happens as server-sent events, and the actions of the page."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows, two servers could have the same port

    def __init__(
        self, port: int, history: History, about: dict[str, Any], actions: dict[str, Action]
    ) -> None:
        """Bind a port, or any free one if it is taken. Raises OSError.

        about: what the page has to know of the stack.
        actions: by path. Each takes the JSON of a request, and may raise BadRequest or UserError.
        """
        self.history = history
        self.about = about
        self.actions = actions
        self.page = PAGE.read_text("utf-8").encode()
        self.policy = policy_of(self.page.decode())
        try:
            super().__init__((HOST, port), Handler)
        except OSError:
            super().__init__((HOST, 0), Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        self.url = f"http://{HOST}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the browser has closed a connection."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    has_begun = False  # to answer
    timeout = 60  # for a browser that neither sends nor receives

    def do_GET(self) -> None:
        self._answer_with(self._get)

    def do_POST(self) -> None:
        self._answer_with(self._post)

    def _answer_with(self, answer: Callable[[], None]) -> None:
        """Answer a request, whatever happens: with one line if something unexpected does."""
        self.has_begun = False
        try:
            if self._is_own():
                answer()
        except Exception as error:
            if self.has_begun:  # most often because the browser has closed the connection
                raise
            reason = f"unexpected {type(error).__name__}: {error}"
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, reason)

    def _get(self) -> None:
        path = self.path.partition("?")[0]
        kind, _, key = path[1:].partition("/")
        if path == "/":
            self._answer(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
        elif path == "/events":
            self._stream()
        elif kind == "messages":
            self._found(self.server.history.message(key))
        elif kind == "batches" and key.isdecimal() and len(key) <= MOST_DIGITS:
            self._found(self.server.history.batch(int(key)))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {path[:LONGEST_PATH]}")

    def _post(self) -> None:
        action = self.server.actions.get(self.path)
        length = self.headers.get("Content-Length", "")
        if not action:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {self.path[:LONGEST_PATH]}")
        elif self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a request must be application/json")
        elif not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a request must say its length")
        elif len(length) > MOST_DIGITS or int(length) > LARGEST_REQUEST:
            reason = f"a request can have at most {LARGEST_REQUEST} bytes"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        else:
            self._act(action, self.rfile.read(int(length)))

    def log_message(self, *args: object) -> None:
        """Say nothing: the terminal shows the messages."""

    def _is_own(self) -> bool:
        """Tell whether a request is for this page and by it, or else refuse it."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in self.server.hosts:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"this is {self.server.url}, not {host}")
        elif origin != f"http://{host}" and (origin or self.command == "POST"):
            self._refuse(HTTPStatus.FORBIDDEN, "only the page itself may ask for this")
        else:
            return True
        return False

    def _act(self, action: Action, content: bytes) -> None:
        try:
            action(request_in(content))
        except BadRequest as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except (UserError, BotoCoreError, ClientError) as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        else:
            self._found({})

    def _stream(self) -> None:
        """Send the state, and then changes until the run or the connection ends."""
        history = self.server.history
        self.close_connection = True
        self._head(HTTPStatus.OK, "text/event-stream", {"Connection": "close"})
        with history.watched():
            self.wfile.write(f"retry: {1000 * SECONDS_TO_RETRY}\n\n".encode())
            found = history.since(0)
            self._event("state", {**self.server.about, "most": history.most, **found})
            while not history.has_ended:
                if history.wait(found["version"], SECONDS_OF_SILENCE):
                    time.sleep(SECONDS_BETWEEN_CHANGES)  # for more of them
                    found = history.since(found["version"])
                    self._event("changes", found)
                else:
                    self.wfile.write(b":\n\n")
            self._event("end", {})

    def _event(self, name: str, data: dict[str, Any]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def _found(self, content: dict[str, Any] | None) -> None:
        if content is None:
            self._refuse(HTTPStatus.NOT_FOUND, "this is no longer kept")
        else:
            self._answer(HTTPStatus.OK, json.dumps(content).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer with one line. The rest of a request is not read, so the connection ends."""
        self.close_connection = True
        content = json.dumps({"error": " ".join(reason.split())}).encode()
        self._answer(status, content, "application/json", {"Connection": "close"})

    def _answer(
        self, status: HTTPStatus, content: bytes, type_: str, more: dict[str, str] | None = None
    ) -> None:
        self._head(status, type_, {"Content-Length": str(len(content)), **(more or {})})
        self.wfile.write(content)

    def _head(self, status: HTTPStatus, type_: str, more: dict[str, str]) -> None:
        self.has_begun = True
        self.send_response(status)
        headers = {
            "Content-Type": type_,
            "Cache-Control": "no-store",
            "Content-Security-Policy": self.server.policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **more,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def policy_of(page: str) -> str:
    """Return the policy that lets the browser run the script of the page, and nothing else."""
    sources = {
        "script-src": hash_of(page, "script"),
        "style-src": hash_of(page, "style"),
        "connect-src": "'self'",
        "img-src": "data:",  # the icon
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(["default-src 'none'", *(f"{k} {each}" for k, each in sources.items())])


def hash_of(page: str, tag: str) -> str:
    """Return the hash of the one script or style in a page, as a policy names it."""
    (content,) = re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
