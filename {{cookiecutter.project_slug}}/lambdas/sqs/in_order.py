"""Handle the messages of a batch one after the other, with a `def handle`."""

from contextvars import copy_context
from time import monotonic
from typing import Any

from sqs.batch import Batch, GaveWay, check_result
from sqs.deliveries import current
from sqs.records import Record, message_group, receive_count


def process_in_order(batch: Batch) -> None:
    """Handle every message until the time runs out."""
    decode, stop_at = batch.settings.decode, batch.stop_at
    failed_groups = batch.failed_groups
    first, suspects = batch.suspects_last()
    records = iter([*first, *suspects])
    for place, record in enumerate(records):
        if monotonic() >= stop_at:
            for late in (record, *records):
                batch.give_back(late, "outOfTime")
            return
        if failed_groups and message_group(record) in failed_groups:
            batch.give_back(record, "heldBack")
            continue
        if place >= len(first) and batch.must_give_way(record):
            batch.fail(record, "failedToHandle", GaveWay(receive_count(record)))
            continue
        try:
            message = decode(record["body"])
        except BaseException as error:
            batch.fail(record, "failedToParse", error)
            continue
        if place >= len(first):
            batch.expect_the_end(record)
        try:
            # In a context of its own, a message cannot change context variables for the next one.
            copy_context().run(_handle, batch, record, message)
        except BaseException as error:
            batch.fail(record, "failedToHandle", error)
        else:
            batch.done.append(record)


def _handle(batch: Batch, record: Record, message: Any) -> None:
    current.set(record)
    result = batch.settings.handle(*batch.arguments(record, message))
    if result is not None:
        check_result(result)
