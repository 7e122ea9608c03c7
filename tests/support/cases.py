"""The answers that are baked and checked from all sides."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from allpairspy import AllPairs

from local_extensions.fields.names import LONGEST_NAME
from scripts.machine import RUNTIME
from tests.support.projects import CHOICES, DEFAULTS

# --- combinations of the choices in cookiecutter.json --------------------------------------------

FLIPS = [{**DEFAULTS, name: choice} for name, choices in CHOICES.items() for choice in choices[1:]]


def of_values(rows: Iterable[Iterable[str]]) -> list[dict[str, str]]:
    return [dict(zip(CHOICES, row, strict=True)) for row in rows]


PRODUCT = of_values(itertools.product(*CHOICES.values()))

# The defaults, each other choice once, and the missing pairs: any two questions can change template.yaml.
COVERING = [DEFAULTS, *FLIPS]
COVERING += of_values(
    AllPairs(list(CHOICES.values()), previously_tested=[list(answers.values()) for answers in COVERING])
)


def name_of(combination: dict[str, str]) -> str:
    """Name the answers that differ from the defaults."""
    changed = [f"{name}={choice}" for name, choice in combination.items() if choice != DEFAULTS[name]]
    return " ".join(changed) or "defaults"


# --- messages as people have them, and answers at their edges ------------------------------------

ORDER = (
    "orderId: UUID, placedAt: datetime, status: 'new' | 'paid' | 'shipped' = 'new', customerEmail: str[3:254], "
    "items: list[{sku: str[1:32], quantity: int >= 1, note: str | None = None}][1:100], "
    "shippingAddress: {street: str, city: str, country: str[2]} | None = None"
)
TELEMETRY = (
    "device_id: str[1:64], at: datetime, temperature: -60 <= float <= 60, battery: 0 <= int <= 100, "
    "tags: dict[str, str][:20], raw: bytes[:1024] | None = None, flags: list[bool] | None = None"
)
PAYMENT = (
    "payment_id: UUID, amount: Decimal > 0, fee: 0 <= Decimal < 100.5 | None = None, currency: 'EUR' | 'USD' = 'EUR', "
    "method: 'card' | 'it\\'s \"cash\"' | '{{ 7*7 }}', day: date, cut_off: time, attempt: 1 | 2 | 3, note: str = 'none'"
)
MANY = ", ".join(
    f"text_{n}: str, count_{n}: int >= {n}, kind_{n}: 'a' | 'b', at_{n}: datetime | None" for n in range(50)
)

SAMPLE = """{
  "orderId": "3f2b8c1e-5d4a-4b7c-9e10-a1b2c3d4e5f6",
  "detail-type": "it's \\"placed\\" { 7*7 }",
  "placed_at": "2026-03-04T05:06:07.000Z",
  "items": [{"sku": "ä", "quantity": 1}, {"sku": "🚀", "quantity": 2.5, "note": null}],
  "customer": {"id": {"N": "7"}, "tags": {}}
}
"""

KINDS = (
    '{type: "order.placed", orderId: UUID, items: list[{sku: str}], by: {kind: "user", id: str} | {kind: "system"}} | '
    '{type: "order.cancelled", orderId: UUID, reason: str} | {type: "ping"}'
)
ENVELOPE = 'id: UUID, "detail-type": str, detail: {version: 1, total: Decimal} | {version: 2, net: Decimal}'
SCHEMA = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["orderId", "shipping"],
  "properties": {
    "orderId": {"type": "string", "format": "uuid"},
    "status": {"enum": ["new", "paid"]},
    "sku": {"type": "string", "pattern": "^[A-Z]{3}$", "maxLength": 8},
    "shipping": {"$ref": "#/$defs/Address"},
    "billing": {"oneOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]}
  },
  "$defs": {"Address": {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}}
}
"""

TYPED: dict[str, dict[str, str]] = {
    "an order on a FIFO queue": {
        "message_name": "OrderPlaced",
        "message_fields": ORDER,
        "idempotency_key": "orderId",
        "queue_type": "fifo",
    },
    "telemetry": {
        "message_name": "TelemetryReading",
        "message_fields": TELEMETRY,
        "idempotency_key": "device_id, at",
        "batch_size": "10000",
    },
    "a payment": {"project_name": "Payments", "message_name": "PaymentReceived", "message_fields": PAYMENT},
    "200 fields": {"message_fields": MANY},
    "a pasted sample": {"message_name": "OrderShipped", "message_fields": SAMPLE},
    "kinds of messages on a FIFO queue": {"message_name": "OrderEvent", "message_fields": KINDS, "queue_type": "fifo"},
    "kinds in an envelope": {
        "message_name": "Envelope",
        "message_fields": ENVELOPE,
        "idempotency_key": 'id, "detail-type", detail.version',
        "source": "sns",
    },
    "a pasted schema": {"message_name": "OrderPlaced", "message_fields": SCHEMA},
    "a window": {"idempotency_key": "orderId", "source": "eventbridge", "batch_size": "11"},
    "odd project name": {"project_name": """Zoë's "café": #1 🚀 {x} \\ 100% & <b>*it*</b> _a_ [b](c) `d` #"""},
    "longest project name": {"project_name": "x" * 256},
    "longest names": {
        "project_slug": "s",
        "message_name": "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG",
        "message_fields": f"{'a' * LONGEST_NAME}: {{{'b' * LONGEST_NAME}: float}}, {'aB' * 32}: Decimal < 1",
    },
    "shortest names": {"project_slug": "a", "message_name": "A", "message_fields": "a: bool"},
    "names of a dependency": {"project_slug": "pytest", "message_name": "Logging", "message_fields": "logger: str"},
    "a name after sqs": {"message_name": "TestResult", "message_fields": "added_later: str"},
}

CASES = [
    *(pytest.param(answers, id=name_of(answers)) for answers in COVERING),
    *(pytest.param({"runtime": RUNTIME, **answers}, id=name) for name, answers in TYPED.items()),
    *(
        pytest.param(answers, id=name_of(answers), marks=pytest.mark.wide)
        for answers in PRODUCT
        if answers not in COVERING
    ),
]


def cases(*questions: str) -> list[Any]:
    """Return the cases that differ in their answers to these questions.

    A check that depends on no other answer does not have to run for the rest.
    """
    different: dict[tuple[str | None, ...], Any] = {}
    for case in CASES:
        answers: Any = case.values[0]
        different.setdefault(tuple(answers.get(name, DEFAULTS.get(name)) for name in questions), case)
    return list(different.values())
