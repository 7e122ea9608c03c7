"""The page of the local stack in a real browser."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from sqskit.aws import Aws
from sqskit.mapping import EventSourceMapping
from sqskit.page import Page as Served
from sqskit.page.history import History
from sqskit.testing import wait_until

from scripts.machine import BROWSER, BROWSERS
from tests.support.happenings import MAPPING, failed, happen, many
from tests.support.projects import Bake, Project, run
from tests.support.records import record
from tests.support.running import running_local

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason=f"there is no browser: none of {', '.join(BROWSERS)} is installed"),
]

OTHER = replace(MAPPING.queue, arn=f"{MAPPING.queue.arn}-other")
SQSKIT = (sys.executable, "-m", "sqskit")

expect.set_options(timeout=20_000)  # in milliseconds

HANDLE = """

def handle(message: NewMessage, delivery: Delivery) -> None:
    logging.warning("Handling %s", message.order_id)
    if message.order_id.startswith("later") and delivery.receive_count == 1:
        raise RetryLater(1, "not yet")
    if message.order_id.startswith("rejects"):
        raise Reject("unknown tenant")
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool, tool.chromium.launch(executable_path=BROWSER) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Return a function that opens a page. It may ask nothing of others, and have no error in its script."""
    wrong, visited = list[str](), list[str]()
    with browser.new_context() as context:

        def visit(url: str) -> Page:
            visited.append(url)
            page = context.new_page()
            page.set_default_timeout(15_000)
            page.on("request", lambda request: None if request.url.startswith(f"{url}/") else wrong.append(request.url))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
            page.goto(url)
            return page

        yield visit
    assert visited
    assert wrong == []


# --- on a real stack ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = bake().copied(tmp_path_factory.mktemp("page"))
    module = project.path / "lambdas" / "shared" / "new_message.py"
    head = module.read_text("utf-8").partition("\n\n\ndef handle(")[0]
    imports = "import logging\n\nfrom shared.delivery import Delivery, Reject, RetryLater\n"
    module.write_text(imports + head + HANDLE, "utf-8")
    return project


@pytest.fixture(scope="module")
def stack(project: Project) -> Iterator[str]:
    """Run the stack, and return the address of its page."""
    with running_local(project, *SQSKIT, "local", "--plain") as local:
        (line,) = (line for line in local.lines if line.startswith("Watch it at "))
        yield line.split()[-1]


def send(page: Page, order_id: str, button: str = "#send", count: int = 1) -> None:
    """Send a message with the form."""
    if not page.locator("#form").is_visible():
        page.click("#compose")
    page.fill("[name=body]", json.dumps({"orderId": order_id}))
    page.fill("[name=count]", str(count))
    page.click(button)


def rows(page: Page, text: str, state: str = "") -> Locator:
    """Let the page show only messages with a text, and return those of them that are in sight."""
    page.fill("#filter", text)
    return page.locator(f"#list .row{state and '.' + state}", has_text=text)


def test_messages_appear_as_they_are_tried(stack: str, project: Project, visit: Callable[[str], Page]) -> None:
    page = visit(stack)
    expect(page.locator("#link")).to_have_text("live")
    page.click("#compose")
    example = json.loads((project.path / "contract" / "new_message.json").read_text("utf-8"))
    assert json.loads(page.input_value("[name=body]")) == example

    send(page, "later-1")
    later = rows(page, "later-1")
    expect(later.locator(".state")).to_have_text(re.compile(r"retry in \d s|processing"))
    expect(later.locator(".state")).to_have_text("done")
    expect(later.locator(".tries i")).to_have_count(2)
    expect(later.locator(".tries")).to_have_text("2/7")
    later.click()
    expect(page.locator(".step")).to_have_count(2)
    expect(page.locator(".step").first).to_contain_text("not yet")
    expect(page.locator(".step").last.locator("pre")).to_contain_text("Handling later-1")

    send(page, "cut-1", "#broken")
    broken = rows(page, "cut-1", "dead")
    expect(broken).to_contain_text("Input data was truncated")

    send(page, "many-1", count=25)
    rows(page, "many-")
    expect(page.locator("#states [data-state=done] span")).to_have_text("25")
    expect(rows(page, "many-25", "done")).to_have_count(1)

    page.click("#tab-batches")
    page.fill("#filter", "")
    expect(page.locator("#list .row").first.locator(".counts")).to_contain_text("done")
    page.locator("#list .row").first.click()
    expect(page.locator("#detail .top")).to_contain_text("batch #")
    expect(page.locator("#detail pre")).to_contain_text("messages succeeded")


def test_dead_letters_are_sent_back_and_dropped(stack: str, project: Project, visit: Callable[[str], Page]) -> None:
    page = visit(stack)
    for order_id in ("rejects-1", "rejects-2"):
        send(page, order_id)
    expect(rows(page, "rejects-", "dead")).to_have_count(2)
    rows(page, "rejects-1").click()
    page.click("#detail >> text=Send back")
    expect(rows(page, "rejects-1", "other").locator(".state")).to_have_text("sent back")
    again = rows(page, "rejects-1", "dead")
    again.click()
    known = page.inner_text("#detail .id")
    page.click("#detail dt:text('Sent back from') + dd button")
    expect(page.locator("#detail .top")).to_contain_text("sent back")
    expect(page.locator("#detail .id")).to_have_text(known)
    page.click("#detail dt:text('Sent back as') + dd button")
    expect(page.locator("#detail .top")).to_contain_text("dead")
    expect(page.locator("#detail .id")).to_have_text(known)

    page.click("#detail >> text=Drop")
    expect(page.locator("#confirm p")).to_contain_text(f" {known[:8]} ")
    page.click("text=Keep it")
    expect(again).to_have_count(1)
    page.click("#detail >> text=Drop")
    page.click("text=Drop it")
    expect(again).to_have_count(0)
    expect(page.locator("#detail .top")).to_contain_text("dropped")

    rows(page, "rejects-2").click()
    expect(page.locator("#detail pre").last).to_contain_text("rejects-2")
    assert run(*SQSKIT, "drop", page.inner_text("#detail .id"), cwd=project.path, stdin="y\n").returncode == 0
    expect(page.locator("#detail .top")).to_contain_text("gone")


# --- on a history ------------------------------------------------------------------------------


@contextmanager
def shown(
    folder: Path,
    tell: Callable[[History], None],
    visit: Callable[[str], Page],
    mappings: Sequence[EventSourceMapping] = (MAPPING,),
) -> Iterator[tuple[Served, Page]]:
    """Serve a page whose history was told something, and open it."""
    with Served(Aws("http://127.0.0.1:1"), mappings, folder / "template.yaml", opened=False) as served:
        tell(served.history)
        assert served.server
        yield served, visit(served.server.url)


def test_ten_thousand_messages_stay_few_elements(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    with shown(tmp_path, lambda told: many(told, 10_000), visit) as (served, page):
        rows = page.locator("#list .row")
        expect(page.locator("#states [data-state=done] span")).to_have_text("10,000")
        expect(rows.first).to_contain_text('{"n": 9999}')
        page.focus("#list")
        page.keyboard.press("End")
        expect(page.locator("#list .row[aria-selected=true]")).to_contain_text('{"n": 0}')
        assert rows.count() < 60

        many(served.history, 2_000)
        happen(served.history, [record("the last", "last")])
        expect(page.locator("#states [data-state=done] span")).to_have_text("10,000")
        expect(page.locator("#list .row[aria-selected=true]")).to_be_visible()
        page.fill("#filter", "the last")
        expect(rows).to_have_count(1)
        page.fill("#filter", "nothing like it")
        expect(page.locator("#empty")).to_have_text("Nothing matches the filter.")


HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


def test_markup_in_a_message_is_text(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    reason = failed("id-0", HOSTILE, "it becomes a dead letter")
    odd = {**record(HOSTILE), "messageAttributes": {HOSTILE: {"stringValue": HOSTILE, "dataType": "String"}}}
    with shown(tmp_path, lambda told: happen(told, [odd], reason, {"message": HOSTILE}), visit) as (served, page):
        expect(page.locator("#list .row")).to_contain_text(HOSTILE)
        served.history.notice(HOSTILE)
        expect(page.locator("#problem")).to_contain_text(HOSTILE)
        page.locator("#list .row").click()
        for part in ("#detail pre >> nth=0", "#detail pre >> nth=1", "#detail dl >> nth=1"):
            expect(page.locator(part)).to_contain_text(HOSTILE)
        assert page.locator("main img, main script, #problem img").count() == 0
        assert page.title() != "run"


def test_rows_name_their_queue_if_there_are_several(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    other = replace(MAPPING, queue=OTHER)

    def tell(told: History) -> None:
        happen(told, [record("1")])
        happen(told, [record("2", "id-1")], mapping=other)

    for mappings, names in (([MAPPING], []), ([MAPPING, other], [OTHER.name, MAPPING.queue.name])):
        with shown(tmp_path, tell, visit, mappings) as (_, page):
            expect(page.locator("#list .row")).to_have_count(2)
            found = [each.inner_text() for each in page.locator("#list .text .soft").all()]
            assert [name for name in found if name] == names


def test_page_is_used_with_the_keyboard(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    def tell(told: History) -> None:
        happen(told, [record("good", "id-1")])
        happen(told, [record("bad")], failed("id-0", "Reject: no", "it becomes a dead letter"))

    with shown(tmp_path, tell, visit) as (_, page):
        rows = page.locator("#list .row")
        page.click("#states [data-state=dead]")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("bad")
        page.click('#states [data-state=""]')
        expect(rows).to_have_count(2)
        page.keyboard.press("/")
        page.keyboard.type("good")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("good")
        page.fill("#filter", "")
        expect(rows).to_have_count(2)
        page.focus("#list")
        for key in ("ArrowDown", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#detail pre").last).to_have_text("good")
        page.keyboard.press("ArrowUp")
        expect(page.locator("#detail pre").last).to_have_text("bad")
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()


def test_error_of_an_action_is_one_line(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    dead = failed("id-0", "Reject: no", "it becomes a dead letter")
    with shown(tmp_path, lambda told: happen(told, [record("bad")], dead), visit) as (served, page):
        page.locator("#list .row").click()
        expect(page.locator("#detail >> text=Send back")).to_be_enabled()
        served.history.removed(str(MAPPING.queue.dead_letter_url), {"id-0": "id-0"}, "dead")
        page.click("#detail >> text=Send back")
        expect(page.locator("#problem span")).to_have_text("id-0 is not a dead letter")
        page.click("#problem >> text=Dismiss")
        expect(page.locator("#problem")).to_be_hidden()
        page.click("#compose")
        page.evaluate("document.querySelector('[name=body]').value = '注'.repeat(400_000)")
        page.click("#send")
        expect(page.locator("#problem span")).to_have_text("the body has 1,200,000 bytes; SQS takes at most 1,048,576")


def hide(page: Page, *, is_hidden: bool) -> None:
    """Hide a page as another tab does that covers it, or show it again."""
    page.evaluate(
        """value => {
            Object.defineProperty(document, "hidden", {value, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def test_hidden_tab_gives_up_its_connection_and_catches_up(
    tmp_path: Path, visit: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqskit.page.server.SECONDS_OF_SILENCE", 0.05)

    def tell(told: History) -> None:
        happen(told, [record("first")])
        told.notice("an old notice")

    with shown(tmp_path, tell, visit) as (served, page):
        page.locator("#list .row").click()
        page.click("#compose")
        page.fill("[name=body]", "typed")
        page.fill("[name=count]", "3")
        expect(page.locator("#problem")).to_be_hidden()
        hide(page, is_hidden=True)
        wait_until(lambda: served.history.watchers == 0)
        expect(page.locator("#link")).to_have_text("live")
        happen(served.history, [record("first", received=2)])
        happen(served.history, [record("second", "id-1")])
        served.history.notice("a new notice")
        page.wait_for_timeout(200)
        expect(page.locator("#list .row")).to_have_count(1)

        hide(page, is_hidden=False)
        wait_until(lambda: served.history.watchers == 1)
        expect(page.locator("#list .row")).to_have_count(2)
        expect(page.locator("#detail .step")).to_have_count(2)
        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#problem span")).to_have_text("a new notice")
        assert [page.input_value(f"[name={name}]") for name in ("body", "count")] == ["typed", "3"]
        page.click("#problem >> text=Dismiss")
        for is_hidden in (True, False, False):
            hide(page, is_hidden=is_hidden)
        happen(served.history, [record("third", "id-2")])
        expect(page.locator("#list .row")).to_have_count(3)
        expect(page.locator("#problem")).to_be_hidden()
        wait_until(lambda: served.history.watchers == 1)


def test_hidden_tabs_take_no_connection_and_a_lack_of_connections_is_shown(
    tmp_path: Path, visit: Callable[[str], Page]
) -> None:
    with shown(tmp_path, lambda told: many(told, 1), visit) as (served, first):
        assert served.server
        sent = list[object]()
        served.server.actions["/send"] = sent.append
        hide(first, is_hidden=True)
        others = [visit(served.server.url) for _ in range(6)]  # with one more, the last would wait forever
        for page in others:
            expect(page.locator("#link")).to_have_text("live")
        last = others[-1]
        last.click("#compose")
        last.click("#send")
        hide(first, is_hidden=False)
        for page in (last, first):
            problem = page.locator("#problem span")
            expect(problem).to_contain_text("no answer from make local yet; if many windows show this page")
        assert sent == []
        for page in others[:2]:
            hide(page, is_hidden=True)
        expect(last.locator("#sent")).to_contain_text("sent at")
        for page in (last, first):
            expect(page.locator("#problem")).to_be_hidden()
        assert len(sent) == 1
        many(served.history, 2)
        expect(first.locator("#list .row")).to_have_count(2)


EVENT = '{"detail-type": "Placed", "detail": {"n": 12345678901234567890123, "one": 1.0, "much": 1e400}}'


@pytest.mark.parametrize(
    ("example", "sent"),
    [
        ({"orderId": "1"}, '{\n  "n": 12345678901234567890123,\n  "one": 1.0,\n  "much": 1e400\n}'),
        (
            {"detail-type": "Placed", "detail": {}},
            '{\n  "detail-type": "Placed",\n  "detail": {\n    "n": 12345678901234567890123,\n    "one": 1.0,\n'
            '    "much": 1e400\n  }\n}',
        ),
    ],
    ids=["a message in an event", "a message that is an event"],
)
def test_what_is_edited_has_the_numbers_that_were_sent(
    tmp_path: Path, visit: Callable[[str], Page], example: object, sent: str
) -> None:
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "new_message.json").write_text(json.dumps(example), "utf-8")
    with shown(tmp_path, lambda told: happen(told, [record(EVENT)]), visit) as (_, page):
        page.locator("#list .row").click()
        page.click("text=Edit and send")
        assert page.input_value("[name=body]") == sent


def test_end_of_the_run_is_shown_and_the_next_run_too(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    with shown(tmp_path, lambda told: many(told, 3), visit) as (_, page):
        expect(page.locator("#list .row")).to_have_count(3)
    expect(page.locator("#link")).to_contain_text("make local has ended")
    expect(page.locator("#send")).to_be_disabled()
    with shown(tmp_path, lambda told: many(told, 2), lambda url: page):
        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#list .row")).to_have_count(2)


def test_form_and_details_follow_the_next_run(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    example = tmp_path / "contract" / "new_message.json"
    example.parent.mkdir()
    example.write_text('{"n": 1}', "utf-8")
    with shown(tmp_path, lambda told: many(told, 1), visit) as (_, page):
        page.locator("#list .row").click()
        page.click("#compose")
        body = page.locator("[name=body]")
        expect(body).to_have_value('{\n  "n": 1\n}')
    example.write_text('[{"n": 2}, {"n": 3}]', "utf-8")
    with shown(tmp_path, lambda told: happen(told, [record("2", "other")]), lambda url: page):
        expect(body).to_have_value('{\n  "n": 2\n}')  # nothing was typed
        expect(page.locator("#detail")).to_be_hidden()
        expect(page.locator("#problem")).to_be_hidden()
        page.select_option("[name=example]", "1")
        page.fill("[name=body]", "typed")
    with shown(tmp_path, lambda told: None, lambda url: page, [replace(MAPPING, queue=OTHER)]):
        expect(page.locator("[name=queue]")).to_have_value(OTHER.name)
        expect(body).to_have_value("typed")
        expect(page.locator("[name=example] option")).to_have_count(2)


def test_other_pages_can_neither_read_nor_act(tmp_path: Path, browser: Browser) -> None:
    other = (
        Served(Aws("http://127.0.0.1:1"), [MAPPING], tmp_path / name / "template.yaml", opened=False)
        for name in ("one", "two")
    )
    with next(other) as own, next(other) as foreign, browser.new_context(bypass_csp=True) as context:
        assert own.server
        assert foreign.server
        dropped = list[object]()
        own.server.actions["/drop"] = dropped.append
        drop = """async url => {
            const options = {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: "{}"};
            const asked = [fetch(`${url}/drop`, options), fetch(`${url}/messages/id-0`), fetch(`${url}/events`)];
            return (await Promise.allSettled(asked)).map(each => each.status);
        }"""
        page = context.new_page()
        page.goto(foreign.server.url)
        assert page.evaluate(drop, own.server.url)[1:] == ["rejected", "rejected"]
        assert dropped == []
        page.goto(own.server.url)
        assert page.evaluate(drop.replace("text/plain", "application/json").replace("no-cors", "cors"), own.server.url)
        assert dropped == [{}]


def test_colours_follow_the_scheme_and_can_be_read(tmp_path: Path, visit: Callable[[str], Page]) -> None:
    dead = failed("id-0", "Reject: no", "it becomes a dead letter")
    contrast = """element => {
        const light = text => {
            const [r, g, b] = text.match(/\\d+/g).map(n => n / 255)
                .map(n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const back = getComputedStyle(document.querySelector("main")).backgroundColor;
        const both = [getComputedStyle(element).color, back].map(light);
        return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    }"""
    with shown(tmp_path, lambda told: happen(told, [record("1"), record("2", "id-1")], dead), visit) as (_, page):
        backs = set[str]()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            backs.add(page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor"))
            for state in page.locator("#list .state").all():
                assert state.evaluate(contrast) >= 4.5, f"{state.inner_text()} in the {scheme} scheme"
        assert len(backs) == 2
