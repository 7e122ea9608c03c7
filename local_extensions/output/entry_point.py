"""The Python source of the entry point, as ruff format would leave it."""

from collections.abc import Sequence

from local_extensions.fields.classes import LINE_LENGTH
from local_extensions.fields.key import KeyField


def batch_handler(class_name: str, key: Sequence[KeyField], *, in_event: bool) -> str:
    """Return the call that makes the Lambda handler, for the end of the line `handler = `.

    key: the fields that tell messages apart; none without idempotency.
    """
    handle = f"Once(handle, {_lambda(expression(key))})" if key else "handle"
    envelope = ["envelope=eventbridge"] if in_event else []
    call = ", ".join([class_name, handle, *envelope])
    if len(f"handler = batch_handler({call})") <= LINE_LENGTH:
        return f"batch_handler({call})"
    if len(f"    {call}") <= LINE_LENGTH:
        return f"batch_handler(\n    {call}\n)"
    lines = "".join(f"    {argument},\n" for argument in [class_name, _once(key), *envelope])
    return f"batch_handler(\n{lines})"


def expression(key: Sequence[KeyField]) -> str:
    """Return the key of `message` in Python: a value, or a tuple of several."""
    values = _values(key)
    return f"({', '.join(values)})" if len(values) > 1 else values[0]


def _values(key: Sequence[KeyField]) -> list[str]:
    paths = [".".join(["message", *field.names]) for field in key]
    return [f"type({path}).__name__" if field.is_tag else path for path, field in zip(paths, key, strict=True)]


def _lambda(body: str) -> str:
    return f"key=lambda message: {body}"


def _once(key: Sequence[KeyField]) -> str:
    """Return the argument that has a line of its own, broken into several if it is too long."""
    function = _lambda(expression(key))
    if len(f"    Once(handle, {function}),") <= LINE_LENGTH:
        return f"Once(handle, {function})"
    if len(f"        handle, {function}") <= LINE_LENGTH:
        return f"Once(\n        handle, {function}\n    )"
    if len(f"        {function},") > LINE_LENGTH:
        comma = "," if len(key) > 1 else ""
        function = _lambda("(\n" + "".join(f"            {value}{comma}\n" for value in _values(key)) + "        )")
    return f"Once(\n        handle,\n        {function},\n    )"
