"""Handle each message once: claim its key in a table before `handle`, and complete it afterwards.

The records are those of Powertools for AWS Lambda, so that both can share a table:
https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
"""

import hashlib
import json
import math
import os
from collections.abc import Callable
from time import monotonic, time
from typing import Any, Generic, TypeVar

import msgspec

from sqs.backoff import Backoff
from sqs.claims import MOST_CALLS, AlreadyDone, Claims, InProgress, NotClaimed
from sqs.dead_letters import is_dead_letter
from sqs.handler import Handle
from sqs.queue import new_client
from sqs.records import Record, receive_count

MessageT = TypeVar("MessageT")

# Longer than a message can be in the queue (4 days) and then in its dead-letter queue (14 days).
DAYS = 30

# A function runs for at most this many seconds.
LONGEST_INVOCATION = 900

# How long a message waits for another one with its key; at most until the claim of that one ends.
WAIT = Backoff(first=5, factor=2)

FREE = (
    "attribute_not_exists(id) OR expiration < :now OR (#status = :inprogress"
    " AND attribute_exists(in_progress_expiration) AND in_progress_expiration < :now_ms)"
    " OR (attribute_exists(rejected) AND rejected <> :body)"
)

# A call that is late must not change the record of another invocation.
OURS = "#status = :inprogress AND in_progress_expiration = :until"


class Once(Generic[MessageT]):
    """A `handle` that is called once for each key, unless the process ends during the call.

    handle: as `batch_handler` takes it.
    key: returns what tells messages apart, such as an id or a tuple of ids. If it is empty, that is
    None, "" or a tuple of these, the message is handled without a claim.
    days: how long a key that is done is remembered.
    prefix: of the ids in the table, by default the name of the Lambda function.

    The table is that of the environment variable IDEMPOTENCY_TABLE. A test has none; every message
    is handled then. Raises RuntimeError if a Lambda function has none.
    """

    def __init__(
        self,
        handle: Handle[MessageT],
        key: Callable[[MessageT], object],
        *,
        days: int = DAYS,
        prefix: str | None = None,
    ) -> None:
        function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.handle = handle
        self.key = key
        self.days = days
        self.prefix = prefix or function or ""
        self.table = os.environ.get("IDEMPOTENCY_TABLE")
        if self.table:
            # Made during INIT, where a function has a full core.
            self.client = new_client(
                "dynamodb", connect_timeout=1, read_timeout=2, max_pool_connections=MOST_CALLS
            )
        elif function:
            raise RuntimeError("IDEMPOTENCY_TABLE is not set; the template must name the table")

    def claims(self, deadline: float) -> Claims | None:
        """Return the claims of a batch; none in a test. See sqs.claims."""
        return TableClaims(self, deadline) if self.table else None

    def id_of(self, message: MessageT) -> str | None:
        """Return the id of a message in the table; None if it has no key."""
        key = msgspec.to_builtins(self.key(message), order="deterministic")
        values = key if isinstance(key, list | tuple) else [key]
        if all(value is None or value == "" for value in values):
            return None
        # MD5 of this very text is what Powertools takes for a field, or a list of several.
        digest = hashlib.md5(json.dumps(key, sort_keys=True).encode(), usedforsecurity=False)
        return f"{self.prefix}#{digest.hexdigest()}"


class TableClaims:
    """The claims of one batch. They end with the invocation, whatever becomes of the process."""

    def __init__(self, once: Once[Any], deadline: float) -> None:
        self.once = once
        seconds = deadline - monotonic()
        self.until = time() + (seconds if math.isfinite(seconds) else LONGEST_INVOCATION)
        self.ids: dict[str, str] = {}  # of the claimed messages in the table
        self.broken: Exception | None = None  # why no more claims are made

    def claim(self, record: Record, message: Any) -> None:
        """Claim the key of a message; see sqs.claims. Raises what the key function raises, too."""
        id_ = self.once.id_of(message)
        if id_ is None:
            return
        if self.broken:
            raise NotClaimed(self.broken)
        now, free = time(), FREE
        if is_dead_letter(record.get("messageAttributes")):  # it was sent back, to be handled
            free += " OR attribute_exists(rejected)"
        item = {"status": {"S": "INPROGRESS"}, "in_progress_expiration": _ms(self.until)}
        try:
            self._call(
                "put_item",
                Item={"id": {"S": id_}, "expiration": self._expiration(), **item},
                ConditionExpression=free,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":inprogress": {"S": "INPROGRESS"},
                    ":now": {"N": str(int(now))},
                    ":now_ms": _ms(now),
                    ":body": _body(record),
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.once.client.exceptions.ConditionalCheckFailedException as error:
            other = error.response.get("Item", {})
        except Exception as error:
            raise NotClaimed(error) from error
        else:
            self.ids[record["messageId"]] = id_
            return
        if other.get("status") == {"S": "COMPLETED"}:
            raise AlreadyDone(id_)
        left = int(other.get("in_progress_expiration", {}).get("N", 10**15)) / 1000 - now + 1
        raise InProgress(max(1, min(left, WAIT.seconds(receive_count(record), fifo=False))))

    def complete(self, record: Record, *, rejected: bool = False) -> None:
        """Remember the key of a message that is done."""
        id_ = self.ids.pop(record["messageId"], None)
        if id_ is None:
            return
        change = "SET #status = :completed, expiration = :expiration"
        values: dict[str, Any] = {":completed": {"S": "COMPLETED"}}
        values[":expiration"] = self._expiration()
        condition = {}
        if rejected:  # a message that was handled is done, whatever another invocation does
            change += ", rejected = :body"
            values |= {":body": _body(record), **self._ours()}
            condition = {"ConditionExpression": OURS}
        self._call(
            "update_item",
            Key={"id": {"S": id_}},
            UpdateExpression=change,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=values,
            **condition,
        )

    def release(self, record: Record) -> None:
        """Give up the claim of a message that is to be handled again."""
        id_ = self.ids.pop(record["messageId"], None)
        if id_ is None or self.broken:
            return
        self._call(
            "delete_item",
            Key={"id": {"S": id_}},
            ConditionExpression=OURS,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=self._ours(),
        )

    def _ours(self) -> dict[str, Any]:
        return {":inprogress": {"S": "INPROGRESS"}, ":until": _ms(self.until)}

    def _call(self, name: str, **parameters: Any) -> None:
        try:
            getattr(self.once.client, name)(TableName=self.once.table, **parameters)
        except Exception as error:
            if not getattr(error, "response", None):  # DynamoDB does not answer
                self.broken = error
            raise

    def _expiration(self) -> dict[str, str]:
        return {"N": str(int(time()) + self.once.days * 86400)}


def _body(record: Record) -> dict[str, str]:
    """Return what tells bodies apart: a sender can correct a message that was rejected."""
    digest = hashlib.md5(record["body"].encode(errors="replace"), usedforsecurity=False)
    return {"S": digest.hexdigest()}


def _ms(seconds: float) -> dict[str, str]:
    return {"N": str(int(seconds * 1000))}
