"""Two kinds of log lines: one for each message that failed, one for each batch."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Literal, get_args

from shared.delivery import Reject, RetryLater
from sqs.records import Record, receive_count

# template.yaml selects its metrics by the name of this logger and of the fields below.
logger = logging.getLogger("sqs")

# Why a message did not succeed.
Cause = Literal["failedToParse", "failedToHandle", "heldBack", "outOfTime", "inProgress"]

# The longest text of an error that is logged, in characters.
LONGEST_TEXT = 1000


def enable() -> None:
    """Log failures and metrics even if `logging.config.dictConfig` has disabled earlier loggers."""
    logger.disabled = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)  # the metrics are read from lines of this level


def log_failure(
    record: Record, cause: Cause, error: BaseException, fate: str, *, harmless: bool = False
) -> None:
    """Write one line that says which message failed, why, and what becomes of it.

    harmless: nothing is wrong with the message, which is only to be handled later.
    """
    enable()
    level = logging.WARNING if harmless else logging.ERROR
    if not logger.isEnabledFor(level):
        return
    message_id, count = record["messageId"], receive_count(record)
    text = text_of(error)
    # What is wrong with a body, and what `handle` decided, says so without the name of a class.
    decided = isinstance(error, Reject | RetryLater)
    speaks_for_itself = text and (decided or cause == "failedToParse")
    reason = text if speaks_for_itself else f"{type_name(error)}: {text}".removesuffix(": ")
    shown = error if len(text) < LONGEST_TEXT else Exception(text)
    origin = None if decided else error.__traceback__
    logger.log(
        level,
        "Message %s failed at receive %s: %s; %s",
        message_id,
        count,
        reason,
        fate,
        exc_info=None if harmless else (type(error), shown, origin),
        extra={"messageId": message_id, "receiveCount": count, "cause": cause},
    )


def log_duplicate(record: Record, id_: str) -> None:
    """Write one line about a message that is done, because another one with its key is.

    id_: of the record in the table of keys.
    """
    fields = {"messageId": record["messageId"], "receiveCount": receive_count(record)}
    fields |= {"cause": "duplicate", "key": id_}
    logger.info("Message %s is a duplicate: its key is done", record["messageId"], extra=fields)


def log_suspect(record: Record, fate: str, deleted: Iterable[Record]) -> None:
    """Write one line about a message that may end the process, which then logs nothing more.

    fate: what becomes of it then. deleted: messages of the batch that are done, and deleted now.
    """
    enable()
    fields = {"messageId": record["messageId"], "receiveCount": receive_count(record)}
    fields |= {"deleted": [each["messageId"] for each in deleted]}
    logger.info("If message %s ends the process, %s", record["messageId"], fate, extra=fields)


def log_forgotten(record: Record, error: BaseException) -> None:
    """Write one line about a message that is done, although its key is not remembered."""
    logger.warning(
        "Message %s is done, but a duplicate of it would be handled too: %s: %s",
        record["messageId"],
        type_name(error),
        text_of(error),
        extra={"messageId": record["messageId"], "receiveCount": receive_count(record)},
    )


def log_summary(
    received: int, causes: Iterable[Cause], retried: int, rejected: int, duplicates: int | None
) -> None:
    """Write one line with the counts of a batch.

    causes: of the messages that did not succeed. retried: how many of those that failed go back to
    the queue. rejected: how many were sent to the dead-letter queue. duplicates: how many were done
    before; None if nobody knows.
    """
    enable()
    if not logger.isEnabledFor(logging.WARNING):
        return
    found = Counter(causes)
    succeeded = received - found.total() - (duplicates or 0)
    counts = {"received": received, "succeeded": succeeded}
    counts |= {cause: found[cause] for cause in get_args(Cause)}
    counts |= {"retried": retried, "rejected": rejected}
    if duplicates is None:
        del counts["inProgress"]
    else:
        counts["duplicates"] = duplicates
    if found["outOfTime"]:
        logger.warning("No time was left for %d of %d messages", found["outOfTime"], received)
    known = f"; duplicates: {duplicates}" if duplicates else ""
    logger.info("%d of %d messages succeeded%s", succeeded, received, known, extra=counts)


def type_name(error: BaseException) -> str:
    return type(error).__name__


def text_of(error: BaseException) -> str:
    """Return what an error says, with the errors in it and those that caused it, cut if long."""
    texts = [_own_text(error)]
    cause = error.__cause__
    while cause is not None and len(texts) < 5:
        texts.append(f"caused by {type_name(cause)}: {_own_text(cause)}")
        cause = cause.__cause__
    return _cut("; ".join(texts))


def _own_text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # it cannot say its own text
        text = ""
    if isinstance(error, BaseExceptionGroup):
        members = (f"{type_name(each)}: {_own_text(each)}" for each in error.exceptions[:10])
        text = f"{text}: {', '.join(members)}"
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
