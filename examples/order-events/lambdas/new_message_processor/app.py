"""The entry point of the Lambda function."""

from shared.new_message import NewMessage, handle
from sqs import batch_handler

handler = batch_handler(NewMessage, handle)
