"""The envelope of EventBridge: an event, whose `detail` is the message.

https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from shared.delivery import Event

DetailT = TypeVar("DetailT")


class _Header(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    id: str
    time: datetime
    source: str
    detail_type: str


class _Event(_Header, Generic[DetailT], frozen=True):
    detail: DetailT


_decode_header = msgspec.json.Decoder(_Header).decode


def decoder(message_type: Any) -> Callable[[str], Any]:
    """Return a function that decodes the message in the body of an event."""
    decode = msgspec.json.Decoder(_Event[message_type]).decode
    return lambda body: decode(body).detail


def event_of(body: str) -> Event:
    """Return what the body of an event says about it."""
    header = _decode_header(body)
    return Event(header.id, header.time, header.source, header.detail_type)
