"""lambdas/sqs against a model of its rules, on batches of any kind."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqs import batch_handler
from sqs.batch import RESERVE_SECONDS
from sqs.log import logger

from tests.support import records
from tests.support.clock import ClockedContext, clocked

# --- batches -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Letter:
    """A message to be: its group, and what happens to it."""

    group: str
    readable: bool
    seconds: int  # that `handle` takes
    raises: bool


@dataclass(frozen=True)
class Delivery:
    """A batch, and the seconds in which messages may be started."""

    letters: list[Letter]
    fifo: bool
    seconds: float

    def event(self) -> dict[str, Any]:
        """Return the event that Lambda makes of it; a body that cannot be parsed is a text."""
        bodies = [json.dumps(n if letter.readable else str(n)) for n, letter in enumerate(self.letters)]
        return records.event(bodies, [letter.group for letter in self.letters], fifo=self.fifo)


LETTERS = st.builds(
    Letter,
    group=st.sampled_from("abc"),
    readable=st.sampled_from([True, True, True, False]),
    seconds=st.integers(0, 4),
    raises=st.sampled_from([False, False, False, True]),
)
# Half seconds, so that nothing ends just when the time does.
SECONDS = st.integers(-1, 30).map(lambda seconds: seconds + 0.5)
DELIVERIES = st.builds(Delivery, st.lists(LETTERS, max_size=20), st.booleans(), SECONDS)

# --- the rules ---------------------------------------------------------------------------------

SUCCEEDED = "succeeded"
NAMES = (SUCCEEDED, "failedToParse", "failedToHandle", "heldBack", "outOfTime")


@dataclass
class Lane:
    """Letters that follow one another, by the rules."""

    outcomes: dict[int, str]
    now: float = 0

    def add(self, place: int, letter: Letter, blocked: bool, end: float, cancels: bool) -> bool:
        """Note the outcome of a letter, and return whether it failed."""
        if self.now >= end:
            self.outcomes[place] = "outOfTime"
        elif blocked:
            self.outcomes[place] = "heldBack"
        elif not letter.readable:
            self.outcomes[place] = "failedToParse"
        else:
            self.now += letter.seconds
            if cancels and self.now >= end:
                self.outcomes[place] = "outOfTime"
            else:
                self.outcomes[place] = "failedToHandle" if letter.raises else SUCCEEDED
        return self.outcomes[place].startswith("failed")


def in_order(delivery: Delivery) -> dict[int, str]:
    """Return the expected outcome of each letter if they are handled one by one."""
    lane, failed = Lane({}), set[str]()
    for place, letter in enumerate(delivery.letters):
        blocked = delivery.fifo and letter.group in failed
        if lane.add(place, letter, blocked, delivery.seconds, cancels=False):
            failed.add(letter.group)
    return lane.outcomes


def concurrently(delivery: Delivery) -> dict[int, str]:
    """Return the expected outcome of each letter if groups, or all letters, are handled at the same time."""
    outcomes: dict[int, str] = {}
    numbered = list(enumerate(delivery.letters))
    if delivery.fifo:
        numbered.sort(key=lambda each: each[1].group)
    for _, members in groupby(numbered, key=lambda each: each[1].group if delivery.fifo else each[0]):
        lane, blocked = Lane(outcomes), False
        for place, letter in members:
            blocked |= lane.add(place, letter, blocked, delivery.seconds, cancels=True)
    return outcomes


# --- the code ----------------------------------------------------------------------------------


class Processed(NamedTuple):
    """The result of a delivery."""

    response: Any
    counts: dict[str, int]
    started: list[tuple[int, float]]  # which letter, and after how many seconds


def process(delivery: Delivery, *, asynchronous: bool) -> Processed:
    started: list[tuple[int, float]] = []
    summaries: list[dict[str, int]] = []

    with clocked() as clock, pytest.MonkeyPatch.context() as patch:
        begin = clock.now

        def start(place: int) -> Letter:
            started.append((place, clock.now - begin))
            return delivery.letters[place]

        def handle(place: int) -> None:
            letter = start(place)
            clock.now += letter.seconds
            assert not letter.raises

        async def handle_async(place: int) -> None:
            letter = start(place)
            await asyncio.sleep(letter.seconds)
            assert not letter.raises

        patch.setattr(logger, "info", lambda *_, extra: summaries.append(extra))
        handler = batch_handler(int, handle_async if asynchronous else handle)
        response = handler(delivery.event(), ClockedContext(clock, delivery.seconds + RESERVE_SECONDS))
    (counts,) = summaries
    return Processed(response, counts, started)


@pytest.mark.parametrize(("asynchronous", "rules"), [(False, in_order), (True, concurrently)], ids=["def", "async def"])
@given(delivery=DELIVERIES)
def test_every_record_has_the_outcome_of_the_model(
    asynchronous: bool, rules: Callable[[Delivery], dict[int, str]], delivery: Delivery
) -> None:
    outcomes = rules(delivery)
    done = process(delivery, asynchronous=asynchronous)

    # The ids reported as failed; Lambda deletes the others
    failed = {f"id-{place}" for place, outcome in outcomes.items() if outcome != SUCCEEDED}
    ids = [f"id-{place}" for place in outcomes]
    assert settle(done.response, ids) == (set(ids) - failed, failed)

    # The counts in the log
    expected = {"received": len(outcomes), **dict.fromkeys(NAMES, 0), **Counter(outcomes.values())}
    expected |= {"retried": expected["failedToParse"] + expected["failedToHandle"], "rejected": 0}
    assert done.counts == expected

    # Each message is started once and in time, and those of a group in their order
    places = [place for place, _ in done.started]
    assert len(places) == len(set(places))
    assert all(at < delivery.seconds for _, at in done.started)
    handled = {place for place, outcome in outcomes.items() if outcome in {SUCCEEDED, "failedToHandle"}}
    assert handled <= set(places)
    for group in "abc" if delivery.fifo else "":
        of_group = [place for place in places if delivery.letters[place].group == group]
        assert of_group == sorted(of_group)
    if not asynchronous:
        assert places == sorted(handled)


# --- the contract ------------------------------------------------------------------------------


def settle(response: Any, ids: list[str]) -> tuple[set[str], set[str]]:
    """Return the ids that Lambda deletes from the queue and those that it leaves there, for a response.

    From "Reporting batch item failures" in
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        response = json.loads(json.dumps(response, allow_nan=False))
    except (TypeError, ValueError):
        return set(), set(ids)
    failures = (response or {}).get("batchItemFailures") or []
    failed = [failure.get("itemIdentifier") for failure in failures]
    if not set(failed) <= set(ids) or "" in failed:
        return set(), set(ids)
    assert len(failed) == len(set(failed)), "an identifier is repeated"
    return set(ids) - set(failed), set(failed)


