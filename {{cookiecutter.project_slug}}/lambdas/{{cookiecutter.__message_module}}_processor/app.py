"""The entry point of the Lambda function."""

from shared.{{ cookiecutter.__message_module }} import {{ cookiecutter.message_name }}, handle
from sqs import batch_handler

handler = batch_handler({{ cookiecutter.message_name }}, handle)
