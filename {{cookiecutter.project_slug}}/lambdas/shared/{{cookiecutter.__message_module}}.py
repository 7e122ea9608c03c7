{% set message = cookiecutter | message %}
"""The domain: the message, and what to do with it. Knows nothing of SQS."""

import logging
{% for line in message | imports %}
{{ line }}
{% endfor %}

import msgspec

logger = logging.getLogger(__name__)
{% for definition in message | definitions %}


{{ definition }}
{% endfor %}


def handle(message: {{ message.class_name }}) -> None:
    """Process one message. If this raises an exception, the message is retried."""
    # Your business logic goes here. SQS may deliver a message twice; that must do no harm.
    logger.info("Handling the message for %s", message.{{ message.fields[0].name }})
