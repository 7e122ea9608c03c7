"""The filter patterns of an event source mapping on this machine."""

import json
from typing import Any

import pytest
from sqskit.errors import UserError
from sqskit.filters import is_wanted, read_pattern

from tests.support.records import record

BODY = {
    "region": "us-east-1",
    "price": 12.5,
    "urgent": True,
    "note": None,
    "tags": ["new", "gift"],
    "customer": {"name": "Zoë", "vip": False},
    "items": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 20}],
}


def wanted(pattern: Any, body: str = json.dumps(BODY)) -> bool:
    return is_wanted(record(body), (read_pattern(json.dumps(pattern), "F"),))


@pytest.mark.parametrize(
    ("pattern", "is_kept"),
    [
        ({"region": ["us-east-1"]}, True),
        ({"region": ["us-east-2", "us-east-1"]}, True),
        ({"region": ["us"]}, False),
        ({"price": [12.5]}, True),
        ({"urgent": [True]}, True),
        ({"urgent": [1]}, False),
        ({"note": [None]}, True),
        ({"missing": [None]}, False),
        ({"tags": ["gift"]}, True),
        ({"tags": ["old"]}, False),
        ({"region": [{"prefix": "us-"}]}, True),
        ({"region": [{"prefix": "eu-"}]}, False),
        ({"price": [{"prefix": "12"}]}, False),
        ({"region": [{"suffix": "-1"}]}, True),
        ({"region": [{"suffix": {"equals-ignore-case": "EAST-1"}}]}, True),
        ({"region": [{"equals-ignore-case": "US-EAST-1"}]}, True),
        ({"region": [{"anything-but": ["eu-west-1"]}]}, True),
        ({"region": [{"anything-but": "us-east-1"}]}, False),
        ({"region": [{"anything-but": {"prefix": "us-"}}]}, False),
        ({"missing": [{"anything-but": ["x"]}]}, False),
        ({"price": [{"numeric": [">", 10, "<=", 12.5]}]}, True),
        ({"price": [{"numeric": ["=", 12]}]}, False),
        ({"region": [{"numeric": [">", 0]}]}, False),
        ({"urgent": [{"numeric": [">", 0]}]}, False),
        ({"region": [{"exists": True}]}, True),
        ({"customer": [{"exists": True}]}, False),
        ({"customer": {"name": [{"exists": True}]}}, True),
        ({"missing": [{"exists": False}]}, True),
        ({"missing": {"name": [{"exists": False}]}}, True),
        ({"missing": [{"exists": True}]}, False),
        ({"customer": {"name": ["Zoë"], "vip": [True]}}, False),
        ({"region": ["x"], "$or": [{"price": [12.5]}]}, False),
        ({"region": ["us-east-1"], "$or": [{"price": [1]}, {"urgent": [True]}]}, True),
        ({"$or": [{"price": [1]}, {"urgent": [False]}]}, False),
        ({"items": {"sku": ["b"], "quantity": [{"numeric": [">", 10]}]}}, True),
        ({"items": {"sku": ["a"], "quantity": [{"numeric": [">", 10]}]}}, False),
    ],
    ids=str,
)
def test_pattern_on_the_body_keeps_what_it_matches(pattern: Any, is_kept: bool) -> None:
    assert wanted({"body": pattern}) == is_kept


def test_body_that_is_not_json_matches_only_patterns_for_text() -> None:
    assert not wanted({"body": {"region": [{"exists": False}]}}, "plain text")
    assert wanted({"body": ["plain text"]}, "plain text")
    assert not wanted({"body": [{"prefix": "{"}]})


def test_pattern_may_be_about_attributes() -> None:
    assert wanted({"attributes": {"ApproximateReceiveCount": ["1"]}})
    assert not wanted({"attributes": {"ApproximateReceiveCount": ["2"]}})


def test_message_needs_to_match_only_one_pattern() -> None:
    one, other = (read_pattern(json.dumps({"body": {"price": [price]}}), "F") for price in (1, 12.5))
    assert is_wanted(record(json.dumps(BODY)), (one, other))
    assert not is_wanted(record(json.dumps(BODY)), (one,))
    assert is_wanted(record("anything"), ())


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("{", "a filter pattern of F is not JSON: "),
        ("[]", "a filter pattern of F cannot be used here: [] must be an object or an array that is not empty"),
        ('{"body": {"a": "x"}}', 'a filter pattern of F cannot be used here: "x" must be an object or an array'),
        ('{"body": {"a": []}}', "a filter pattern of F cannot be used here: [] must be"),
        ('{"body": {"a": [{"cidr": "10.0.0.0/8"}]}}',
         'a filter pattern of F cannot be used here: the operator {"cidr": "10.0.0.0/8"} is unknown'),
        ('{"body": {"a": [{"numeric": [">"]}]}}', 'a filter pattern of F cannot be used here: the operator {"numeric"'),
        ('{"$or": [{"a": [{"prefix": 1}]}]}', 'a filter pattern of F cannot be used here: the operator {"prefix": 1}'),
    ],
)  # fmt: skip
def test_pattern_that_cannot_be_used_is_refused(pattern: str, error: str) -> None:
    with pytest.raises(UserError) as raised:
        read_pattern(pattern, "F")
    assert str(raised.value).startswith(error)
