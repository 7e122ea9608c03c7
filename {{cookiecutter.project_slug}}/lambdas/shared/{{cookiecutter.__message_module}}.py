{% set message = cookiecutter | message %}
"""The domain: what a message is, and what is done with one. Knows nothing of SQS."""

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
    """Do what the message asks for.

    Any exception means that it was not done: the message goes back to the queue and comes again.
    """
    # Your business logic goes here. A message may come more than once, so let twice do no harm.
    logger.info("New message is for %s", message.{{ message.fields[0].name }})
