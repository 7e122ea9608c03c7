"""The entry point of the Lambda function."""

from shared.{{ cookiecutter.__message_module }} import {{ cookiecutter.message_name }}, handle
from sqs import batch_handler{{ ", eventbridge" if cookiecutter.source == "eventbridge" }}
{% if cookiecutter.idempotency_key %}
from sqs.idempotency import Once
{% endif %}

handler = {{ cookiecutter | batch_handler }}
