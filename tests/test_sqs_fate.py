"""What becomes of each message, over several rounds against a model of SQS."""

import asyncio
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.delivery import Delivery, Reject, RetryLater
from sqs import Backoff, batch_handler

from local_extensions.questions import timeout
from tests.support.sqs_model import Model, model

GOOD, FAILS, REJECTS, KILLS, HANGS = "good", "fails", "rejects", "kills", "hangs"
BROKEN, LATER = "broken", "later"  # a body that cannot be parsed; fails twice, with RetryLater


@dataclass
class Run:
    """What `handle` did."""

    calls: list[str] = field(default_factory=list)  # the ids, in the order in which they were handled
    done: list[str] = field(default_factory=list)


def handler_of(sqs: Model, run: Run, *, asynchronous: bool, **options: Any) -> Any:
    """Return a handler whose messages say what they do."""

    def begin(message: str, delivery: Delivery) -> None:
        run.calls.append(delivery.message_id)
        if message == FAILS:
            raise ValueError("no")
        if message == REJECTS:
            raise Reject("never")
        if message == LATER and delivery.receive_count < 3:
            raise RetryLater(7, "not yet")
        if message == KILLS or (message == HANGS and not asynchronous):
            sqs.clock.now += 10 if message == HANGS else 0
            raise SystemExit  # nothing happens after it, as if the process had been killed

    def handle(message: str, delivery: Delivery) -> None:
        begin(message, delivery)
        run.done.append(delivery.message_id)

    async def handle_async(message: str, delivery: Delivery) -> None:
        begin(message, delivery)
        if message == HANGS:
            await asyncio.sleep(1e6)
        run.done.append(delivery.message_id)

    return batch_handler(str, handle_async if asynchronous else handle, **options)


def bodies_of(kinds: list[str]) -> list[str]:
    return ["{" if kind == BROKEN else json.dumps(kind) for kind in kinds]


def play(kinds: list[str], groups: str | None, received: list[int], *, asynchronous: bool) -> tuple[Model, Run]:
    """Deliver messages until the queue is empty."""
    run = Run()
    with model(fifo=groups is not None) as sqs:
        sqs.send(bodies_of(kinds), groups, received)
        handler = handler_of(sqs, run, asynchronous=asynchronous)
        for _ in range(20 * len(kinds) + 20):
            if not sqs.invoke(handler):
                return sqs, run
    raise AssertionError("the queue is never empty")


def check(kinds: list[str], groups: str | None, received: list[int], *, asynchronous: bool) -> None:
    sqs, run = play(kinds, groups, received, asynchronous=asynchronous)
    killers = sum(kind in {KILLS, HANGS} for kind in kinds)
    # A FIFO group is delivered as a whole, so only its first message can give way to the rest.
    in_group = Counter(group for group, kind in zip(groups or "", kinds, strict=False) if kind in {KILLS, HANGS, FAILS})
    few = all(count <= 1 for count in in_group.values()) if groups else killers <= 3
    calls = Counter(run.calls)
    for n, kind in enumerate(kinds):
        id_ = f"id-{n}"
        # Nothing is lost.
        assert id_ in run.done or id_ in sqs.dead, (kinds, id_)
        if kind in {GOOD, LATER} and few and killers <= 3 and received[n] == 0:
            assert id_ in run.done, (kinds, groups, received, id_)
            assert id_ not in sqs.dead
        if kind == GOOD:
            assert calls[id_] <= 1 + killers
        if kind in {FAILS, REJECTS, BROKEN} and not killers:  # or a killer can take its last receive
            assert sqs.dead[id_], (kinds, groups, received, id_)
        if kind in {REJECTS, BROKEN}:
            assert calls[id_] <= (1 + killers if kind == REJECTS else 0)
        if kind in {KILLS, HANGS}:
            assert id_ in sqs.dead
    # The messages of a group are done in their order.
    for group in set(groups or ""):
        done = [int(id_[3:]) for id_ in dict.fromkeys(run.done) if groups and groups[int(id_[3:])] == group]
        assert done == sorted(done), (kinds, groups, received)


KINDS = [GOOD, FAILS, REJECTS, KILLS, HANGS]


def every_batch(longest: int) -> list[tuple[list[str], list[int]]]:
    return [
        (list(kinds), list(received))
        for length in range(1, longest + 1)
        for kinds in itertools.product(KINDS, repeat=length)
        for received in itertools.product([0, 1], repeat=length)
    ]


@pytest.mark.parametrize("groups", [None, "aaaa", "abab"], ids=["standard", "one group", "two groups"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
@pytest.mark.parametrize("longest", [2, *(pytest.param(longest, marks=pytest.mark.wide) for longest in (3, 4))])
def test_every_short_batch(longest: int, groups: str | None, asynchronous: bool) -> None:
    for kinds, received in every_batch(longest):
        own = groups and groups[: len(kinds)]
        if own and any(
            received[n] < received[m] for n in range(len(own)) for m in range(n, len(own)) if own[n] == own[m]
        ):
            continue  # a message of a FIFO group is never received more often than those before it
        check(kinds, own, received, asynchronous=asynchronous)


LONG = st.lists(st.sampled_from([GOOD] * 6 + [FAILS, REJECTS, KILLS, HANGS, BROKEN, LATER]), min_size=1, max_size=25)


@given(LONG, st.booleans(), st.booleans(), st.data())
@settings(deadline=None)
def test_any_batch(kinds: list[str], fifo: bool, asynchronous: bool, data: st.DataObject) -> None:
    groups = "".join(data.draw(st.lists(st.sampled_from("abc"), min_size=len(kinds), max_size=len(kinds))))
    check(kinds, groups if fifo else None, [0] * len(kinds), asynchronous=asynchronous)


@pytest.mark.parametrize("kind", [KILLS, HANGS])
def test_only_the_killer_of_ten_dies(kind: str) -> None:
    sqs, run = play([GOOD] * 4 + [kind] + [GOOD] * 5, None, [0] * 10, asynchronous=False)
    assert list(sqs.dead) == ["id-4"]
    calls = Counter(run.calls)
    assert calls.pop("id-4") == 7
    assert set(calls.values()) <= {1, 2}


def test_batch_that_succeeds_at_once_makes_no_call() -> None:
    sqs, _ = play([GOOD] * 10, None, [0] * 10, asynchronous=False)
    assert sqs.calls == []


def test_backoff_outlasts_an_outage_of_half_an_hour() -> None:
    def dead_after_outage(**options: Any) -> int:
        with model() as sqs:
            end = sqs.clock.now + 1800

            def handle(message: str) -> None:
                if sqs.clock.now < end:
                    raise ConnectionError

            sqs.send(['"x"'] * 100)
            handler = batch_handler(str, handle, **options)
            while sqs.invoke(handler):
                pass
            return len(sqs.dead)

    assert dead_after_outage() == 0
    assert dead_after_outage(backoff=Backoff(first=60, factor=1)) == 100


def test_calls_that_fail_change_nothing_for_the_worse(caplog: pytest.LogCaptureFixture) -> None:
    run = Run()
    with model() as sqs:
        sqs.broken = True
        sqs.send(bodies_of([GOOD, FAILS, REJECTS, GOOD, BROKEN]))
        handler = handler_of(sqs, run, asynchronous=False)
        while sqs.invoke(handler):
            warnings = [line for line in caplog.records if "the queue's own settings apply" in line.getMessage()]
            assert len(warnings) <= 1, "one warning for a batch"
            caplog.clear()
    assert run.done == ["id-0", "id-3"]
    assert sqs.dead == dict.fromkeys(["id-1", "id-2", "id-4"])


@pytest.mark.parametrize("retry_unparsable", [False, True])
def test_body_that_cannot_be_parsed_is_rejected_unless_it_shall_be_retried(retry_unparsable: bool) -> None:
    with model() as sqs:
        sqs.send(["{"])
        handler = batch_handler(str, lambda message: None, retry_unparsable=retry_unparsable)
        rounds = 0
        while sqs.invoke(handler):
            rounds += 1
    assert rounds == (7 if retry_unparsable else 1)
    assert sqs.dead["id-0"] == "Expected `str`, got `object` - at `$`"


def test_rest_of_a_group_goes_on_when_its_head_leaves_the_queue() -> None:
    sqs, run = play([REJECTS, GOOD, BROKEN, GOOD], "aaaa", [0] * 4, asynchronous=False)
    assert run.calls == ["id-0", "id-1", "id-3"]
    sqs, run = play([FAILS, GOOD, GOOD], "aaa", [6, 0, 0], asynchronous=False)
    assert run.calls == ["id-0", "id-1", "id-2"]
    assert sqs.dead == {"id-0": "no"}


@pytest.mark.parametrize("batch_size", [1, 10, 100, 1_000, 10_000])
def test_full_batch_of_20_ms_for_each_message_fits_into_its_timeout(batch_size: int) -> None:
    seconds = timeout({"batch_size": batch_size})
    handled = list[str]()
    with model() as sqs:

        def handle(message: str, delivery: Delivery) -> None:
            sqs.clock.now += 0.02
            handled.append(delivery.message_id)

        sqs.batch_size = batch_size
        sqs.visibility_timeout = 6 * seconds
        sqs.send(['"x"'] * max(100, batch_size))
        handler = batch_handler(str, handle)
        while sqs.invoke(handler, seconds):
            pass
    assert len(handled) == len(set(handled)) == max(100, batch_size)
    assert sqs.dead == {}


def test_retry_later_waits_as_long_as_it_says() -> None:
    times: list[float] = []
    with model() as sqs:
        sqs.send(['"x"'])

        def handle(message: str) -> None:
            times.append(sqs.clock.now)
            if len(times) < 3:
                raise RetryLater(700, "busy")

        handler = batch_handler(str, handle)
        while sqs.invoke(handler):
            pass
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [700, 700]


@pytest.mark.parametrize(
    ("error", "backoff", "waits"),
    [
        (RetryLater(43_200), Backoff(), [42_005, 42_005]),
        # The second wait is arranged before the message is handled, for 5 seconds.
        (ValueError(), Backoff(first=86_400, longest=86_400), [42_005, 42_000]),
    ],
    ids=["RetryLater", "backoff"],
)
def test_longest_wait_is_one_that_sqs_accepts(
    error: Exception, backoff: Backoff, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    times: list[float] = []
    with model() as sqs:
        sqs.send(['"x"'])

        def handle(message: str) -> None:
            times.append(sqs.clock.now)
            if len(times) < 3:
                sqs.clock.now += 5
                raise error

        handler = batch_handler(str, handle, backoff=backoff)
        while sqs.invoke(handler):
            pass
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == waits
    assert "it is retried in 42000 s" in caplog.text
    assert "own settings apply" not in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
def test_message_group_waits_only_as_long_as_its_failed_message(asynchronous: bool) -> None:
    run = Run()
    with model(fifo=True) as sqs:
        sqs.send(bodies_of([GOOD, LATER, GOOD, GOOD]))
        handler, begin = handler_of(sqs, run, asynchronous=asynchronous), sqs.clock.now
        while sqs.invoke(handler):
            pass
        assert sqs.clock.now - begin == pytest.approx(2 * 7, abs=1)
    assert run.done == ["id-0", "id-1", "id-2", "id-3"]


@pytest.mark.parametrize(
    ("backoff", "fifo", "waits"),
    [
        (Backoff(), False, [30, 120, 480, 1920, 3600]),
        (Backoff(), True, [30, 120, 300, 300, 300]),
        (Backoff(first=1, factor=10, longest=50), True, [1, 10, 50, 50, 50]),
    ],
)
def test_backoff_grows_to_its_longest_wait(backoff: Backoff, fifo: bool, waits: list[float]) -> None:
    assert [backoff.most_seconds(n, fifo=fifo) for n in range(1, 6)] == waits
    assert backoff.most_seconds(10_000, fifo=fifo) == waits[-1]
    for n, wait in enumerate(waits, 1):
        assert all(0.8 * wait <= backoff.seconds(n, fifo=fifo) <= wait for _ in range(50))


def test_log_names_the_message_that_may_end_the_process_and_those_deleted_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"), model() as sqs:
        sqs.send(bodies_of([GOOD, GOOD, KILLS, GOOD]), received=[0, 0, 1, 1])
        assert sqs.invoke(handler_of(sqs, Run(), asynchronous=False))
    (line,) = (vars(line) for line in caplog.records if "ends the process, it is retried in " in line.getMessage())
    assert (line["messageId"], line["receiveCount"], line["deleted"]) == ("id-2", 2, ["id-0", "id-1"])


@pytest.mark.parametrize(("kind", "has_traceback"), [(FAILS, True), (REJECTS, False), (LATER, False)])
def test_only_an_unexpected_exception_logs_a_traceback(
    caplog: pytest.LogCaptureFixture, kind: str, has_traceback: bool
) -> None:
    with model() as sqs:
        sqs.send(bodies_of([kind]))
        assert sqs.invoke(handler_of(sqs, Run(), asynchronous=False))
    (line,) = (line for line in caplog.records if "failed at receive" in line.getMessage())
    assert bool(line.exc_info and line.exc_info[2]) == has_traceback
