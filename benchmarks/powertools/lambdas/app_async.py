"""The same peer with its asynchronous processor. Each message waits."""

import asyncio
from typing import Any

from app import OrderRecord
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

SECONDS = 0.05

processor = AsyncBatchProcessor(event_type=EventType.SQS, model=OrderRecord)


async def handle(record: OrderRecord) -> None:
    await asyncio.sleep(SECONDS)


def handler(event: dict[str, Any], context: Any) -> Any:
    return async_process_partial_response(event=event, record_handler=handle, processor=processor, context=context)
