"""The entry point of the Lambda function: an SQS batch in, the ids of the failed messages out."""

from typing import Any

import msgspec

from shared import sqs
from shared.{{ cookiecutter.__message_module }} import {{ cookiecutter.message_name }}, handle

decoder = msgspec.json.Decoder({{ cookiecutter.message_name }})


def handler(event: dict[str, Any], context: object) -> sqs.BatchResponse:
    return sqs.process_batch(event, decoder, handle)
