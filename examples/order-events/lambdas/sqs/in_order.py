"""Handle the messages of a batch one after the other, with a `def handle`."""

from contextvars import copy_context
from time import monotonic

from sqs.batch import Batch, check_result
from sqs.deliveries import current
from sqs.records import message_group


def process_in_order(batch: Batch) -> None:
    """Handle every message until the time runs out."""
    settings, stop_at, failed_groups = batch.settings, batch.stop_at, batch.failed_groups
    decode, handle, claims = settings.decode, settings.handle, batch.claims
    first, suspects = batch.suspects_last()
    records = iter([*first, *suspects] if suspects else first)
    for place, record in enumerate(records, -len(first)):  # from 0 on, the suspects
        if monotonic() >= stop_at:
            for late in (record, *records):
                batch.give_back(late, "outOfTime")
            break
        if failed_groups and message_group(record) in failed_groups:
            batch.give_back(record, "heldBack")
            continue
        if place >= 0 and batch.gave_way(record):
            continue
        try:
            message = decode(record["body"])
        except BaseException as error:
            batch.fail(record, "failedToParse", error)
            continue
        current.set(record)
        try:
            if claims:
                batch.claim(record, message)
            if place >= 0:
                batch.expect_the_end(record)
            # In a context of its own, a message cannot change context variables for the next one.
            if settings.takes_delivery:
                result = copy_context().run(handle, *batch.arguments(record, message))
            else:
                result = copy_context().run(handle, message)
            if result is not None:
                check_result(result)
        except BaseException as error:
            batch.fail(record, "failedToHandle", error)
        else:
            batch.done.append(record)
            if claims:
                batch.complete(record)
    current.set(None)
