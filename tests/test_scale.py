"""The simulation of docs/scale.md: its laws, its two models beside each other, and the tables."""

import re
import sys
from dataclasses import replace

import pytest
import yaml

from benchmarks import scale
from benchmarks.simulation.coarse import Coarse, drain
from benchmarks.simulation.exact import Exact
from benchmarks.simulation.local import PUBLISHED, growth
from benchmarks.simulation.plot import PICTURE, picture
from benchmarks.simulation.settings import Backoff, Settings, capacities, capacity, changes
from tests.support.projects import ROOT, linux, run

DOC = (ROOT / "docs" / "scale.md").read_text("utf-8")

# Small enough for the exact model.
SMALL = {
    "enough places": Settings(rate=20),
    "too many messages": Settings(rate=200),
    "a window": Settings(rate=60, seconds=0.02, batch_size=100, window=1),
    "at the same time": Settings(rate=100, seconds=0.5, at_once=True),
    "some fail": Settings(rate=30, failure=0.3, backoff=Backoff(2, 2, 20)),
    "some fail, without backoff": Settings(rate=30, failure=0.3, backoff=None, timeout=2),
    "FIFO": Settings(rate=400, groups=20, maximum_concurrency=None),
    "FIFO, some fail": Settings(rate=40, groups=200, failure=0.05, backoff=Backoff(5, 2, 20)),
}


@pytest.mark.parametrize("settings", SMALL.values(), ids=SMALL)
def test_coarse_model_agrees_with_the_exact_one(settings: Settings) -> None:
    exact, coarse = Exact(settings, poisson=True).run(200), Coarse(settings).run(200)
    assert coarse.totals.done == pytest.approx(exact.done, rel=0.05)
    assert coarse.totals.tried == pytest.approx(exact.tried, rel=0.05)
    assert coarse.backlog == pytest.approx(exact.backlog, rel=0.1, abs=2 * settings.rate)


@pytest.mark.parametrize("backoff", [Backoff(5, 4, 600), None])
def test_models_agree_on_an_outage(backoff: Backoff | None) -> None:
    settings = Settings(rate=20, seconds=0.02, outage=(100, 700), backoff=backoff)
    exact, coarse = Exact(settings).run(700), Coarse(settings).run(700)
    assert coarse.totals.tried == pytest.approx(exact.tried, rel=0.05)
    assert coarse.totals.dead == pytest.approx(exact.dead, rel=0.05)
    assert (exact.dead > 0) == (backoff is None)


def test_models_agree_on_batches_that_are_out_of_time() -> None:
    settings = Settings(backlog=10_000, batch_size=100, seconds=1, window=1)
    exact, coarse = Exact(settings).drain(), drain(settings)
    assert exact.dead > 1000
    assert coarse.totals.dead == pytest.approx(exact.dead, rel=0.1)
    assert coarse.now == pytest.approx(exact.now, rel=0.1)


@pytest.mark.parametrize("settings", SMALL.values(), ids=SMALL)
def test_no_message_is_lost(settings: Settings) -> None:
    model = Coarse(settings).run(300)
    assert model.totals.done + model.totals.dead + model.unsettled == pytest.approx(model.totals.sent)
    assert min(*model.visible, model.busy, model.hidden_now) > -1e-6


@pytest.mark.parametrize("rate", [1, 50, 99, 150, 5000])
@pytest.mark.parametrize("batch_size", [1, 10, 100])
def test_throughput_is_the_smaller_of_arrivals_and_capacity(rate: int, batch_size: int) -> None:
    settings = Settings(rate=rate, seconds=0.05, batch_size=batch_size, window=float(batch_size > 10))
    model = Coarse(settings).run(600)
    before = model.totals.done
    done = (model.run(600).totals.done - before) / 600
    assert done == pytest.approx(min(rate, capacity(settings)), rel=0.01)


def test_littles_law_holds() -> None:
    settings = Settings(rate=70)
    exact = Exact(settings, poisson=True).run(2000)
    assert exact.area / exact.now == pytest.approx(exact.done / exact.now * exact.stay / exact.done, rel=0.01)
    model = Coarse(replace(settings, rate=99)).run(600)
    assert model.busy == pytest.approx(10, rel=0.01)
    assert model.handled_now == pytest.approx(99 * settings.duration(10), rel=0.01)


def test_queue_in_flight_stops_at_its_limit() -> None:
    settings = Settings(rate=1000, seconds=0.02, maximum_concurrency=50, failure=1)
    model = Coarse(settings).run(1000)
    assert 115_000 < model.in_flight <= 121_000
    assert capacities(replace(settings, batch_size=1000, seconds=1, timeout=900))["in flight"] < 130


@pytest.mark.parametrize("pollers", PUBLISHED)
def test_pollers_grow_as_published(pollers: tuple[int, int] | None) -> None:
    assert growth(pollers) == pytest.approx(PUBLISHED[pollers], rel=0.02)


@pytest.mark.parametrize("rate", scale.RATES)
@pytest.mark.parametrize("seconds", scale.SECONDS)
@pytest.mark.parametrize("batch_size", scale.BATCH_SIZES)
def test_changes_are_enough(rate: int, seconds: float, batch_size: int) -> None:
    settings = scale.settings_of(rate, seconds, batch_size)
    made = changes(settings)
    if made and made[-1][0] == "several queues":
        assert rate * seconds > 10_000
        return
    after = made[-1][1] if made else settings
    assert capacity(after) >= rate * (1 - 1e-6)
    assert after.most_in_time >= after.largest_batch


def test_changed_settings_handle_what_arrives() -> None:
    for rate, seconds in ((1000, 0.1), (10_000, 0.1), (100_000, 0.01)):
        settings = changes(scale.settings_of(rate, seconds, 10))[-1][1]
        model = Coarse(settings).run(1800)
        before = model.totals.done
        assert (model.run(60).totals.done - before) / 60 == pytest.approx(rate, rel=0.01)


def test_defaults_are_those_of_the_template() -> None:
    text = (ROOT / "examples" / "order-events" / "template.yaml").read_text("utf-8")
    template = yaml.load(re.sub(r"!\w+", "", text), yaml.BaseLoader)
    resources, settings = template["Resources"], Settings()
    function = resources["NewMessageProcessorFunction"]["Properties"]
    queue = resources["NewMessageQueue"]["Properties"]
    assert int(template["Parameters"]["MaximumConcurrency"]["Default"]) == settings.maximum_concurrency
    assert int(function["Events"]["NewMessageQueue"]["Properties"]["BatchSize"]) == settings.batch_size
    assert float(function["Timeout"]) == settings.timeout
    assert float(queue["VisibilityTimeout"]) == settings.visibility
    assert int(queue["RedrivePolicy"]["maxReceiveCount"]) == settings.receives
    assert int(function["MemorySize"]) == 1024 * scale.GIGABYTES


@pytest.mark.slow
def test_tables_are_what_is_printed() -> None:
    for table in scale.tables():
        assert table in DOC, "run `python -m benchmarks.scale`"


@pytest.mark.slow
def test_picture_is_what_is_drawn() -> None:
    assert picture() == PICTURE.read_text("utf-8"), "run `python -m benchmarks.scale --plot`"


@pytest.mark.wide
@linux
def test_local_stack_agrees() -> None:
    done = run(sys.executable, "-m", "benchmarks.scale", "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout
