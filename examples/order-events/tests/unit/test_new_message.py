"""NewMessage: what is one in JSON, and what is not."""

import copy
import functools
import json
import operator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.new_message import NewMessage

HERE = Path(__file__).parent
MESSAGES = HERE.parents[1] / "messages"

EXAMPLE = json.loads((MESSAGES / "new_message.json").read_text("utf-8"))

# Each breaks the example, and the fault is found `at`: `value` is put at `path`, or the first of
# what is there is repeated so many `times`, or what is there is removed.
REFUSALS = json.loads((HERE / "new_message_refusals.json").read_text("utf-8"))


def decode(message: object) -> NewMessage:
    return msgspec.json.decode(json.dumps(message), type=NewMessage)


def broken(refusal: dict[str, Any]) -> object:
    message = copy.deepcopy(EXAMPLE)
    *parents, last = refusal["path"]
    parent = functools.reduce(operator.getitem, parents, message)
    if "value" in refusal:
        parent[last] = refusal["value"]
    elif "times" in refusal:
        parent[last] = parent[last][:1] * refusal["times"]
    else:
        del parent[last]
    return message


@pytest.mark.parametrize("field", EXAMPLE)
def test_every_field_of_the_example_arrives(field: str) -> None:
    arrived = json.loads(msgspec.json.encode(decode(EXAMPLE)))
    assert arrived[field] == EXAMPLE[field]


def test_what_has_a_default_may_be_left_out() -> None:
    fields = msgspec.structs.fields(NewMessage)
    decode({field.encode_name: EXAMPLE[field.encode_name] for field in fields if field.required})


def test_what_is_not_known_is_passed_over() -> None:
    assert decode({**EXAMPLE, "not a field": 1}) == decode(EXAMPLE)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"at {refusal['at']}")
def test_what_is_broken_is_refused_where_it_is_broken(refusal: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        decode(broken(refusal))
    _, found, path = str(caught.value).rpartition(" - at `")
    assert (path.removesuffix("`") if found else "$") == refusal["at"]
