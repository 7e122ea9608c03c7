"""What became of each message of a batch, by the function's response and its log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqskit.dead_letter_queue import ORIGINAL_ID
from sqskit.poller import MESSAGE_ID, Batch, is_own

# lambdas/sqs logs a failure with its cause, as `Message … failed at receive …: reason; fate`.
CAUSE = "cause"

# It logs a message whose key is done already with this cause, which is no failure.
DUPLICATE = "duplicate"

# A failed message goes back to the queue; so does one that was not tried, which is `returned`.
Kind = Literal["done", "duplicate", "failed", "returned", "dead", "filtered"]


@dataclass(frozen=True)
class Outcome:
    """What became of a message."""

    record: dict[str, Any]
    kind: Kind
    reason: str = ""  # on one line, for a message that did not succeed
    fate: str = ""  # what lambdas/sqs has said of it, such as `it becomes a dead letter`


def outcomes_of(batch: Batch) -> Iterator[Outcome]:
    """Yield the outcome of each message, in the order of the batch."""
    if batch.filtered:
        yield from (Outcome(record, "filtered") for record in batch.records)
        return
    failures = dict(filter(None, map(failure, batch.invocation.log)))
    duplicates = {str(line[MESSAGE_ID]) for line in batch.invocation.log if is_duplicate(line)}
    failed_groups = set[str]()
    for record in batch.records:
        id_ = record["messageId"]
        is_fifo = batch.mapping.queue.is_fifo
        group = record["attributes"].get("MessageGroupId", "") if is_fifo else ""
        if id_ in failures:
            failed_groups.add(group)
            yield Outcome(record, "failed" if id_ in batch.failed else "dead", *failures[id_])
        elif id_ not in batch.failed:
            yield Outcome(record, "duplicate" if id_ in duplicates else "done")
        elif batch.error:
            yield Outcome(record, "returned", batch.error.partition("\n")[0])
        elif group and group in failed_groups:
            yield Outcome(record, "returned", "an earlier message of its group failed")
        else:
            yield Outcome(record, "returned", "no time was left")


def known_id(record: dict[str, Any]) -> str:
    """Return the id by which a message is known as a dead letter, also after it was sent back."""
    original = record["messageAttributes"].get(ORIGINAL_ID, {})
    return str(original.get("stringValue") or record["messageId"])


def failure(line: dict[str, Any]) -> tuple[str, tuple[str, str]] | None:
    """Return the id of a message, why it failed and its fate, if lambdas/sqs has logged that."""
    if not is_about_a_message(line) or line[CAUSE] == DUPLICATE:
        return None
    said = str(line["message"]).partition(": ")[2]
    text, has_fate, fate = said.rpartition("; ")
    reason, _, more = (text if has_fate else said).partition("\n")
    return str(line[MESSAGE_ID]), (reason, "" if more or not has_fate else fate)


def is_duplicate(line: dict[str, Any]) -> bool:
    """Tell whether lambdas/sqs has logged that the key of a message is done already."""
    return is_about_a_message(line) and line[CAUSE] == DUPLICATE


def is_about_a_message(line: dict[str, Any]) -> bool:
    """Tell whether lambdas/sqs has logged what became of a message, and why."""
    return is_own(line) and MESSAGE_ID in line and CAUSE in line
