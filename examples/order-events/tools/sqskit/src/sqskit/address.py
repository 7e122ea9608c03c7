"""The file in which `sqskit local` leaves its address for the other commands."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from sqskit.errors import UserError

LOOPBACK = "http://127.0.0.1:"


def places(template: Path) -> Iterator[Path]:
    """Yield where the file may be: in the project, or elsewhere if nobody can write there."""
    yield template.parent / ".local-endpoint"
    key = hashlib.sha256(os.fsencode(template.parent)).hexdigest()[:16]
    with suppress(OSError):  # no folder for temporary files can be written to
        yield Path(tempfile.gettempdir()) / f"sqskit-{key}"


def running_at(template: Path) -> str | None:
    """Return the address of the stack of a template, if it runs."""
    for path in places(template):
        with suppress(OSError, UnicodeDecodeError):
            address = path.read_text("utf-8")
            if address.startswith(LOOPBACK) and is_alive(address):
                return address
    return None


def is_alive(address: str) -> bool:
    """Tell whether moto answers at an address; a stack that was killed leaves its address too."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=2)
    with closing(connection), suppress(OSError, HTTPException):
        connection.request("GET", "/moto-api/")
        return connection.getresponse().status == 200
    return False


def claim(template: Path) -> None:
    """Remove the address of a stack that was killed. Raises UserError if the stack runs."""
    if address := running_at(template):
        raise UserError(f"a stack of this project already runs at {address}; stop it first")
    for path in places(template):
        with suppress(OSError):
            path.unlink()


@contextmanager
def published(template: Path, address: str) -> Iterator[None]:
    """Leave the address during a `with` statement. Raises UserError."""
    path = write(template, address)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def write(template: Path, address: str) -> Path:
    """Write the address to the first place that can be written to. Raises UserError."""
    reasons = []
    for path in places(template):
        try:
            with path.open("x", encoding="utf-8") as file:  # never that of another stack
                file.write(address)
            return path
        except OSError as error:
            reasons.append(f"{path}: {error.strerror}")
    raise UserError(f"cannot write the address of the stack to {', or '.join(reasons)}")
