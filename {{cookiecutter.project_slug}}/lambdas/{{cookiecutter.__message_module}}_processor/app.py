"""The entry point of the Lambda function."""

from shared.{{ cookiecutter.__message_module }} import {{ cookiecutter.message_name }}, handle
{% if cookiecutter.source == "eventbridge" %}
from sqs import batch_handler, eventbridge

handler = batch_handler({{ cookiecutter.message_name }}, handle, envelope=eventbridge)
{% else %}
from sqs import batch_handler

handler = batch_handler({{ cookiecutter.message_name }}, handle)
{% endif %}
