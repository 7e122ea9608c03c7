"""Say what is wrong with a body that cannot be parsed, without quoting it."""

import re

import msgspec

from sqs.records import Record

# msgspec goes on with a part of the body after these words, and no part of it may be logged.
_QUOTING = ("Invalid enum value", "Invalid value", "Object contains unknown field")


class MessageParseError(ValueError):
    """The body of a record is not the expected message."""


class EmptyMessageBody(MessageParseError):
    """The record has no body."""

    def __init__(self) -> None:
        super().__init__("The body is empty")


class CannotDeserialize(MessageParseError):
    """The body is not JSON, or JSON of another shape.

    reason: what msgspec says, such as "Expected `int`, got `str`".
    path: the place in the body, such as "$.quantity"; "$" is the whole body.
    hint: what the body is instead, and what to change.
    """

    def __init__(self, reason: str, path: str = "$", hint: str | None = None) -> None:
        super().__init__(f"{reason} - at `{path}`{f'; {hint}' if hint else ''}")
        self.reason = reason
        self.path = path


def parse_error(
    record: Record, error: BaseException, *, in_event: bool = False
) -> MessageParseError:
    """Turn what decoding the body raised into what is wrong with the body.

    in_event: the message should have come in an event of EventBridge.
    """
    if not record.get("body"):
        return EmptyMessageBody()
    if not isinstance(error, msgspec.DecodeError):
        return CannotDeserialize(f"Cannot be decoded ({type(error).__name__})")
    # msgspec says "Expected `int`, got `str` - at `$.quantity`", or only the reason.
    reason, found, path = str(error).rpartition(" - at `")
    if not found:
        reason, path = path, "$`"
    reason = next((words for words in _QUOTING if reason.startswith(words)), reason)
    path = path.removesuffix("`")
    from sqs.envelopes import hint_about  # not needed until something fails

    hint = hint_about(record["body"], in_event=in_event)
    return CannotDeserialize(_other_spelling(record["body"], reason, path) or reason, path, hint)


def _other_spelling(body: str, reason: str, path: str) -> str | None:
    """Say so if the body has a missing field in another spelling, such as order_id for orderId."""
    missing = re.fullmatch("Object missing required field `(.+)`", reason)
    if not missing:
        return None
    try:
        found = msgspec.json.decode(body)
        for key, index in re.findall(r"\.([^.\[]+)|\[(\d*)[.\]]", path):
            found = found[key or int(index)]
    except Exception:  # the rest of the body is broken, or the path is ambiguous, as in a dict
        return None
    wanted = _letters(missing[1])
    for key in found if isinstance(found, dict) else ():
        if _letters(key) == wanted:
            return f"missing `{missing[1]}`; the body has `{key}`"
    return None


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
