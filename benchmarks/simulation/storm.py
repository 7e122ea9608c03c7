"""An outage of an hour of something that `handle` calls, and the time after it."""

from dataclasses import dataclass, field

from benchmarks.simulation.coarse import Coarse
from benchmarks.simulation.settings import Backoff, Settings

BEGIN, END = 600, 4200  # of the outage, in seconds
LONGEST = END + 8 * 3600
RATES = (20, 1000)

# Enough for twice the messages that arrive, so that a backlog can be worked off.
WAYS = {
    "backoff of the template": Backoff(),
    "`Backoff(longest=600)`": Backoff(longest=600),
    "visibility timeout, 60 s": None,
}


@dataclass
class Storm:
    calls: float = 0  # during the outage
    dead: float = 0
    most_waiting: float = 0  # messages that are not done
    most_in_flight: float = 0
    most_calls: float = 0  # in a second, during the outage
    over_after: float | None = None  # seconds after the outage
    course: list[tuple[float, float, float]] = field(default_factory=list)  # time, messages not done, calls per second


def storm(rate: float, backoff: Backoff | None) -> Storm:
    """Run through an outage of an hour, until fewer messages wait than arrive in a second."""
    settings = Settings(rate=rate, seconds=0.02, maximum_concurrency=50, outage=(BEGIN, END), backoff=backoff)
    run, seen = Coarse(settings), Storm()
    while run.now < LONGEST and seen.over_after is None:
        now, tried = run.now, run.totals.tried
        run.step()
        calls = run.totals.tried - tried
        if BEGIN <= now < END:
            seen.calls += calls
            seen.most_calls = max(seen.most_calls, calls)
        seen.most_waiting = max(seen.most_waiting, run.backlog)
        seen.most_in_flight = max(seen.most_in_flight, run.in_flight)
        seen.course.append((now, run.backlog, calls))
        if now > END and run.waiting + run.hidden_now < rate:
            seen.over_after = now - END
    seen.dead = run.totals.dead
    return seen
