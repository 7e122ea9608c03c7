"""The filter patterns of an event source mapping.

Lambda deletes messages that match none of them. The rules are those of
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

import json
import operator
from collections.abc import Callable
from typing import Any

from sqskit.errors import UserError

MISSING = object()


def read_pattern(text: str, function: str) -> dict[str, Any]:
    """Return a filter pattern. Raises UserError if it is not one, or cannot be emulated."""
    try:
        pattern = json.loads(text)
    except ValueError as error:
        raise UserError(f"a filter pattern of {function} is not JSON: {error}") from error
    if problem := problem_of(pattern):
        raise UserError(f"a filter pattern of {function} cannot be used here: {problem}")
    found: dict[str, Any] = pattern
    return found


def problem_of(pattern: Any) -> str | None:
    """Return what is wrong with a pattern, or None."""
    if not isinstance(pattern, dict):
        return f"{json.dumps(pattern)} must be an object or an array that is not empty"
    for key, wanted in pattern.items():
        is_array = isinstance(wanted, list) and wanted
        check = operator_problem if is_array and key != "$or" else problem_of
        for each in wanted if is_array else [wanted]:
            if problem := check(each):
                return problem
    return None


def operator_problem(wanted: Any) -> str | None:
    """Return what is wrong with an element of a pattern such as `{"prefix": "us-"}`, or None."""
    try:
        accepts(wanted, "")
        accepts(wanted, 0)
    except Exception:  # of any kind, because a pattern can be anything
        return f"the operator {json.dumps(wanted)} is unknown"
    return None


def is_wanted(record: dict[str, Any], patterns: tuple[dict[str, Any], ...]) -> bool:
    """Tell whether a record of an SQS event matches one of the patterns, if there are any."""
    event = {**record, "body": body_of(record["body"])}
    return not patterns or any(
        matches(pattern, event)
        for pattern in patterns
        if isinstance(event["body"], dict | list) or not isinstance(pattern.get("body"), dict)
    )


def body_of(text: str) -> Any:
    """Return a body as patterns see it: parsed if it is a JSON object or array."""
    try:
        body = json.loads(text)
    except ValueError:
        return text
    return body if isinstance(body, dict | list) else text


def matches(pattern: dict[str, Any], value: Any) -> bool:
    """Tell whether an object, or one in an array, has all that a pattern asks for."""
    if isinstance(value, list):
        return any(matches(pattern, each) for each in value)
    found = value if isinstance(value, dict) else {}
    return all(field_matches(key, wanted, found) for key, wanted in pattern.items())


def field_matches(key: str, wanted: Any, found: dict[str, Any]) -> bool:
    if key == "$or":
        return any(matches(each, found) for each in wanted)
    value = found.get(key, MISSING)
    if isinstance(wanted, dict):
        return matches(wanted, value)
    if isinstance(value, dict):
        value = MISSING  # operators are about values, not about objects
    values = value if isinstance(value, list) and value else [value]
    return any(accepts(each, one) for each in wanted for one in values)


def accepts(wanted: Any, value: Any) -> bool:
    """Tell whether a value is as one element of a pattern asks."""
    if isinstance(wanted, dict):
        return all(OPERATORS[name](value, argument) for name, argument in wanted.items())
    return equals(value, wanted)


def equals(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def is_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """Return an operator that compares two texts, or ignores their case if it is told to."""

    def compare(value: Any, argument: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, dict):
            return test(value.lower(), argument["equals-ignore-case"].lower())
        return test(value, argument)

    return compare


def is_none_of(value: Any, argument: Any) -> bool:
    if isinstance(argument, dict):
        return value is not MISSING and not accepts(argument, value)
    unwanted = argument if isinstance(argument, list) else [argument]
    return value is not MISSING and not any(equals(value, each) for each in unwanted)


COMPARISONS = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_in_range(value: Any, argument: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    limits = zip(argument[::2], argument[1::2], strict=True)
    return all(COMPARISONS[comparison](value, limit) for comparison, limit in limits)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "anything-but": is_none_of,
    "equals-ignore-case": is_text(lambda value, text: value.lower() == text.lower()),
    "exists": lambda value, exists: (value is not MISSING) == exists,
    "numeric": is_in_range,
    "prefix": is_text(str.startswith),
    "suffix": is_text(str.endswith),
}
