"""Two kinds of log lines: one for each message that failed, one for each batch."""

import logging
from collections import Counter
from typing import Literal, get_args

from sqs.parsing import parse_error
from sqs.records import Record, receive_count

# template.yaml selects its metrics by the name of this logger and of the fields below.
logger = logging.getLogger("sqs")

# Why a message goes back to its queue.
Cause = Literal["failedToParse", "failedToHandle", "heldBack", "outOfTime"]

# A message that goes back to its queue, and why.
Returned = tuple[Record, Cause]


def log_failure(record: Record, cause: Cause, error: BaseException) -> None:
    """Write one line that says which message failed and why, but not what was in it."""
    if not logger.isEnabledFor(logging.ERROR):
        return
    if cause == "failedToParse":
        error = parse_error(record, error)
    message_id, count = record["messageId"], receive_count(record)
    extra = {"messageId": message_id, "receiveCount": count, "cause": cause}
    text = "Message %s failed at receive %s: %s"
    try:
        logger.error(text, message_id, count, error, exc_info=error, extra=extra)
    except Exception:  # the error cannot say its own text; that must not fail the whole batch
        logger.error(text, message_id, count, type(error).__name__, extra=extra)


def log_summary(received: int, returned: list[Returned]) -> None:
    """Write one line with the counts of a batch, given the messages that go back."""
    if not logger.isEnabledFor(logging.WARNING):
        return
    causes = Counter(cause for _, cause in returned)
    succeeded = received - len(returned)
    counts = {"received": received, "succeeded": succeeded}
    counts |= {cause: causes[cause] for cause in get_args(Cause)}
    if causes["outOfTime"]:
        logger.warning("No time was left for %d of %d messages", causes["outOfTime"], received)
    logger.info("%d of %d messages succeeded", succeeded, received, extra=counts)
