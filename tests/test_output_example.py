"""The generated example."""

from local_extensions.output.example import example
from tests.support.messages import message_of


def test_examples_look_like_their_fields() -> None:
    message = message_of(
        "orderId: str, customerEmail: str, quantity: int, price: float, gift: bool, total: Decimal, day: date, "
        "at: datetime, key: UUID, state: 'new' | 'paid', code: str[3], level: 7 <= int < 9, tags: list[str][2:], "
        "ratio: 0 < float < 0.01, sizes: dict[str, int]"
    )
    assert example(message, n=2) == {
        "orderId": "order-2",
        "customerEmail": "customer-2@example.com",
        "quantity": 2,
        "price": 2.5,
        "gift": False,
        "total": "2.50",
        "day": "2026-01-02",
        "at": "2026-01-02T08:30:00Z",
        "key": "00000000-0000-4000-8000-000000000002",
        "state": "paid",
        "code": "cod",
        "level": 8,
        "tags": ["tag-2", "tag-2"],
        "ratio": 0.005,
        "sizes": {"key-1": 2},
    }
