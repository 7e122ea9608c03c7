"""The entry point of the Lambda function: an SQS batch in, the ids of the failed messages out."""

from typing import Any

import msgspec

from shared import sqs
from shared.new_message import NewMessage, handle

process_batch = sqs.batch_processor(msgspec.json.Decoder(NewMessage), handle)


def handler(event: dict[str, Any], context: sqs.Context | None) -> sqs.BatchResponse:
    return process_batch(event, context)
