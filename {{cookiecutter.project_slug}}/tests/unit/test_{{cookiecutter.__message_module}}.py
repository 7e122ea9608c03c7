{% set message = cookiecutter | message %}
"""What is a {{ message.class_name }} in JSON, and what is not."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.{{ cookiecutter.__message_module }} import {{ message.class_name }}, handle

MESSAGES = Path(__file__).parents[2] / "messages"
EXAMPLE = json.loads((MESSAGES / "{{ cookiecutter.__message_module }}.json").read_text("utf-8"))


def decode(message: object) -> {{ message.class_name }}:
    return msgspec.json.decode(json.dumps(message), type={{ message.class_name }})


def test_the_example_arrives_whole() -> None:
    assert msgspec.to_builtins(decode(EXAMPLE)) == EXAMPLE


def test_a_field_that_is_not_known_is_passed_over() -> None:
    assert decode({**EXAMPLE, "addedLater": 1}) == decode(EXAMPLE)


@pytest.mark.parametrize("field", EXAMPLE)
def test_every_field_is_required(field: str) -> None:
    incomplete = {name: value for name, value in EXAMPLE.items() if name != field}
    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{field}`"):
        decode(incomplete)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
{% for field in message.fields %}
        ("{{ field.wire_name }}", {{ field.refused | json }}),
        ("{{ field.wire_name }}", None),
{% endfor %}
    ],
)
def test_a_value_of_another_type_is_refused(field: str, wrong: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"at `\$\.{field}`"):
        decode({**EXAMPLE, field: wrong})


def test_the_example_is_handled(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        handle(decode(EXAMPLE))
    assert len(caplog.records) == 1
