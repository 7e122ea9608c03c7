"""Queues, functions, and the event source mappings between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The longest visibility timeout in seconds that SQS accepts.
LONGEST_VISIBILITY_TIMEOUT = 43_200


@dataclass(frozen=True)
class Queue:
    """An SQS queue."""

    url: str
    arn: str
    visibility_timeout: int  # in seconds
    dead_letter_url: str | None
    max_receive_count: int | None

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def is_fifo(self) -> bool:
        return self.arn.endswith(".fifo")


@dataclass(frozen=True)
class Function:
    """A Lambda function."""

    name: str
    folder: Path  # of its code
    handler: str
    timeout: int  # in seconds
    memory_size: int  # in MB
    runtime: str
    arn: str
    environment: dict[str, str]


@dataclass(frozen=True)
class EventSourceMapping:
    """An event source mapping: hands batches of a queue's messages to a function."""

    queue: Queue
    function: Function
    batch_size: int
    window: int  # how many seconds a batch may grow
    concurrency: int  # how many batches may be processed at the same time
    reports_failures: bool  # the response names the messages that failed
    filters: tuple[dict[str, Any], ...] = ()  # messages that match none of them are deleted
