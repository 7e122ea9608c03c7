"""What a queue and its function are set to, the published limits, and which of them is reached first.

The limits are those of AWS's documentation; docs/scale.md has their addresses.
"""

import math
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"
if str(TEMPLATE / "lambdas") not in sys.path:  # the waits that are simulated are those of the template
    sys.path.append(str(TEMPLATE / "lambdas"))

from sqs.backoff import Backoff as Backoff  # noqa: E402
from sqs.batch import RESERVE_SECONDS  # noqa: E402

FIRST_CONCURRENCY = 5  # batches at the same time, when messages arrive at an idle queue
GROWTH = 300  # more batches at the same time, per minute
MOST_CONCURRENCY = 1250  # of a mapping that has no MaximumConcurrency
LARGEST_MAXIMUM_CONCURRENCY = 1000
ACCOUNT_CONCURRENCY = 1000  # the default quota
INVOCATIONS = 10  # requests per second that one execution environment serves
IN_FLIGHT = 120_000  # messages received and not deleted, per queue
PAYLOAD = 6 * 1024 * 1024  # bytes of one invocation
LONGEST_TIMEOUT = 900

BATCHES_OF_A_POLLER = 10  # of provisioned mode; the next three are too
POLLS_OF_A_POLLER = 10  # per second
BYTES_OF_A_POLLER = 1_000_000  # per second
PROVISIONED_GROWTH = 1000  # more batches at the same time, per minute
MOST_POLLERS = 2000

MESSAGES_OF_A_POLL = 10
FIFO_MESSAGES = 3000  # per second, without high throughput and with batches of ten
HIGH_THROUGHPUT_MESSAGES = 700_000  # per second, in us-east-1, with batches of ten

# An event has more of a record than its body: names, ids and a receipt handle. An assumption.
BYTES_OF_A_RECORD = 1000


