"""What a batch knows of claims: a message whose key is claimed is not handled a second time.

The claims themselves are made by `sqs.idempotency`, if the function uses it.
"""

from typing import Any, Protocol

from shared.delivery import RetryLater
from sqs.records import Record

# If messages are handled at the same time, at most this many calls are made at the same time.
MOST_CALLS = 16


class AlreadyDone(Exception):
    """A message with the same key was handled before.

    id: of the record in the table.
    """

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.id = id_


class InProgress(RetryLater):
    """A message with the same key is being handled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, "its key is claimed by an invocation that may still run")


class NotClaimed(Exception):
    """It is not known whether a message with the same key was handled before."""

    def __init__(self, error: Exception) -> None:
        super().__init__("its key could not be claimed")
        self.__cause__ = error


class Claims(Protocol):
    """The claims of one batch. Each call may wait for the network."""

    def claim(self, record: Record, message: Any) -> None:
        """Claim the key of a message. Raises AlreadyDone, InProgress or NotClaimed."""

    def complete(self, record: Record, *, rejected: bool = False) -> None:
        """Remember the key of a message that is done."""

    def release(self, record: Record) -> None:
        """Give up the claim of a message that is to be handled again."""


class Once(Protocol):
    """Makes the claims of each batch.

    days: how long a key that is done is remembered.
    """

    days: int

    def claims(self, deadline: float) -> Claims | None:
        """Return the claims of a batch that ends at a deadline on the clock of time.monotonic()."""
