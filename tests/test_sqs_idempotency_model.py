"""Claims, with several processes that are killed, run at the same time, or lose the network at any point."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.claims import table_in_moto
from tests.support.claims_model import DAYS_30, TABLE, Act, Outcome, World, world

DONE, FAILS, LATER, REJECTED = Outcome


@pytest.fixture(scope="module")
def table() -> Iterator[Any]:
    with table_in_moto(TABLE) as client:
        yield client


BOTH = pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])


# --- an act at each point ------------------------------------------------------------------------

# The keys of a batch, and what becomes of the calls of `handle`, one after the other.
BATCHES: list[tuple[str, list[Outcome]]] = [
    ("a", [DONE]),
    ("aab", [DONE, DONE]),
    ("aa", [FAILS, DONE]),
    ("ab", [REJECTED, LATER]),
    ("aa", [REJECTED]),
]


def play(lived: World, keys: str, outcomes: list[Outcome], acts: list[Act]) -> int:
    """Deliver a batch twice, and return how many points its first delivery has."""
    for key in keys:
        lived.send(key)
    lived.acts, lived.outcomes = iter(acts), iter(outcomes)
    lived.deliver()
    points = lived.points
    lived.deliver()
    lived.let_calls_arrive()
    lived.redrive()
    lived.deliver()
    lived.check_end()
    return points


def points_of(table: Any, keys: str, outcomes: list[Outcome], **options: bool) -> int:
    with world(table, **options) as lived:
        return play(lived, keys, outcomes, [])


@BOTH
@pytest.mark.parametrize(("keys", "outcomes"), BATCHES)
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_nothing_is_lost_or_repeated_whatever_happens_at_one_point(
    table: Any, asynchronous: bool, fifo: bool, keys: str, outcomes: list[Outcome]
) -> None:
    acts = [act for act in Act if act not in {Act.NOTHING, Act.SECOND, Act.CUT}]  # a late call is cut, too
    for place in range(points_of(table, keys, outcomes, asynchronous=asynchronous, fifo=fifo)):
        for act in acts:
            with world(table, asynchronous=asynchronous, fifo=fifo) as lived:
                play(lived, keys, outcomes, [*[Act.NOTHING] * place, act])


@BOTH
@pytest.mark.wide
@pytest.mark.parametrize(("keys", "outcomes"), BATCHES[1:4])
def test_nothing_is_lost_or_repeated_whatever_happens_at_two_points(
    table: Any, asynchronous: bool, keys: str, outcomes: list[Outcome]
) -> None:
    acts = [Act.KILL, Act.OTHER, Act.LATE]
    points = points_of(table, keys, outcomes, asynchronous=asynchronous, fifo=False)
    for first in range(points):
        for second in range(points + 4):
            for act in acts:
                for other in acts:
                    with world(table, asynchronous=asynchronous) as lived:
                        play(lived, keys, outcomes, [*[Act.NOTHING] * first, act, *[Act.NOTHING] * second, other])


def crash(table: Any, place: int, *, asynchronous: bool) -> tuple[int, int]:
    """Kill the process at a point; return how often `handle` has finished before and after the next delivery."""
    with world(table, asynchronous=asynchronous) as lived:
        lived.send("a")
        lived.acts = iter([*[Act.NOTHING] * place, Act.KILL])
        lived.deliver()
        before = len(lived.finished["a"])
        lived.clock.now += 31
        lived.deliver()
        assert not lived.queue
        return before, len(lived.finished["a"])


@BOTH
def test_redelivery_after_a_crash_at_each_point(table: Any, asynchronous: bool) -> None:
    points = points_of(table, "a", [DONE], asynchronous=asynchronous, fifo=False)
    found = [crash(table, place, asynchronous=asynchronous) for place in range(points)]
    # Before and after the claim and in handle; after handle and before the completion; after the completion
    finishes = points - 3
    assert found == [*[(0, 1)] * finishes, (1, 2), (1, 2), (1, 1)]


# --- any history ---------------------------------------------------------------------------------

SEND, DELIVER, REDRIVE, PASS, FORGET, ARRIVE = "send", "deliver", "redrive", "pass", "forget", "arrive"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(SEND), st.sampled_from("aab")),
        st.tuples(st.sampled_from([DELIVER, DELIVER, DELIVER, REDRIVE, PASS, FORGET, ARRIVE]), st.just("")),
    ),
    min_size=3,
    max_size=14,
)
USUALLY_NOTHING = st.one_of(st.just(Act.NOTHING), st.just(Act.NOTHING), st.sampled_from(Act))
ACTS = st.lists(USUALLY_NOTHING, max_size=60)
OUTCOMES = st.lists(st.sampled_from(Outcome), max_size=12)


def check_history(
    table: Any,
    asynchronous: bool,
    fifo: bool,
    steps: list[tuple[str, str]],
    acts: list[Act],
    outcomes: list[Outcome],
) -> None:
    with world(table, asynchronous=asynchronous, fifo=fifo) as lived:
        lived.acts, lived.outcomes = iter(acts), iter(outcomes)
        for step, key in steps:
            if step == SEND:
                lived.send(key)
            elif step == DELIVER:
                lived.deliver()
            elif step == REDRIVE:
                lived.redrive()
            elif step == ARRIVE:
                lived.let_calls_arrive()
            else:
                lived.clock.now += 31 if step == PASS else DAYS_30 + 1
        lived.check_end()


@BOTH
@given(fifo=st.booleans(), steps=STEPS, acts=ACTS, outcomes=OUTCOMES)
@settings(max_examples=60, deadline=None)
def test_rules_hold_in_any_history(table: Any, asynchronous: bool, **history: Any) -> None:
    check_history(table, asynchronous, **history)


@BOTH
@pytest.mark.wide
@given(fifo=st.booleans(), steps=STEPS, acts=ACTS, outcomes=OUTCOMES)
@settings(max_examples=3000, deadline=None)
def test_rules_hold_in_many_histories(table: Any, asynchronous: bool, **history: Any) -> None:
    check_history(table, asynchronous, **history)
