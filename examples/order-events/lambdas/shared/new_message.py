"""The domain: the message, and what to do with it. Knows nothing of SQS."""

import logging
from typing import Annotated
from uuid import UUID

import msgspec

logger = logging.getLogger(__name__)


class Item(msgspec.Struct, frozen=True):
    """Part of NewMessage: items."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    note: str | None = None


class NewMessage(msgspec.Struct, frozen=True, rename="camel"):
    """One message. In JSON its names are in camelCase."""

    order_id: UUID
    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=100)]


def handle(message: NewMessage) -> None:
    """Process one message. If this raises an exception, the message is retried."""
    # Your business logic goes here. SQS may deliver a message twice; that must do no harm.
    logger.info("Handling the message for %s", message.order_id)
