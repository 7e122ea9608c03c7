"""The generated source of a message."""

import pytest

from local_extensions.output.python import annotation, documented_classes
from tests.support.messages import message_of, module_source


def test_module_looks_written_by_hand() -> None:
    message = message_of(
        "orderId: UUID, status: 'new' | 'paid' = 'new', "
        "items: list[{sku: str[1:32], quantity: int >= 1, price: Decimal > 0, note: str | None = None}][1:100], "
        "placedAt: datetime, discount: 0 < Decimal <= 0.5 | None = None"
    )
    assert (
        module_source(message)
        == '''\
import logging
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec

logger = logging.getLogger(__name__)


class Item(msgspec.Struct, frozen=True):
    """Part of Order: items."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    price: Decimal
    note: str | None = None

    def __post_init__(self) -> None:
        if not self.price.is_finite():
            raise ValueError("Expected `price` to be finite")
        if self.price <= 0:
            raise ValueError("Expected `price` > 0")


class Order(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One message. In JSON its names are in camelCase."""

    order_id: UUID
    status: Literal["new", "paid"] = "new"
    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=100)]
    placed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    discount: Decimal | None = None

    def __post_init__(self) -> None:
        if self.discount is not None:
            if not self.discount.is_finite():
                raise ValueError("Expected `discount` to be finite")
            if self.discount <= 0:
                raise ValueError("Expected `discount` > 0")
            if self.discount > Decimal("0.5"):
                raise ValueError("Expected `discount` <= 0.5")
'''
    )


def test_type_too_long_for_its_line_gets_a_name() -> None:
    name = "customer_reference_number"
    choices = " | ".join(f'"{letter * 20}"' for letter in "abcde")
    source = module_source(message_of(f"{name}: {choices} = '{'a' * 20}'"))
    assert "CustomerReferenceNumber = Literal[\n" in source
    assert f'    {name}: CustomerReferenceNumber = "{"a" * 20}"\n' in source


def test_objects_of_the_same_name_get_different_classes() -> None:
    message = message_of("item: {order: {a: int}}, billing: {address: {a: int}}, shipping: {address: {b: int}}")
    names = {class_.class_name for class_, _ in documented_classes(message)}
    assert names == {"ItemOrder", "Item", "Address", "Billing", "ShippingAddress", "Shipping", "Order"}


@pytest.mark.parametrize(
    ("field", "class_name"),
    [("items", "Item"), ("addresses", "Address"), ("categories", "Category"), ("boxes", "Box"), ("status", "Status")],
)
def test_class_of_list_items_is_in_the_singular(field: str, class_name: str) -> None:
    assert annotation(message_of(f"{field}: list[{{a: int}}]").fields[0].type) == f"list[{class_name}]"
