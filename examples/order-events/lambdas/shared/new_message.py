"""The domain: what a message is, and what is done with one. Knows nothing of SQS."""

import logging
from typing import Annotated
from uuid import UUID

import msgspec

logger = logging.getLogger(__name__)


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """Part of NewMessage: items."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    note: str | None = None


class NewMessage(msgspec.Struct, frozen=True, rename="camel"):
    """One message. In JSON its names are in camelCase."""

    order_id: UUID
    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=100)]


def handle(message: NewMessage) -> None:
    """Do what the message asks for.

    Any exception means that it was not done: the message goes back to the queue and comes again.
    """
    # Your business logic goes here. A message may come more than once, so let twice do no harm.
    logger.info("New message is for %s", message.order_id)
