"""The entry point of the Lambda function: an SQS batch in, the ids of the failed messages out."""

from typing import Any

import msgspec

from shared.{{ cookiecutter.__message_module }} import {{ cookiecutter.message_name }}, handle
from shared.sqs import BatchResponse, process_batch

decoder = msgspec.json.Decoder({{ cookiecutter.message_name }})


def handler(event: dict[str, Any], context: object) -> BatchResponse:
    return process_batch(event, decoder, handle)