@pytest.mark.parametrize(
    ("response", "deleted"),
    [
        ({"batchItemFailures": []}, {"a", "b"}),
        ({"batchItemFailures": None}, {"a", "b"}),
        ({}, {"a", "b"}),
        (None, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, set()),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, set()),
        ({"batchItemFailures": [{"itemIdentifer": "a"}]}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "c"}]}, set()),
        ({"batchItemFailures": {1, 2}}, set()),
    ],
)
def test_contract_is_that_of_lambda(response: Any, deleted: set[str]) -> None:
    assert settle(response, ["a", "b"]) == (deleted, {"a", "b"} - deleted)


# --- faults that others have -------------------------------------------------------------------


def test_malformed_record_after_a_failed_one_does_not_crash_a_fifo_batch() -> None:
    letters = [Letter("a", True, 0, raises=True), Letter("a", False, 0, False), Letter("b", True, 0, False)]
    done = process(Delivery(letters, fifo=True, seconds=9), asynchronous=False)
    assert settle(done.response, ["id-0", "id-1", "id-2"]) == ({"id-2"}, {"id-0", "id-1"})


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_batch_in_which_all_fail_is_reported_not_raised(fifo: bool, asynchronous: bool) -> None:
    letters = [Letter("a", True, 0, raises=True), Letter("b", False, 0, False), Letter("c", True, 0, raises=True)]
    done = process(Delivery(letters, fifo, seconds=9), asynchronous=asynchronous)
    assert settle(done.response, ["id-0", "id-1", "id-2"]) == (set(), {"id-0", "id-1", "id-2"})


def test_malformed_record_does_not_crash_a_batch_of_a_class_with_another_name() -> None:
    class Titled(msgspec.Struct, tag="another name", rename={"number": "Number"}):
        number: int

    event = Delivery([Letter("a", False, 0, False)], fifo=False, seconds=9).event()
    response = batch_handler(Titled, lambda message: None)(event, None)
    assert settle(response, ["id-0"]) == (set(), {"id-0"})


def test_timeout_in_the_seventh_of_ten_does_not_return_the_first_six() -> None:
    letters = [Letter("a", True, seconds, False) for seconds in (1, 1, 1, 1, 1, 1, 99, 1, 1, 1)]
    done = process(Delivery(letters, fifo=False, seconds=8.5), asynchronous=True)
    ids = [f"id-{place}" for place in range(10)]
    assert settle(done.response, ids) == (set(ids) - {"id-6"}, {"id-6"})
