"""What became of each message of a batch, by the function's response and its log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqskit.poller import MESSAGE_ID, Batch

# lambdas/sqs logs a failure like this, with the text `Message … failed at receive …: reason`.
LOGGER = "sqs"

# It logs a message whose key is done already with this cause, which is no failure.
CAUSE, DUPLICATE = "cause", "duplicate"

# A failed message goes back to the queue; so does one that was not tried, which is `returned`.
Kind = Literal["done", "duplicate", "failed", "returned", "dead", "filtered"]


@dataclass(frozen=True)
class Outcome:
    """What became of a message."""

    record: dict[str, Any]
    kind: Kind
    reason: str = ""  # on one line, for a message that did not succeed


def outcomes_of(batch: Batch) -> Iterator[Outcome]:
    """Yield the outcome of each message, in the order of the batch."""
    if batch.filtered:
        yield from (Outcome(record, "filtered") for record in batch.records)
        return
    reasons = dict(filter(None, map(failure, batch.invocation.log)))
    duplicates = {str(line[MESSAGE_ID]) for line in batch.invocation.log if is_duplicate(line)}
    failed_groups = set[str]()
    for record in batch.records:
        id_ = record["messageId"]
        is_fifo = batch.mapping.queue.is_fifo
        group = record["attributes"].get("MessageGroupId", "") if is_fifo else ""
        if reason := reasons.get(id_, ""):
            failed_groups.add(group)
            yield Outcome(record, "failed" if id_ in batch.failed else "dead", reason)
        elif id_ not in batch.failed:
            yield Outcome(record, "duplicate" if id_ in duplicates else "done")
        elif batch.error:
            yield Outcome(record, "returned", batch.error.partition("\n")[0])
        elif group and group in failed_groups:
            yield Outcome(record, "returned", "an earlier message of its group failed")
        else:
            yield Outcome(record, "returned", "no time was left")


def failure(line: dict[str, Any]) -> tuple[str, str] | None:
    """Return the id of a message and why it failed, if lambdas/sqs has logged that."""
    if line.get("logger") != LOGGER or MESSAGE_ID not in line or is_duplicate(line):
        return None
    return str(line[MESSAGE_ID]), line["message"].partition(": ")[2].partition("\n")[0]


def is_duplicate(line: dict[str, Any]) -> bool:
    """Tell whether lambdas/sqs has logged that the key of a message is done already."""
    return line.get("logger") == LOGGER and MESSAGE_ID in line and line.get(CAUSE) == DUPLICATE
