"""What `handle` may ask about a delivery, and what it may answer. Knows nothing of SQS."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

# The longest time for which a queue can hide a message: 12 hours.
LONGEST_WAIT = 43_200


class Event(msgspec.Struct, frozen=True):
    """What an event bus says about a message that came as the detail of an event."""

    id: str
    time: datetime
    source: str
    detail_type: str


class Delivery(msgspec.Struct, frozen=True):
    """One delivery of a message: `def handle(message, delivery)` gets it.

    message_id: the id that the queue gave the message. It changes when a dead letter is sent back.
    receive_count: how often the message has been received, this time included.
    is_last_receive: if `handle` fails now, the message becomes a dead letter.
    sent_at: when the message was sent, with a time zone.
    message_group: None if the message has none.
    attributes: what the sender added beside the body, by name.
    event: None unless the message came through an event bus.
    """

    message_id: str
    receive_count: int
    is_last_receive: bool
    sent_at: datetime
    message_group: str | None
    attributes: Mapping[str, str | int | float | bytes]
    event: Event | None = None


class RetryLater(Exception):
    """Raise it in `handle` to get the message again after this many seconds, up to 43,200.

    It counts as a receive. On the last one, the message becomes a dead letter instead. The longest
    waits end up to 20 minutes early, because the queue counts 12 hours from the receive.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not 0 <= seconds <= LONGEST_WAIT:
            raise ValueError(f"RetryLater takes 0 to {LONGEST_WAIT} seconds, not {seconds}")
        super().__init__(reason or f"retry in {seconds:g} s")
        self.seconds = seconds


class Reject(Exception):
    """Raise it in `handle` if the message can never succeed: it becomes a dead letter now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
