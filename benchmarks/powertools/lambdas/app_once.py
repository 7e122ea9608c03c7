"""The same peer with its idempotency: each order id is handled once."""

import os
from typing import Any

from app import OrderRecord, processor
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

table = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
config = IdempotencyConfig(event_key_jmespath="orderId")


@idempotent_function(data_keyword_argument="order", persistence_store=table, config=config)
def handle_once(order: dict[str, str]) -> None:
    pass


def handle(record: OrderRecord) -> None:
    handle_once(order={"orderId": record.body.order_id})


def handler(event: dict[str, Any], context: Any) -> Any:
    config.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=handle, processor=processor, context=context)
