"""The peer: Powertools' batch processor with a Pydantic record model, as its documentation has it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import BaseModel, ConfigDict, Json
from pydantic.alias_generators import to_camel


class Order(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    order_id: str
    quantity: int
    amount: Decimal
    placed_at: datetime
    tags: list[str]


class OrderRecord(SqsRecordModel):
    body: Json[Order]


processor = BatchProcessor(event_type=EventType.SQS, model=OrderRecord)


def handle(record: OrderRecord) -> None:
    pass


def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=handle, processor=processor, context=context)
