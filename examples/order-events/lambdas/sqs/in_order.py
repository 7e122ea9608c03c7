"""Handle the messages of a batch one after the other, with a `def handle`."""

from time import monotonic

from sqs.batch import Batch, check_result
from sqs.records import message_group


def process_in_order(batch: Batch) -> None:
    """Handle every message until the time runs out."""
    decode, handle, stop_at = batch.decode, batch.handle, batch.stop_at
    failed_groups = batch.failed_groups
    records = iter(batch.records)
    for record in records:
        if monotonic() >= stop_at:
            for late in (record, *records):
                batch.give_back(late, "outOfTime")
            return
        if failed_groups and message_group(record) in failed_groups:
            batch.give_back(record, "heldBack")
            continue
        try:
            message = decode(record["body"])
        except Exception as error:
            batch.fail(record, "failedToParse", error)
            continue
        try:
            result = handle(message)
            if result is not None:
                check_result(result)
        except BaseException as error:
            batch.fail(record, "failedToHandle", error)
