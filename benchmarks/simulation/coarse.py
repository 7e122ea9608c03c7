"""The coarse model: counts of messages, moved once per tick. An hour at any rate takes a fraction of a second.

Its state is how many messages are visible, running or hidden, by how often they were received. In each tick messages
arrive, hidden ones return, batches end, the pollers may become more, and new batches begin. The batches of a tick that
begin together are one event, their end; a batch that ends between two ticks ends partly at each, so that its mean
duration is exact. `exact.py` has every message, and a test compares the two.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.simulation.settings import (
    BATCHES_OF_A_POLLER,
    BYTES_OF_A_POLLER,
    FIFO_MESSAGES,
    FIRST_CONCURRENCY,
    HIGH_THROUGHPUT_MESSAGES,
    IN_FLIGHT,
    INVOCATIONS,
    MESSAGES_OF_A_POLL,
    POLLS_OF_A_POLLER,
    Settings,
    capacity,
)

# The random fifth of a wait is divided into this many parts.
PARTS = 5


@dataclass
class Totals:
    """What has happened so far."""

    sent: float = 0
    done: float = 0
    dead: float = 0
    tried: float = 0  # calls of `handle`, and so of what it depends on
    received: float = 0
    batches: float = 0
    receives: float = 0  # ReceiveMessage calls that returned messages
    empty_receives: float = 0
    deletes: float = 0
    waits: float = 0  # messages whose visibility was changed
    function_seconds: float = 0


class Cohort(NamedTuple):
    """Batches that begin together."""

    begun: float
    places: float  # of the concurrent ones
    batch: float  # messages in each
    counts: list[float]  # of messages, by how often they were received before


class Coarse:
    """A queue and its function, in steps of a tick."""

    def __init__(self, settings: Settings, tick: float = 1.0) -> None:
        self.settings, self.tick, self.ticks = settings, tick, 0
        self.totals = Totals(sent=settings.backlog)
        self.visible = [float(settings.backlog)] + [0.0] * (settings.receives - 1)
        self.hidden = defaultdict[int, list[float]](lambda: [0.0] * settings.receives)  # by the tick of their return
        self.hidden_now = 0.0
        self.ending = defaultdict[int, list[Cohort]](list)  # by the tick
        self.concurrency = float(settings.first_concurrency)
        self.busy = 0.0
        self.running = 0.0  # messages whose batch has begun, and ends at a later tick
        self.handled_now = 0.0  # of these, as many as are handled at the same time
        self.backlog_left = False

    @property
    def now(self) -> float:
        return self.ticks * self.tick

    @property
    def waiting(self) -> float:
        return sum(self.visible)

    @property
    def in_flight(self) -> float:
        return self.handled_now + self.hidden_now

    @property
    def backlog(self) -> float:
        """Messages that are neither done nor dead at one moment."""
        return self.waiting + self.in_flight

    @property
    def unsettled(self) -> float:
        """Messages that are neither done nor dead in this model, where a tick settles all of its short batches."""
        return self.waiting + self.running + self.hidden_now

    def run(self, seconds: float) -> "Coarse":
        until = self.ticks + round(seconds / self.tick)
        while self.ticks < until:
            self.step()
        return self

    def step(self) -> None:
        """Do what happens in a tick."""
        arrived = self.settings.rate * self.tick
        self.visible[0] += arrived
        self.totals.sent += arrived
        for count, returned in enumerate(self.hidden.pop(self.ticks, ())):
            self.visible[count] += returned
            self.hidden_now -= returned
        for cohort in self.ending.pop(self.ticks, ()):
            self._end(cohort)
        if self.backlog_left:
            more = self.settings.growth * self.tick
            self.concurrency = min(self.settings.most_concurrency, self.concurrency + more)
        self._begin()
        idle = max(0.0, self.concurrency - self.busy)
        self.totals.empty_receives += idle * self.tick / 20  # long polling
        self.ticks += 1

    def _begin(self) -> None:
        """Begin batches with the messages that are visible."""
        settings, tick = self.settings, self.tick
        free = self.concurrency - self.busy
        available = self.waiting
        if settings.groups is not None:  # a group waits for its failed message
            available *= max(0.0, 1 - self.hidden_now / settings.groups)
        messages = min(available, self._most_received())
        begun = 0.0
        if messages > 1e-9 and free > 1e-9:
            batch = self._fill(messages, free)
            duration = settings.duration(batch)
            if settings.window and batch < settings.largest_batch:
                duration += settings.window
            batches = min(messages / batch, free * max(1.0, tick / duration))
            batches = min(batches, INVOCATIONS * settings.account_concurrency * tick)
            # A message that fails stays in flight; another one makes room when its batch ends.
            room = max(0.0, IN_FLIGHT - self.in_flight)
            batches = min(batches, room / batch / max(min(1.0, duration / tick), settings.failing(self.now)))
            begun = batches * batch
            self._begin_batches(batches, batch, duration)
        self.backlog_left = available - begun > 1e-6

    def _begin_batches(self, batches: float, batch: float, duration: float) -> None:
        settings, tick, totals = self.settings, self.tick, self.totals
        share = min(1.0, batches * batch / self.waiting)
        counts = [each * share for each in self.visible]
        self.visible = [each - taken for each, taken in zip(self.visible, counts, strict=True)]
        places = batches * min(1.0, duration / tick)
        self.busy += places
        self.running += sum(counts)
        self.handled_now += places * batch
        totals.received += sum(counts)
        totals.batches += batches
        totals.receives += batches * max(1.0, batch / MESSAGES_OF_A_POLL)
        totals.function_seconds += batches * settings.handling(batch)
        whole = max(1, int(duration / tick + 1e-9))
        rest = max(0.0, duration / tick - whole)
        for ticks, part in ((whole, 1 - rest), (whole + 1, rest)):
            if part > 1e-9:
                cohort = Cohort(self.now, places * part, batch, [each * part for each in counts])
                self.ending[self.ticks + ticks].append(cohort)

    def _most_received(self) -> float:
        """Return how many messages the pollers can receive in this tick."""
        settings = self.settings
        most = float("inf")
        if settings.pollers:
            pollers = self.concurrency / BATCHES_OF_A_POLLER
            polled = POLLS_OF_A_POLLER * min(MESSAGES_OF_A_POLL, settings.largest_batch)
            most = pollers * min(polled, BYTES_OF_A_POLLER / settings.message_bytes) * self.tick
        if settings.fifo:
            limit = HIGH_THROUGHPUT_MESSAGES if settings.high_throughput else FIFO_MESSAGES
            most = min(most, limit * self.tick)
        return most

    def _fill(self, messages: float, free: float) -> float:
        """Return how many messages the batches have: no more than keep the free places busy for this tick."""
        settings, tick = self.settings, self.tick
        batch = messages / free
        if settings.at_once:
            batch /= max(1.0, tick / settings.duration(1))
        else:
            spare = free * tick - messages * settings.seconds
            if spare > 0:
                several = messages * settings.overhead / spare
                if settings.duration(max(1.0, several)) < tick:
                    batch = several
        # Each of the pollers of a quiet queue gathers messages of its own.
        gathered = 1 + settings.rate * settings.window / FIRST_CONCURRENCY if settings.window else 1
        return float(min(settings.largest_batch, max(batch, gathered)))

    def _end(self, cohort: Cohort) -> None:
        """Settle the messages of batches that end: done, dead, or hidden until their retry."""
        settings, totals = self.settings, self.totals
        self.busy -= cohort.places
        self.running -= sum(cohort.counts)
        self.handled_now -= cohort.places * cohort.batch
        failing = settings.failing(cohort.begun)
        left = sum(cohort.counts) * min(1.0, settings.most_in_time / cohort.batch)  # messages that time is left for
        done, failed = 1 - failing, failing
        if settings.fifo and failing:  # the rest of the group is held back
            good = 1 - failing
            none_failed = good**cohort.batch
            done = good * (1 - none_failed) / failing / cohort.batch
            failed = (1 - none_failed) / cohort.batch
        # The template handles messages that are received for the first time, and then those received most often.
        for before in (0, *range(settings.receives - 1, 0, -1)):
            count = cohort.counts[before]
            attempted = min(count, left)
            left -= attempted
            totals.tried += attempted * (done + failed)
            totals.done += attempted * done
            totals.deletes += attempted * done / min(MESSAGES_OF_A_POLL, cohort.batch)
            if settings.fifo:
                self.visible[before] += attempted * (1 - done - failed)
            self._fail(before, attempted * failed, cohort)
            self._return(before, count - attempted, [settings.visibility - (self.now - cohort.begun)])

    def _fail(self, before: int, messages: float, cohort: Cohort) -> None:
        settings = self.settings
        if not messages:
            return
        shares = [0.8 + 0.2 * (part + 0.5) / PARTS for part in range(PARTS)]  # a fifth of each wait is random
        waits = [settings.wait(before + 1, self.now - cohort.begun, share) for share in shares]
        self._return(before, messages, waits)
        if settings.backoff and before + 1 < settings.receives:
            self.totals.waits += messages

    def _return(self, before: int, messages: float, waits: list[float]) -> None:
        """Let messages return after these waits, unless they were received for the last time."""
        if before + 1 >= self.settings.receives:
            self.totals.dead += messages
            return
        self.hidden_now += messages
        for wait in waits:
            self.hidden[self.ticks + max(1, round(wait / self.tick))][before + 1] += messages / len(waits)


def drain(settings: Settings, longest: float = 10 * 86_400) -> Coarse:
    """Run until the queue is empty. If that takes long, a tick is longer."""
    expected = settings.backlog / capacity(settings)
    run = Coarse(settings, min(10.0, max(1.0, expected // 5000)))
    while run.unsettled >= 0.5 and run.now < longest:
        run.step()
    return run