@dataclass(frozen=True)
class Settings:
    """A queue, its messages and its function. The defaults are those of the template."""

    rate: float = 0  # messages that arrive per second
    backlog: int = 0  # messages in the queue at the start
    seconds: float = 0.1  # that a message takes
    at_once: bool = False  # the messages of a batch are handled at the same time
    batch_size: int = 10
    window: float = 0
    maximum_concurrency: int | None = 10
    pollers: tuple[int, int] | None = None  # the fewest and the most, in provisioned mode
    account_concurrency: int = ACCOUNT_CONCURRENCY
    groups: int | None = None  # message groups of a FIFO queue; None is a standard queue
    high_throughput: bool = True  # of a FIFO queue
    timeout: float = 10
    receives: int = 7  # at the last of these, a message that fails becomes a dead letter
    failure: float = 0  # the share of messages that fail
    outage: tuple[float, float] | None = None  # from and until when all messages fail, in seconds
    backoff: Backoff | None = field(default_factory=Backoff)  # None: the visibility timeout
    overhead: float = 0.01  # seconds of a poller for each batch, outside the function
    message_bytes: int = 1000

    @property
    def fifo(self) -> bool:
        return self.groups is not None

    @property
    def visibility(self) -> float:
        """The visibility timeout, by the rule that the template and AWS follow."""
        return 6 * self.timeout + self.window

    @property
    def largest_batch(self) -> int:
        """How many messages fit in a batch."""
        return max(1, min(self.batch_size, PAYLOAD // (self.message_bytes + BYTES_OF_A_RECORD)))

    @property
    def most_in_time(self) -> int:
        """How many messages of a batch are started before the function's timeout is near."""
        left = self.timeout - RESERVE_SECONDS
        if self.seconds <= 0 or self.at_once:
            return self.largest_batch
        return max(1, math.ceil(left / self.seconds - 1e-9))

    def handling(self, messages: float) -> float:
        """Return how many seconds a batch keeps the function."""
        return self.seconds if self.at_once else min(messages, self.most_in_time) * self.seconds

    def duration(self, messages: float) -> float:
        """Return how many seconds a batch keeps one of the concurrent places."""
        return self.overhead + self.handling(messages)

    def failing(self, now: float) -> float:
        """Return the share of messages that fail at a time."""
        return 1 if self.outage and self.outage[0] <= now < self.outage[1] else self.failure

    def wait(self, receives: int, lasted: float, share: float) -> float:
        """Return how long a message that failed is hidden, from the end of its batch, which lasted so long.

        share: what the random part leaves of the longest wait.
        """
        if self.backoff is None:
            return self.visibility - lasted
        # Before a message that was received before is handled, it is hidden until after the function's timeout.
        until_timeout = self.timeout + 1 - lasted if receives > 1 else 0
        return max(until_timeout, share * self.backoff.most_seconds(receives, fifo=self.fifo))

    @property
    def first_concurrency(self) -> int:
        first = self.pollers[0] * BATCHES_OF_A_POLLER if self.pollers else FIRST_CONCURRENCY
        return min(first, self.most_concurrency)

    @property
    def growth(self) -> float:
        """How many more batches may run at the same time after a second with a backlog."""
        return (PROVISIONED_GROWTH if self.pollers else GROWTH) / 60

    @property
    def most_concurrency(self) -> int:
        """How many batches may run at the same time."""
        own = self.maximum_concurrency or MOST_CONCURRENCY
        if self.pollers:
            own = self.pollers[1] * BATCHES_OF_A_POLLER
        return min(own, self.account_concurrency, self.groups or own)


def capacities(settings: Settings) -> dict[str, float]:
    """Return how many messages per second each part can handle."""
    batch = settings.largest_batch
    done = min(batch, settings.most_in_time)
    of_one = done / settings.duration(batch)
    found = {
        "account concurrency": settings.account_concurrency * of_one,
        "invocations": INVOCATIONS * settings.account_concurrency * done,
        "in flight": IN_FLIGHT / batch * of_one,
    }
    if settings.pollers:
        most = settings.pollers[1]
        per_poller = min(
            BATCHES_OF_A_POLLER * of_one,
            POLLS_OF_A_POLLER * min(batch, MESSAGES_OF_A_POLL),
            BYTES_OF_A_POLLER / settings.message_bytes,
        )
        found["provisioned pollers"] = most * per_poller
    else:
        found["MaximumConcurrency"] = (settings.maximum_concurrency or MOST_CONCURRENCY) * of_one
    if settings.groups is not None:
        found["message groups"] = settings.groups * of_one
        found["FIFO throughput"] = HIGH_THROUGHPUT_MESSAGES if settings.high_throughput else FIFO_MESSAGES
    return found


def capacity(settings: Settings) -> float:
    """Return how many messages per second the slowest part can handle."""
    return min(capacities(settings).values())


def changes(settings: Settings) -> list[tuple[str, Settings]]:
    """Return what has to change so that the messages that arrive are handled, first things first.

    Each change has a name with its new value, and the settings after it. The last one may say that one queue is not
    enough.
    """
    made: list[tuple[str, Settings]] = []
    for _ in range(12):
        change = _next_change(made[-1][1] if made else settings)
        if change is None:
            return made
        made.append(change)
        if change[0] == "several queues":
            return made
    return made


def _next_change(now: Settings) -> tuple[str, Settings] | None:
    batch = now.largest_batch
    if now.most_in_time < batch:  # the others would be returned again and again, and become dead letters
        needed = math.ceil(batch * now.seconds + 2 * RESERVE_SECONDS)
        if needed <= LONGEST_TIMEOUT:
            return f"function timeout {needed} s", replace(now, timeout=needed)
        fewer = int((LONGEST_TIMEOUT - 2 * RESERVE_SECONDS) / now.seconds)
        return f"batch size {fewer}", replace(now, batch_size=max(1, fewer))
    found = capacities(now)
    name = min(found, key=lambda each: found[each])
    if found[name] >= now.rate * (1 - 1e-9):
        return None
    concurrency = math.ceil(now.rate / batch * now.duration(batch) - 1e-9)
    match name:
        case "MaximumConcurrency" if concurrency <= LARGEST_MAXIMUM_CONCURRENCY:
            return f"MaximumConcurrency {concurrency:,}", replace(now, maximum_concurrency=concurrency)
        case "MaximumConcurrency" if now.maximum_concurrency and concurrency <= MOST_CONCURRENCY:
            return "no MaximumConcurrency", replace(now, maximum_concurrency=None)
        case "MaximumConcurrency" | "invocations" if batch < 10:  # most of the time is not spent in the function
            return "batch size 10", replace(now, batch_size=10)
        case "invocations":
            return f"batch size {10 * batch:,}", replace(now, batch_size=10 * batch)
        case "MaximumConcurrency" | "provisioned pollers":
            most = math.ceil(now.rate / (capacities(replace(now, pollers=(2, 1)))["provisioned pollers"]) - 1e-9)
            if most <= MOST_POLLERS:
                pollers = (min(200, most), most)
                return f"provisioned pollers {most:,}", replace(now, pollers=pollers, maximum_concurrency=None)
        case "account concurrency":
            return f"account concurrency {concurrency:,}", replace(now, account_concurrency=concurrency)
        case "in flight" if batch > 10:
            return f"batch size {batch // 10:,}", replace(now, batch_size=batch // 10)
        case "message groups":
            return f"message groups {concurrency:,}", replace(now, groups=concurrency)
        case "FIFO throughput" if not now.high_throughput:
            return "high throughput", replace(now, high_throughput=True)
    return "several queues", now
