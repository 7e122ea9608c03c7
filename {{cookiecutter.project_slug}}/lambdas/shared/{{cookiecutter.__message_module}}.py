{% set message = cookiecutter | message %}
{% set subject = message | subject %}
{% set identifier = message | identifier %}
"""The domain: the message, and what to do with it. Knows nothing of SQS."""

import logging
{% for line in message | imports(also=["assert_never"] if subject else []) %}
{{ line }}
{% endfor %}

import msgspec

logger = logging.getLogger(__name__)
{% for definition in message | definitions %}


{{ definition }}
{% endfor %}


def handle(message: {{ cookiecutter.message_name }}) -> None:
    """Process one message. If this raises an exception, the message is retried."""
{% if cookiecutter.idempotency_key %}
    # Your business logic goes here. A message is handled once, unless the process ends meanwhile.
{% else %}
    # Your business logic goes here. SQS may deliver a message twice; that must do no harm.
{% endif %}
{% if subject %}
    match {{ subject.expression }}:
{% for class_name in subject.class_names %}
        case {{ class_name }}():
            logger.info("Handling {{ class_name }}")
{% endfor %}
        case _:
            assert_never({{ subject.expression }})
{% elif identifier %}
    logger.info("Handling the message for %s", message.{{ identifier }})
{% else %}
    logger.info("Handling the message")
{% endif %}
