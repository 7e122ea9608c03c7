"""The JSON of a request for an action, checked, because not only the page can send one."""

import json
from typing import Any

KINDS = {str: "a text", int: "a whole number, such as 1", bool: "true or false"}


class BadRequest(Exception):
    """A request that the page itself does not send."""


def request_in(content: bytes) -> dict[str, Any]:
    """Return the JSON object of a request. Raises BadRequest."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequest("the request is nested too deeply") from error
    if not isinstance(found, dict):
        raise BadRequest("a request must be a JSON object")
    return found


def value_of(request: dict[str, Any], name: str, type_: type, *, default: Any = None) -> Any:
    """Return a value of a request. Raises BadRequest if it has another type, or is missing."""
    value = request.get(name, default)
    if type(value) is not type_:  # isinstance would take True for a number
        raise BadRequest(f"`{name}` must be {KINDS[type_]}")
    return value
