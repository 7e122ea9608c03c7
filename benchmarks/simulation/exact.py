"""The exact model: every message and every batch is an object, and every event has its own time.

It is slow, and is there to check the coarse one. Messages of a standard queue are received in random order; those of a
FIFO queue in the order of their group, which waits while one of its messages is in flight.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random

from benchmarks.simulation.settings import IN_FLIGHT, Settings


@dataclass
class Message:
    sent: float
    group: int = 0
    received: int = 0


class Exact:
    """A queue and its function, event by event."""

    def __init__(self, settings: Settings, *, poisson: bool = False, seed: int = 1) -> None:
        self.settings, self.poisson, self.random = settings, poisson, Random(seed)
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.visible: list[Message] = []
        self.groups = [deque[Message]() for _ in range(settings.groups or 0)]
        self.ready = deque[int]()  # groups that have messages, none of them in flight
        self.concurrency = float(settings.first_concurrency)
        self.busy = 0
        self.gathering: list[list[Message]] = []  # batches whose window is open
        self.in_flight = 0
        self.sent = self.done = self.dead = self.tried = self.batches = 0
        self.area = 0.0  # of messages in the system, over time
        self.stay = 0.0  # of messages that are done, in total
        for number in range(settings.backlog):
            self._put(Message(0, number % (settings.groups or 1)), new=True)
        if settings.rate:
            self._at(self._gap(), self._arrive)
        self._at(0, self._begin)
        self._at(1 / settings.growth, self._grow)

    @property
    def backlog(self) -> int:
        return self.sent - self.done - self.dead

    def run(self, seconds: float) -> "Exact":
        until = self.now + seconds
        while self.events and self.events[0][0] <= until:
            self._next()
        self._advance(until)
        return self

    def drain(self, longest: float = 1e6) -> "Exact":
        while self.backlog and self.now < longest:
            self._next()
        return self

    def _next(self) -> None:
        when, _, event = heapq.heappop(self.events)
        self._advance(when)
        event()

    def _advance(self, when: float) -> None:
        self.area += (when - self.now) * self.backlog
        self.now = when

    def _at(self, wait: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + wait, next(self.order), event))

    def _gap(self) -> float:
        return self.random.expovariate(self.settings.rate) if self.poisson else 1 / self.settings.rate

    def _arrive(self) -> None:
        self._put(Message(self.now, self.random.randrange(self.settings.groups or 1)), new=True)
        self._at(self._gap(), self._arrive)
        self._begin()

    def _put(self, message: Message, *, new: bool = False) -> None:
        self.sent += new
        if not self.groups:
            self.visible.append(message)
            return
        group = self.groups[message.group]
        group.append(message)
        if len(group) == 1 and message.group not in self.ready:
            self.ready.append(message.group)

    def _grow(self) -> None:
        """Let one more batch run at the same time, if there is a backlog."""
        if self.visible or self.ready:
            self.concurrency = min(self.settings.most_concurrency, self.concurrency + 1)
            self._begin()
        self._at(1 / self.settings.growth, self._grow)

    def _begin(self) -> None:
        """Let every free poller receive messages."""
        while self.ready and self.busy < int(self.concurrency):
            group = self.groups[self.ready.popleft()]
            self._invoke([group[place] for place in range(min(len(group), self.settings.largest_batch))])
        while self.visible and self.in_flight < IN_FLIGHT:
            idle = int(self.concurrency) - self.busy - len(self.gathering)
            if idle + len(self.gathering) <= 0:
                return
            if self.gathering and self.random.randrange(idle + len(self.gathering)) >= idle:
                batch = self.random.choice(self.gathering)
            else:
                batch = []
                self.gathering.append(batch)
                self._at(self.settings.window, lambda batch=batch: self._close(batch))  # type: ignore[misc]
            self._receive(batch)
            if not self.settings.window or len(batch) == self.settings.largest_batch:
                self._close(batch)

    def _receive(self, batch: list[Message]) -> None:
        """Move messages into a batch, in random order."""
        while self.visible and len(batch) < self.settings.largest_batch and self.in_flight < IN_FLIGHT:
            place = self.random.randrange(len(self.visible))
            self.visible[place], self.visible[-1] = self.visible[-1], self.visible[place]
            batch.append(self.visible.pop())
            self.in_flight += 1

    def _close(self, batch: list[Message]) -> None:
        """End the window of a batch, if it is still open."""
        if any(each is batch for each in self.gathering):
            self.gathering = [each for each in self.gathering if each is not batch]
            self._invoke(batch)

    def _invoke(self, batch: list[Message]) -> None:
        self.busy += 1
        self.batches += 1
        for message in batch:
            message.received += 1
        begun = self.now
        self._at(self.settings.duration(len(batch)), lambda: self._end(batch, begun))

    def _end(self, batch: list[Message], begun: float) -> None:
        self.busy -= 1
        settle = self._settle_group if self.groups else self._settle
        settle(batch, begun)
        self._begin()

    def _fails(self, begun: float) -> bool:
        self.tried += 1
        return self.random.random() < self.settings.failing(begun)

    def _finish(self, message: Message) -> None:
        self.done += 1
        self.stay += self.now - message.sent

    def _wait(self, message: Message, begun: float, *, untried: bool = False) -> float:
        """Return how long a message is hidden after its batch."""
        lasted = self.now - begun
        if untried:
            return self.settings.visibility - lasted
        return self.settings.wait(message.received, lasted, 0.8 + 0.2 * self.random.random())

    def _settle(self, batch: list[Message], begun: float) -> None:
        # As the template does: those received for the first time, and then those received most often.
        batch.sort(key=lambda message: (message.received > 1, -message.received))
        for place, message in enumerate(batch):
            untried = place >= self.settings.most_in_time
            if not untried and not self._fails(begun):
                self.in_flight -= 1
                self._finish(message)
            elif message.received >= self.settings.receives:
                self.in_flight -= 1
                self.dead += 1
            else:
                wait = self._wait(message, begun, untried=untried)
                self._at(wait, lambda message=message: self._reappear(message))  # type: ignore[misc]

    def _reappear(self, message: Message) -> None:
        self.in_flight -= 1
        self._put(message)
        self._begin()

    def _settle_group(self, batch: list[Message], begun: float) -> None:
        """Settle messages of one group up to the first that fails; the others keep their receive count."""
        group = self.groups[batch[0].group]
        for place, message in enumerate(batch):
            if self._fails(begun):
                for held_back in batch[place + 1 :]:
                    held_back.received -= 1
                if message.received < self.settings.receives:
                    self._at(self._wait(message, begun), lambda: self._unlock(batch[0].group))
                    return
                self.dead += 1
                group.popleft()
                break
            group.popleft()
            self._finish(message)
        self._unlock(batch[0].group)

    def _unlock(self, group: int) -> None:
        if self.groups[group]:
            self.ready.append(group)
            self._begin()
