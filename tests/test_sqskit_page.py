"""The page of the local stack, without a browser: the history of the messages, and who may ask for it."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sqs.dead_letters import ORIGINAL_ID
from sqskit import dead_letter_queue
from sqskit.aws import Aws, Depth
from sqskit.dead_letter_queue import MOVED_BY_SQS
from sqskit.errors import UserError
from sqskit.page import Page, history, items, letters, port_of
from sqskit.page.history import History
from sqskit.page.letters import DeadLetters
from sqskit.page.sending import Sending
from sqskit.page.server import LARGEST_REQUEST, PAGE
from sqskit.poller import Batch
from sqskit.send import LARGEST_MESSAGE
from sqskit.testing import wait_until
from sqskit.worker import Invocation

from tests.support.happenings import DEAD, FIFO, MAPPING, failed, happen, many
from tests.support.records import record

REJECTED = failed("id-0", "Reject: unknown tenant", "it becomes a dead letter")
RETRIED = failed("id-0", "TimeoutError: gone", "it is retried in 30 s")


@pytest.fixture
def told() -> History:
    return History()


def rows(told: History, version: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told.since(version).get("messages", [])
    return found


def attribute(value: str) -> dict[str, Any]:
    return {"dataType": "String", "stringValue": value, "stringListValues": [], "binaryListValues": []}


# --- what happened to a message ----------------------------------------------------------------


def test_message_is_processed_until_its_batch_is_done(told: History) -> None:
    told.announce(MAPPING, [record("1")])
    assert rows(told)[0]["state"] == "processing"
    told.report(Batch(MAPPING, [record("1")], Invocation("{}", seconds=0.5), set(), None))
    (row,) = rows(told)
    assert (row["state"], row["seconds"], row["tries"]) == ("done", 0.5, ["done"])


def test_retried_message_stays_one_row(told: History) -> None:
    happen(told, [record("1")], RETRIED, back=["id-0"], retry_at={"id-0": 1e9})
    (row,) = rows(told)
    assert (row["state"], row["reason"], row["retryAt"]) == ("retrying", "TimeoutError: gone", 1e9)
    happen(told, [record("1", received=2)])
    (row,) = rows(told)
    assert (row["state"], row["reason"], row["retryAt"]) == ("done", "", None)
    assert (row["receives"], row["most"], row["tries"]) == (2, 5, ["failed", "done"])


@pytest.mark.parametrize(
    ("log", "state", "reason"),
    [
        (REJECTED, "dead", "Reject: unknown tenant"),
        ({**REJECTED, "cause": "duplicate"}, "duplicate", ""),
        ({**REJECTED, "messageId": ["id-0"]}, "done", ""),
        ({**REJECTED, "logger": "another"}, "done", ""),
        ({"message": 7, "stackTrace": [1]}, "done", ""),
    ],
)
def test_state_follows_from_the_log(told: History, log: dict[str, Any], state: str, reason: str) -> None:
    happen(told, [record("1")], log)
    assert [(row["state"], row["reason"]) for row in rows(told)] == [(state, reason)]


def test_reason_of_a_crash_is_that_of_its_batch(told: History) -> None:
    happen(told, [record("1"), record("2", "id-1")], error="the process ended with exit status 1\n  trace")
    assert {row["state"] for row in rows(told)} == {"retrying"}
    assert {row["reason"] for row in rows(told)} == {"the process ended with exit status 1"}


def test_message_that_is_held_back_has_no_time_of_its_own(told: History) -> None:
    pair = [record("1", group="a", fifo=True), record("2", "id-1", group="a", fifo=True)]
    happen(told, pair, RETRIED, back=["id-0", "id-1"], mapping=FIFO, retry_at={"id-0": 5.0, "id-1": 6.0})
    assert [(row["reason"], row["retryAt"]) for row in rows(told)] == [
        ("TimeoutError: gone", 5.0),
        ("an earlier message of its group failed", None),
    ]


def test_every_message_of_a_crash_has_a_time(told: History) -> None:
    pair = [record("1", group="a", fifo=True), record("2", "id-1", group="a", fifo=True)]
    happen(told, pair, mapping=FIFO, error="the process ended", retry_at={"id-0": 5.0, "id-1": 6.0})
    assert [row["retryAt"] for row in rows(told)] == [5.0, 6.0]


def test_filtered_message_is_shown_although_no_function_gets_it(told: History) -> None:
    told.report(Batch(MAPPING, [record("1")], Invocation(), set(), None, filtered=True))
    assert [row["state"] for row in rows(told)] == ["filtered"]


def test_details_have_the_log_of_the_message_and_of_nobody_else(told: History) -> None:
    pair = [record("1"), record("2", "id-1")]
    other = failed("id-1", "ValueError: other", "it is retried in 30 s")
    happen(told, pair, {"message": "printed"}, {**RETRIED, "stackTrace": "Traceback"}, other, back=["id-0", "id-1"])
    found = told.message("id-0")
    assert found
    (step,) = found["tries"]
    assert step["log"] == [
        {"own": False, "text": "printed"},
        {"own": True, "text": f"{RETRIED['message']}\nTraceback"},
    ]
    assert (found["body"], step["batch"], step["size"], step["outcome"]) == ("1", 1, 2, "failed")
    batch = told.batch(1)
    assert batch
    assert [line["id"] for line in batch["log"]] == ["", "id-0", "id-1"]
    assert batch["messages"] == [{"id": "id-0", "outcome": "failed"}, {"id": "id-1", "outcome": "failed"}]


def test_long_texts_are_cut_and_the_page_is_told(told: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "LONGEST_TEXT", 20)
    happen(told, [record("b" * 30)], *({"message": "line"} for _ in range(9)))
    found = told.message("id-0")
    assert found
    assert (len(found["body"]), found["length"]) == (20, 30)
    assert found["tries"][0]["log"][-1]["text"] == "… 4 more log lines are not kept"


def test_batch_that_cannot_be_shown_is_a_notice_and_the_run_goes_on(
    told: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = told.since(0)["version"]
    monkeypatch.setattr(history, "outcomes_of", None)
    happen(told, [record("1")])
    (notice,) = told.since(version)["notices"]
    assert notice["text"].startswith("cannot show a batch: TypeError: ")


def test_only_what_changed_is_told_and_each_message_once(told: History) -> None:
    many(told, 30)
    version = told.since(0)["version"]
    assert told.since(version) == {"version": version}
    happen(told, [record("again", "id-7", received=2)], back=["id-7"])
    happen(told, [record("again", "id-7", received=3)])
    found = told.since(version)
    assert [(row["id"], row["receives"]) for row in found["messages"]] == [("id-7", 3)]
    assert [row["n"] for row in found["batches"]] == [4, 5]


def test_newest_changes_are_kept_within_limits_of_number_and_size() -> None:
    few = History(most=20)
    many(few, 50)
    happen(few, [record("again", "id-30", received=2)])
    many(few, 10)
    assert [row["id"] for row in rows(few)][:2] == ["id-41", "id-42"]
    assert (len(rows(few)), few.message("id-41") is None, few.message("id-40")) == (20, False, None)
    small = History(most_characters=100)
    for place in range(5):
        happen(small, [record("x" * 40, f"id-{place}")])
    assert [row["id"] for row in rows(small)] == ["id-3", "id-4"]
    assert small.newest_messages.characters == 80


def test_dead_letter_that_is_no_longer_kept_is_forgotten() -> None:
    few = History(most=10)
    happen(few, [record("1")], REJECTED)
    assert few.known_dead(DEAD) == {"id-0": "id-0"}
    many(few, 30)
    assert few.known_dead(DEAD) == {}


def test_pollers_and_readers_at_the_same_time_agree_in_the_end(told: History) -> None:
    def poll(name: str) -> None:
        for place in range(200):
            happen(told, [record("1", f"{name}-{place}")])

    threads = [threading.Thread(target=poll, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    seen, version = dict[str, str](), 0
    while any(thread.is_alive() for thread in threads) or told.wait(version, 0):
        found = told.since(version)
        seen |= {row["id"]: row["state"] for row in found.get("messages", [])}
        version = found["version"]
    assert (len(seen), set(seen.values())) == (800, {"done"})


# --- dead letters ------------------------------------------------------------------------------


def test_message_of_a_dead_letter_that_was_sent_back_names_it(told: History) -> None:
    happen(told, [record("1")], REJECTED)
    again = {**record("1", "id-1"), "messageAttributes": {ORIGINAL_ID: attribute("id-0")}}
    happen(told, [again], {**REJECTED, "messageId": "id-1"})
    assert [(row["id"], row["state"], row["from"]) for row in rows(told)] == [
        ("id-0", "sent back", ""),
        ("id-1", "dead", "id-0"),
    ]
    told.removed(DEAD, {"id-0": "id-0"}, "sent back")  # told late: by now it is another dead letter
    assert told.known_dead(DEAD) == {"id-0": "id-1"}
    assert dead_letter_queue.ORIGINAL_ID == ORIGINAL_ID


@pytest.fixture
def queue(endpoint: str, request: pytest.FixtureRequest) -> tuple[Aws, DeadLetters, Any]:
    """Return an AWS, the dead letters of an empty queue of its own, and its mapping."""
    aws = Aws(endpoint)
    sqs = aws.client("sqs")
    name = re.sub(r"\W", "-", request.node.name)[-60:]
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    policy = json.dumps({"deadLetterTargetArn": f"{arn}-dead", "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    mapping = replace(MAPPING, queue=replace(MAPPING.queue, url=url, arn=arn, dead_letter_url=dead))
    return aws, DeadLetters(aws, [mapping], History()), mapping


def test_message_that_sqs_has_moved_is_found_and_sent_back(queue: tuple[Aws, DeadLetters, Any]) -> None:
    aws, dead, mapping = queue
    sqs, url = aws.client("sqs"), mapping.queue.url
    id_ = sqs.send_message(QueueUrl=url, MessageBody="kills")["MessageId"]
    assert sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    happen(dead.history, [record("kills", id_)], error="the process ended", mapping=mapping)
    wait_until(lambda: not sqs.receive_message(QueueUrl=url).get("Messages") and aws.depth(url) == (0, 0))
    assert rows(dead.history)[0]["state"] == "retrying"
    dead.read(mapping.queue.dead_letter_url)
    assert [(row["state"], row["reason"]) for row in rows(dead.history)] == [("dead", MOVED_BY_SQS)]
    dead.send_back(id_)
    assert [row["state"] for row in rows(dead.history)] == ["sent back"]
    assert aws.depth(url) == (1, 0)


def test_dead_letters_of_another_origin_are_listed_and_dropped(queue: tuple[Aws, DeadLetters, Any]) -> None:
    aws, dead, mapping = queue
    url = mapping.queue.dead_letter_url
    for body in ("one", "two"):
        aws.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    dead.read(url)
    assert {(row["body"], row["state"], row["receives"]) for row in rows(dead.history)} == {
        ("one", "dead", 0),
        ("two", "dead", 0),
    }
    first, second = dead.history.known_dead(url).values()
    dead.drop(first)
    with pytest.raises(UserError, match=f"{first} is not a dead letter"):
        dead.drop(first)
    aws.client("sqs").purge_queue(QueueUrl=url)
    with pytest.raises(UserError, match=f"no dead letter with the id {second} can be read"):
        dead.send_back(second)
    dead.read(url)
    assert {row["id"]: row["state"] for row in rows(dead.history)} == {first: "dropped", second: "gone"}


def test_dead_letters_are_read_once_if_their_number_stays_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "SECONDS_APART", 0)
    dead = DeadLetters(Aws("http://127.0.0.1:1"), [MAPPING], History())
    read = list[str]()
    monkeypatch.setattr(dead, "read", read.append)
    depth = Depth(MAPPING.queue, 0, 0, dead=1)

    def compare(depth: Depth) -> int:
        before = set(threading.enumerate())
        for _ in range(3):
            dead.compare([depth])
        for thread in set(threading.enumerate()) - before:
            thread.join()
        return len(read)

    assert compare(depth) == 0, "nobody looks at the page"
    with dead.history.watched():
        assert compare(depth) == 1
        assert compare(replace(depth, dead=letters.MOST_READ + 1)) == 1, "too many to read"
        happen(dead.history, [record("1")], REJECTED)
        assert compare(depth) == 1, "they are the same"


# --- the form ----------------------------------------------------------------------------------


@pytest.fixture
def sending(queue: tuple[Aws, DeadLetters, Any], tmp_path: Path) -> Sending:
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "new_message.json").write_text('[{"orderId": "order-1"}, {"orderId": "b"}]', "utf-8")
    aws, dead, mapping = queue
    return Sending(aws, [mapping], tmp_path, dead.history)


def test_form_offers_the_examples_or_says_why_there_are_none(sending: Sending) -> None:
    (target,) = sending.targets()
    assert (target["examples"], target["problem"]) == (['{"orderId": "order-1"}', '{"orderId": "b"}'], "")
    (sending.root / "contract" / "new_message.json").unlink()
    (target,) = sending.targets()
    assert target["problem"] == "contract/new_message.json is missing: write an example body for Processor"


def test_many_messages_are_distinct_and_a_broken_one_is_cut_short(sending: Sending) -> None:
    (name,) = sending.mappings
    sending.send(name, '{"orderId": "order-1"}', 12, "example", broken=False)
    sending.send(name, '{"orderId": "b"}', 1, "example", broken=True)
    url, sqs = sending.mappings[name].queue.url, sending.aws.client("sqs")
    wait_until(lambda: sending.aws.depth(url)[0] == 13)
    received = [sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"] for _ in range(2)]
    assert sorted(message["Body"] for ten in received for message in ten) == sorted(
        [*(f'{{"orderId": "order-{n}"}}' for n in range(1, 13)), '{"orderId": "b"']
    )


def test_sending_many_says_when_it_has_to_stop(sending: Sending) -> None:
    (name,) = sending.mappings
    many(sending.history, 1)
    version = sending.history.since(0)["version"]
    sending.aws.client("sqs").delete_queue(QueueUrl=sending.mappings[name].queue.url)
    sending.send(name, "{}", 5, "example", broken=False)
    assert sending.history.wait(version, 10)
    (notice,) = sending.history.since(version)["notices"]
    assert notice["text"].startswith("only 0 of 5 messages were sent: An error occurred")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"queue": "another"}, "the stack has no queue another with a function"),
        ({"count": 0}, "0 messages cannot be sent; use a number from 1 to 100000"),
        ({"count": 100_001}, "100001 messages cannot be sent; use a number from 1 to 100000"),
        ({"body": ""}, "an empty message cannot be sent; SQS refuses it"),
        ({"body": "😀\ud800"}, "SQS refuses U+D800, character 2 of the body; remove it"),
        ({"body": "\0", "count": 2}, "SQS refuses U+0000, character 1 of the body; remove it"),
    ],
)
def test_what_cannot_be_sent_is_refused(sending: Sending, change: dict[str, Any], error: str) -> None:
    (name,) = sending.mappings
    with pytest.raises(UserError) as refused:
        sending.send(**{"queue": name, "body": "{}", "count": 1, "group": "g", "broken": False, **change})
    assert str(refused.value) == error


@pytest.mark.parametrize("group", ["", "a b", "ü", "a\uffff", "x" * 129])
def test_message_group_that_sqs_refuses_is_refused(tmp_path: Path, group: str) -> None:
    sending = Sending(Aws("http://127.0.0.1:1"), [FIFO], tmp_path, History())
    with pytest.raises(UserError, match=r"^a message group has 1 to 128 letters, digits or punctuation marks"):
        sending.send(FIFO.queue.name, "{}", 1, group, broken=False)


@pytest.mark.parametrize("escaped", ["\\\\", "\\u0061", "\\u00e9"])
def test_largest_message_is_sent_however_json_escapes_it(sending: Sending, page: Page, escaped: str) -> None:
    (name,) = sending.mappings
    page.sending = sending
    number = LARGEST_MESSAGE // len(json.loads(f'"{escaped}"').encode())
    content = f'{{"queue": "{name}", "body": "{escaped * number}"}}'
    with asked(page, "POST", "/send", content) as response:
        assert (response.status, response.read()) == (200, b"{}")
    assert sending.aws.depth(sending.mappings[name].queue.url) == (1, 0)


# --- the server --------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with Page(Aws("http://127.0.0.1:1"), [MAPPING], tmp_path / "template.yaml", opened=False) as page:
        yield page


@contextmanager
def asked(page: Page, method: str, path: str, content: str | None = None, **headers: str) -> Iterator[Any]:
    """Ask a page as a browser does that shows it, but with other headers, and yield the response."""
    assert page.server
    connection = HTTPConnection("127.0.0.1", page.server.server_port, timeout=10)
    own = {"Content-Type": "application/json", "Origin": page.server.url} if method == "POST" else {}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connection):
        connection.request(method, path, content, {name: each for name, each in (own | given).items() if each})
        with connection.getresponse() as response:
            yield response


def test_page_is_served_with_a_strict_policy(page: Page) -> None:
    with asked(page, "GET", "/") as response:
        assert (response.status, response.read()) == (200, PAGE.read_text("utf-8").encode())
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name in response.headers if name.startswith("Access-Control")]


WHOLE = "`count` must be a whole number, such as 1"


def test_page_loads_nothing_from_elsewhere() -> None:
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+", re.sub(r"(?m)(^|\s)// .*$", "", PAGE.read_text("utf-8"))))
    assert addresses == {"http://www.w3.org"}  # the name of SVG


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status", "said"),
    [
        ("GET", "/", None, {"Host": "evil.example"}, 421, "this is http://127.0.0.1:PORT, not evil.example"),
        ("GET", "/events", None, {"Host": "localhost:1"}, 421, "this is "),
        ("GET", "/messages/id-0", None, {"Origin": "http://evil.example"}, 403, "only the page itself may ask"),
        ("POST", "/drop", "{}", {"Host": "evil.example"}, 421, "this is "),
        ("POST", "/drop", "{}", {"Origin": ""}, 403, "only the page itself may ask for this"),
        ("POST", "/drop", "{}", {"Origin": "null"}, 403, "only the page itself may ask for this"),
        ("POST", "/drop", "{}", {"Origin": "http://127.0.0.1:1"}, 403, "only the page itself may ask for this"),
        ("POST", "/drop", "{}", {"Content_Type": "text/plain"}, 415, "a request must be application/json"),
        ("POST", "/drop", "{}", {"Content_Length": "x"}, 411, "a request must say its length"),
        ("POST", "/drop", "{}", {"Content_Length": str(LARGEST_REQUEST + 1)}, 413, "a request can have at most "),
        ("POST", "/drop", "{}", {"Content_Length": "9" * 5000}, 413, "a request can have at most "),
        ("POST", "/drop", "{", {}, 400, "the request is not JSON: Expecting property name"),
        ("POST", "/drop", "[" * 100_000, {}, 400, "the request is nested too deeply"),
        ("POST", "/drop", "{}", {}, 400, "`id` must be a text"),
        ("POST", "/drop", '{"id": 1}', {}, 400, "`id` must be a text"),
        ("POST", "/drop", "[]", {}, 400, "a request must be a JSON object"),
        ("POST", "/drop", '{"id": "x"}', {}, 409, "x is not a dead letter"),
        *(
            ("POST", "/send", f'{{"queue": "orders", "body": "{{}}", "count": {count}}}', {}, 400, WHOLE)
            for count in ("Infinity", "1e999", "NaN", "1.5", "true", "null", '"1"')
        ),
        ("POST", "/send", '{"queue": "orders", "body": null}', {}, 400, "`body` must be a text"),
        ("POST", "/send", '{"queue": "orders", "body": "{}", "broken": 1}', {}, 400, "`broken` must be true or false"),
        ("POST", "/send", '{"queue": "orders", "body": "\\ud800"}', {}, 409, "SQS refuses U+D800, character 1 of"),
        ("POST", "/unknown", "{}", {}, 404, "there is no /unknown"),
        ("GET", "/../page.html", None, {}, 404, "there is no /../page.html"),
        ("GET", "/messages/unknown", None, {}, 404, "this is no longer kept"),
        ("GET", "/batches/9", None, {}, 404, "this is no longer kept"),
        ("GET", f"/batches/{'9' * 5000}", None, {}, 404, "there is no /batches/999"),
    ],
)
def test_other_requests_are_refused_in_one_line(
    page: Page, method: str, path: str, content: str | None, headers: dict[str, str], status: int, said: str
) -> None:
    assert page.server
    with asked(page, method, path, content, **headers) as response:
        assert response.status == status
        error = json.loads(response.read())["error"]
    assert error.startswith(said.replace("PORT", str(page.server.server_port)))
    assert "\n" not in error


def test_unexpected_error_is_answered_in_one_line(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.server

    def fail(*_: object) -> None:
        raise OSError("two\nlines")

    page.server.actions["/drop"] = fail
    monkeypatch.setattr(page.history, "message", fail)
    for method, path in (("POST", "/drop"), ("GET", "/messages/id-0")):
        with asked(page, method, path, "{}") as response:
            assert (response.status, json.loads(response.read())) == (500, {"error": "unexpected OSError: two lines"})


def test_answer_that_fails_halfway_is_not_followed_by_another(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.history, "since", None)
    with asked(page, "GET", "/events") as response:
        assert (response.status, response.read()) == (200, b"retry: 1000\n\n")
    assert page.history.watchers == 0


def test_localhost_is_another_name_of_the_page(page: Page) -> None:
    assert page.server
    with asked(page, "GET", "/", Host=f"localhost:{page.server.server_port}") as response:
        assert response.status == 200


def events(response: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the data of each server-sent event."""
    name = ""
    for line in response:
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_state_is_sent_first_then_changes_and_then_the_end(tmp_path: Path) -> None:
    page = Page(Aws("http://127.0.0.1:1"), [MAPPING], tmp_path / "template.yaml", opened=False)
    happen(page.history, [record("1")])
    with page, asked(page, "GET", "/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        told = events(response)
        name, state = next(told)
        assert (name, state["project"], [row["id"] for row in state["messages"]]) == ("state", tmp_path.name, ["id-0"])
        happen(page.history, [record("2", "id-1")])
        page.queues([Depth(MAPPING.queue, 3, 2, dead=1)])
        changed = dict[str, Any]()
        while "depths" not in changed:
            name, found = next(told)
            assert name == "changes"
            changed |= found
        assert [row["id"] for row in changed["messages"]] == ["id-1"]
        assert changed["depths"] == [{"queue": "orders", "waiting": 3, "inFlight": 2, "dead": 1}]
        threading.Timer(0.1, page.history.end).start()
        assert list(told)[-1] == ("end", {})
        wait_until(lambda: not page.history.watchers)


def test_silence_is_interrupted_so_that_a_closed_connection_is_noticed(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqskit.page.server.SECONDS_OF_SILENCE", 0.02)
    with asked(page, "GET", "/events") as response:
        assert next(events(response))[0] == "state"
        wait_until(lambda: response.readline() == b":\n")
    wait_until(lambda: not page.history.watchers)


def test_address_of_a_template_stays_the_same_unless_it_is_taken(page: Page) -> None:
    assert page.server
    assert page.server.server_port == port_of(page.template)
    with Page(Aws("http://127.0.0.1:1"), [MAPPING], page.template, opened=False) as second:
        assert second.server
        assert second.server.server_port != page.server.server_port


def test_run_goes_on_without_a_page_if_it_cannot_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqskit.page.server.HOST", "192.0.2.1")  # no address of this machine
    with Page(Aws("http://127.0.0.1:1"), [MAPPING], tmp_path / "template.yaml", opened=True) as page:
        line = page.open()
        page.queues([Depth(MAPPING.queue, 0, 0, dead=0)])
    assert line.startswith("There is no page to watch it: ")
    assert "\n" not in line


def test_page_is_opened_in_a_browser_only_if_that_is_wanted(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.server
    opened = list[str]()

    def open_nothing(url: str) -> bool:
        opened.append(url)
        return False

    monkeypatch.setattr("webbrowser.open", open_nothing)
    watch = f"Watch it at {page.server.url}"
    assert (page.open(), opened) == (watch, [])
    page.opened = True
    assert (page.open(), opened) == (f"{watch} (no browser was found that could open it)", [page.server.url])


DEEP = '{"detail-type": 1, "detail": ' + "[" * 90_000


def test_history_costs_little_beside_the_stack(told: History) -> None:
    begin = time.perf_counter()
    many(told, 10_000)
    assert time.perf_counter() - begin < 5, "moto needs longer than that for 1,000 messages"
    assert len(told.messages) == 10_000


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"id": "1", "detail-type": "Placed", "source": "shop", "detail": {"orderId": "é"}}', '{"orderId": "é"}'),
        (
            '{"detail-type": "Placed", "detail": {"n": [12345678901234567890123,  1.0, 1e400, -0], "é": "\\u00e9"} }',
            '{"n": [12345678901234567890123,  1.0, 1e400, -0], "é": "\\u00e9"}',
        ),
        ('{"orderId": "order-1"}', '{"orderId": "order-1"}'),
        (DEEP, DEEP[: items.LONGEST_IN_ROW]),
        ('{"detail-type": 1, "detail": ', '{"detail-type": 1, "detail": '),
        ('["detail-type", "detail"]', '["detail-type", "detail"]'),
        ("x" * 1000, "x" * items.LONGEST_IN_ROW),
    ],
)
def test_message_in_an_event_is_shown_as_it_was_sent(body: str, shown: str) -> None:
    told = History()
    happen(told, [record(body)])
    found = told.message("id-0")
    assert found
    assert found["unwrapped"][: items.LONGEST_IN_ROW] == told.since(0)["messages"][0]["body"] == shown
