"""Send messages to a queue, against moto's server over HTTP, and against a client that only takes notes."""

import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqs.queue
import sqs.sending
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.sqs.models import sqs_backends
from sqs.dead_letters import LARGEST_MESSAGE, size_of
from sqs.sending import MOST_REFUSALS, MOST_TRIES, NotSent, send
from sqskit.aws import Aws
from sqskit.template import transformed

from tests.support.cases import ORDER
from tests.support.projects import TEMPLATE, Bake, Project, run

STANDARD, FIFO = "https://queue", "https://queue.fifo"
THROTTLED = "Throttled: too\nfast"


class Order(msgspec.Struct, frozen=True, rename="camel"):
    order_id: int
    customer: str = "a"
    note: str = ""


def group_of(order: Order) -> str:
    return order.customer


def body(order: Order) -> str:
    return msgspec.json.encode(order).decode()


Fault = Callable[[dict[str, Any], int], bool | None]  # of an entry at a try: SenderFault; None if it is sent


def none(entry: dict[str, Any], tries: int) -> None: ...


class Client:
    """Notes the calls, lets some entries fail, and hands the others on to a real client, if there is one."""

    def __init__(self, real: Any = None, fault: Fault = none) -> None:
        self.real = real
        self.fault = fault
        self.calls: list[list[dict[str, Any]]] = []
        self.tries = Counter[str]()
        self.sent: list[Order] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Entries)
        assert 1 <= len(Entries) <= 10
        assert sum(map(size_of, Entries)) <= LARGEST_MESSAGE
        if QueueUrl.endswith(".fifo"):
            assert len({entry["MessageGroupId"] for entry in Entries}) == len(Entries)
        taken, failed = list[dict[str, Any]](), list[dict[str, Any]]()
        for entry in Entries:
            self.tries[entry["Id"]] += 1
            fault = self.fault(entry, self.tries[entry["Id"]])
            if fault is None:
                taken.append(entry)
            else:
                failed.append({"Id": entry["Id"], "SenderFault": fault, "Code": "Throttled", "Message": "too\nfast"})
        response: dict[str, Any] = {"Successful": [{"Id": entry["Id"]} for entry in taken]}
        if self.real and taken:
            response = self.real.send_message_batch(QueueUrl=QueueUrl, Entries=taken)
        self.sent += [msgspec.json.decode(entry["MessageBody"], type=Order) for entry in taken]
        return {**response, "Failed": failed} if failed else response


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time."""
    pauses = list[float]()
    monkeypatch.setattr(sqs.sending, "sleep", lambda seconds: pauses.append(seconds) if seconds else None)
    return pauses


Use = Callable[..., Client]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def use(client: Client) -> Client:
        monkeypatch.setattr(sqs.queue, "_clients", [client])
        return client

    return use


def not_sent(*arguments: Any, **keywords: Any) -> NotSent:
    with pytest.raises(NotSent) as raised:
        send(*arguments, **keywords)
    assert "\n" not in str(raised.value)
    return raised.value


class MotoQueue:
    """A queue in moto."""

    def __init__(self, endpoint: str, fifo: bool = False, **attributes: str) -> None:
        self.client = Aws(endpoint).client("sqs")
        if fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}  # as in template.yaml
        name = f"{uuid4()}{'.fifo' if fifo else ''}"
        self.url = self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def drain(self) -> Iterator[dict[str, Any]]:
        """Receive each message and delete it."""
        while received := self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            yield from received
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(received)]
            self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def take(self) -> list[tuple[str, str | None]]:
        """Take the bodies and groups out of moto, because it is slow to hand over thousands."""
        (queue,) = (
            each for each in sqs_backends["123456789012"]["us-east-1"].queues.values() if self.url.endswith(each.name)
        )
        messages, queue._messages = queue._messages, []
        return [(message.body, message.group_id) for message in messages]

    def bodies(self) -> list[str]:
        return [message["Body"] for message in self.drain()]


# --- all of it, against moto ---------------------------------------------------------------------


def many(count: int) -> Iterator[Order]:
    """Messages of mixed sizes: four in 400 have 300 kB, one is too large, two cannot be encoded."""
    for n in range(count):
        note: Any = "x" * 300_000 if n % 100 < 4 and n % 400 < 100 else "x" * (n % 700)
        if n == 700:
            note = "x" * LARGEST_MESSAGE
        if n in (1200, 1201):
            note = object() if n == 1200 else "\ud800"
        yield Order(n, f"customer-{n % 37}", note)


@pytest.mark.parametrize("fifo", [False, True])
def test_2500_messages_arrive_once_or_are_reported(endpoint: str, use: Use, fifo: bool) -> None:
    queue = MotoQueue(endpoint, fifo)
    arrived = list[tuple[str, str | None]]()

    def fault(entry: dict[str, Any], tries: int) -> bool | None:
        n = int(entry["Id"]) - 1
        if n in (30, 31):
            return True
        return False if n % 97 == 96 and tries <= 2 else None

    class Draining(Client):
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
            arrived.extend(queue.take())
            return super().send_message_batch(QueueUrl, Entries)

    client = use(Draining(queue.client, fault))
    error = not_sent(queue.url, many(2500), group=group_of if fifo else None)  # it takes a generator
    arrived.extend(queue.take())

    refused = [30, 31, 700, 1200, 1201]
    assert [message.order_id for message, _ in error.failures] == refused
    assert [reason for _, reason in error.failures] == [
        THROTTLED,
        THROTTLED,
        "ValueError: it has 1048626 bytes; SQS takes up to 1048576",
        "TypeError: Encoding objects of type object is unsupported",
        "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
    ]
    assert str(error) == "5 of 2500 messages not sent; the first: Throttled: too fast"
    orders = [msgspec.json.decode(text, type=Order) for text, _ in arrived]
    assert sorted(order.order_id for order in orders) == [n for n in range(2500) if n not in refused]
    assert len(client.calls) == 257
    if fifo:
        assert [group for _, group in arrived] == [order.customer for order in orders]
        assert_in_order(orders)


def assert_in_order(orders: list[Order]) -> None:
    for _, group in itertools.groupby(sorted(orders, key=group_of), group_of):
        numbers = [order.order_id for order in group]
        assert numbers == sorted(numbers)


def test_equal_messages_all_arrive(endpoint: str, use: Use) -> None:
    queue = MotoQueue(endpoint, fifo=True)
    use(Client(queue.client))
    send(queue.url, [Order(1)] * 3, group=group_of)
    assert len(queue.bodies()) == 3


def test_repeated_call_to_a_fifo_queue_doubles_nothing(endpoint: str, use: Use) -> None:
    queue = MotoQueue(endpoint, fifo=True)

    class AnswerLost(Client):
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
            response = super().send_message_batch(QueueUrl, Entries)
            if len(self.calls) == 1:
                raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessageBatch")
            return response

    use(AnswerLost(queue.client))
    send(queue.url, [Order(n, str(n)) for n in range(10)], group=group_of)
    assert len(queue.bodies()) == 10


def test_message_for_which_a_call_is_refused_costs_no_other(endpoint: str, use: Use) -> None:
    queue = MotoQueue(endpoint, MaximumMessageSize="1024")  # moto refuses the call, not the entry
    use(Client(queue.client))
    error = not_sent(queue.url, [Order(n, note="x" * 1024 if n in (3, 4) else "") for n in range(45)])
    assert [message.order_id for message, _ in error.failures] == [3, 4]
    assert error.failures[0][1].startswith("ClientError: An error occurred (InvalidParameterValue)")
    assert len(queue.bodies()) == 43


def test_group_makes_a_standard_queue_fair(use: Use) -> None:
    client = use(Client())
    send(STANDARD, [Order(1), Order(2)], group=group_of)
    ((first, second),) = client.calls
    assert first == {"Id": "1", "MessageBody": body(Order(1)), "MessageGroupId": "a"}
    assert second["MessageGroupId"] == "a"


class Everything(msgspec.Struct, rename={"at": "createdAt", "id_": "@id"}):
    at: datetime
    day: date
    price: Decimal
    id_: UUID
    raw: bytes
    text: str
    note: str | None = None


def test_every_type_decodes_as_it_was(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs.queue, "_clients", [])  # a client is made, as in Lambda
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    queue = MotoQueue(endpoint)
    text = '\0\t\n\x7f\u2028é漢\U0001f600\ufffe\uffff\\ufffe"'
    moment = datetime(2024, 2, 29, 23, 59, 59, 999999, UTC)
    message = Everything(moment, date(2024, 2, 29), Decimal("0.10"), UUID(int=7), b"\0\xff", text)
    send(queue.url, [message])
    (sent,) = queue.bodies()
    assert msgspec.json.decode(sent, type=Everything) == message
    assert list(json.loads(sent)) == ["createdAt", "day", "price", "@id", "raw", "text", "note"]
    assert not set("\ufffe\uffff") & set(sent)
    assert '": ' not in sent


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [STANDARD, FIFO])
def test_entry_that_fails_through_no_fault_of_its_own_is_retried(use: Use, pauses: list[float], url: str) -> None:
    client = use(Client(fault=lambda entry, tries: False if entry["Id"] == "2" and tries <= 2 else None))
    send(url, [Order(n, str(n)) for n in range(1, 16)], group=group_of)
    assert sorted(order.order_id for order in client.sent) == list(range(1, 16))
    assert client.tries["2"] == 3
    assert sum(client.tries.values()) == 17
    assert len(client.calls) == 3
    assert len(pauses) == 2
    assert 0.16 <= pauses[0] <= 0.2
    assert 0.64 <= pauses[1] <= 0.8


def test_entry_at_fault_is_not_retried(use: Use, pauses: list[float]) -> None:
    client = use(Client(fault=lambda entry, tries: True if entry["Id"] == "2" else None))
    error = not_sent(FIFO, [Order(n) for n in range(1, 5)], group=group_of)
    assert error.failures == [(Order(2), THROTTLED)]
    assert client.sent == [Order(1), Order(3), Order(4)], "it cannot be sent, so its group goes on"
    assert not pauses


def test_rest_of_the_group_of_an_entry_that_always_fails_is_reported(use: Use, pauses: list[float]) -> None:
    client = use(Client(fault=lambda entry, tries: False if entry["Id"] == "2" else None))
    error = not_sent(FIFO, [Order(n, "ab"[n % 2]) for n in range(1, 7)], group=group_of)
    held_back = "an earlier message of its group was not sent"
    assert error.failures == [
        (Order(2, "a"), THROTTLED),
        (Order(4, "a"), held_back),
        (Order(6, "a"), held_back),
    ]
    assert [order.order_id for order in client.sent] == [1, 3, 5]
    assert client.tries["2"] == MOST_TRIES
    assert len(pauses) == MOST_TRIES - 1


def test_entry_that_always_fails_holds_nothing_back_in_a_standard_queue(use: Use) -> None:
    client = use(Client(fault=lambda entry, tries: False if entry["Id"] == "2" else None))
    error = not_sent(STANDARD, [Order(n) for n in range(1, 31)], group=group_of)
    assert error.failures == [(Order(2), THROTTLED)]
    assert len(client.sent) == 29
    assert len(client.calls) == 4


def test_missing_queue_ends_it_soon(endpoint: str, use: Use) -> None:
    queue = MotoQueue(endpoint)
    client = use(Client(queue.client))
    error = not_sent(f"{queue.url}-gone", (Order(n) for n in range(1000)))
    assert [message.order_id for message, _ in error.failures] == list(range(1000))
    assert all("NonExistentQueue" in reason for _, reason in error.failures)
    assert len(client.calls) <= MOST_REFUSALS + 1


@pytest.mark.parametrize("fault", [EndpointConnectionError, ReadTimeoutError])
def test_queue_out_of_reach_ends_it_at_once(use: Use, pauses: list[float], fault: Any) -> None:
    error_of_call = fault(endpoint_url=STANDARD)

    class OutOfReach(Client):
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
            if len(self.calls) == 2:
                self.calls.append(Entries)
                raise error_of_call
            return super().send_message_batch(QueueUrl, Entries)

    client = use(OutOfReach())
    error = not_sent(STANDARD, [Order(n) for n in range(1000)])
    assert [message.order_id for message, _ in error.failures] == list(range(20, 1000))
    assert {reason for _, reason in error.failures} == {f"{fault.__name__}: {error_of_call}"}
    assert len(client.calls) == 3
    assert not pauses


@pytest.mark.parametrize("name", [None, "", "a b", "é", "x" * 129, 1 / 3, UUID(int=1), 0, "!~" * 64])
def test_group_that_sqs_refuses_fails_alone(use: Use, name: Any) -> None:
    client = use(Client())
    orders = [Order(1), Order(2), Order(3)]

    def group(order: Order) -> object:
        return name if order.order_id == 2 else "a"

    if isinstance(name, float | UUID) or name in (0, "!~" * 64):
        send(FIFO, orders, group=group)
        assert client.calls[0][1]["MessageGroupId"] == str(name)
        return
    ((message, reason),) = not_sent(FIFO, orders, group=group).failures
    assert message == Order(2)
    assert re.fullmatch(r"ValueError: '.{0,40}' is not a valid message group; use 1 to 128 ASCII .+", reason)
    assert client.sent == [Order(1), Order(3)]


def test_group_that_raises_fails_its_message_alone(use: Use) -> None:
    use(Client())
    error = not_sent(FIFO, [Order(0), Order(1)], group=lambda order: 1 / order.order_id)
    assert error.failures == [(Order(0), "ZeroDivisionError: division by zero")]


def test_fifo_queue_needs_groups() -> None:
    def messages() -> Iterator[Order]:
        raise AssertionError("nothing may be read")
        yield

    with pytest.raises(ValueError, match="a FIFO queue needs message groups; add group=lambda message"):
        send(FIFO, messages())


def test_messages_before_an_error_of_the_iterable_are_sent(use: Use) -> None:
    client = use(Client())

    def messages() -> Iterator[Order]:
        yield from (Order(n) for n in range(13))
        raise LookupError

    with pytest.raises(LookupError):
        send(STANDARD, messages())
    assert len(client.sent) == 13


def test_nothing_is_sent_without_messages(use: Use) -> None:
    assert send(FIFO, list[Order](), group=group_of) is None  # type: ignore[func-returns-value]


def test_few_messages_are_held(use: Use) -> None:
    client = use(Client())
    held = 0

    def messages() -> Iterator[Order]:
        nonlocal held
        for n in range(200):
            held = max(held, n - len(client.sent))
            yield Order(n)

    send(STANDARD, messages())
    assert held <= 10


# --- properties ----------------------------------------------------------------------------------

SIZES = st.sampled_from([0, 1, 100, 104_000, 104_800, 300_000, 524_000, LARGEST_MESSAGE - 60, LARGEST_MESSAGE])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(SIZES, max_size=40))
def test_calls_are_as_full_as_they_can_be(use: Use, sizes: list[int]) -> None:
    client = use(Client())
    orders = [Order(n, note="x" * size) for n, size in enumerate(sizes)]
    large = [order for order in orders if len(body(order)) > LARGEST_MESSAGE]
    if large:
        assert [message for message, _ in not_sent(STANDARD, orders).failures] == large
    else:
        send(STANDARD, orders)
    assert client.sent == [order for order in orders if order not in large]
    for one, following in itertools.pairwise(client.calls):
        assert len(one) == 10 or sum(map(size_of, [*one, following[0]])) > LARGEST_MESSAGE


OUTCOMES = st.lists(st.sampled_from([None, None, False, False, True]), min_size=1, max_size=4)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.sampled_from("abc"), OUTCOMES), max_size=40))
def test_no_message_overtakes_one_of_its_group(use: Use, plan: list[tuple[str, list[bool | None]]]) -> None:
    """Each message has a group and an outcome for each try; the last one remains."""

    def fault(entry: dict[str, Any], tries: int) -> bool | None:
        outcomes = plan[int(entry["Id"]) - 1][1]
        return outcomes[min(tries, len(outcomes)) - 1]

    client = use(Client(fault=fault))
    orders = [Order(n, group) for n, (group, _) in enumerate(plan)]
    try:
        send(FIFO, orders, group=group_of)
        failures = []
    except NotSent as error:
        failures = error.failures
    assert_in_order(client.sent)
    assert sorted([*client.sent, *(order for order, _ in failures)], key=lambda order: order.order_id) == orders
    assert [order.order_id for order, _ in failures] == sorted(order.order_id for order, _ in failures)
    # After a message that may be sent again, nothing of its group was sent.
    for order, reason in failures:
        outcomes = [fault({"Id": str(order.order_id + 1)}, tries) for tries in range(1, MOST_TRIES + 1)]
        if reason.startswith("Throttled") and True not in outcomes:
            later = [each for each in client.sent if each.customer == order.customer]
            assert all(each.order_id < order.order_id for each in later)


# --- imports and the README ----------------------------------------------------------------------


def test_handler_does_not_import_it_and_it_imports_boto3_late() -> None:
    source = (
        "import sys, sqs, sqs.queue, sqs.concurrently; assert 'sqs.sending' not in sys.modules; "
        "import sqs.sending; assert not {'boto3', 'botocore'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", source], cwd=TEMPLATE / "lambdas", check=True)


ANSWERS = {
    "standard": {},
    "fifo": {"queue_type": "fifo", "message_name": "OrderPlaced", "message_fields": ORDER},
    "fifo without an id": {"queue_type": "fifo", "message_fields": "text: str"},
}


@pytest.fixture(params=ANSWERS)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    return bake(**ANSWERS[request.param])


def section(project: Project) -> str:
    readme = (project.path / "README.md").read_text("utf-8")
    return readme.split("\n## Send messages from Python\n", 1)[1].split("\n## ", 1)[0]


def test_code_in_the_readme_sends_the_example(project: Project, endpoint: str, tmp_path: Path) -> None:
    queue = MotoQueue(endpoint, project.answers["queue_type"] == "fifo")
    (source,) = re.findall(r"^```python\n(.*?)^```", section(project), re.MULTILINE | re.DOTALL)
    (example,) = (path for path in project.path.glob("contract/*.json") if path.name.count(".") == 1)
    (variable,) = re.findall(r'os\.environ\["(\w+)"\]', source)
    name = project.answers.get("message_name", "NewMessage")
    script = tmp_path / "publisher.py"
    script.write_text(
        f"{source}\n\nimport msgspec, sys\npublish([msgspec.json.decode(sys.argv[1], type={name})] * 2)\n", "utf-8"
    )
    text = example.read_text("utf-8")
    environment = {"AWS_ENDPOINT_URL": endpoint, variable: queue.url, "PYTHONPATH": str(project.path / "lambdas")}
    done = run(sys.executable, str(script), text, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stdout
    assert [json.loads(each) for each in queue.bodies()] == [json.loads(text)] * 2


def test_function_of_the_stack_may_send(project: Project) -> None:
    policy, variable, name = re.findall(
        r"`(!Ref \w+)` among its `Policies`,\s+and the variable `((\w+): .+?)`", section(project)
    )[0]
    template = (project.path / "template.yaml").read_text("utf-8")
    function = f"""
  Publisher:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: lambdas
      Runtime: python3.13
      Handler: publisher.app.handler
      Environment:
        Variables:
          {variable}
      Policies:
        - {policy}
"""
    resources = transformed(template.replace("\nResources:\n", f"\nResources:\n{function}", 1))["Resources"]
    queue = f"{project.answers.get('message_name', 'NewMessage')}Queue"
    assert resources["Publisher"]["Properties"]["Environment"]["Variables"] == {name: {"Ref": queue}}
    (granted,) = (arn["Ref"] for arn in resources["PublisherRole"]["Properties"]["ManagedPolicyArns"] if "Ref" in arn)
    (statement,) = resources[granted]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert name in section(project).split("```python")[1]


@pytest.mark.parametrize("source", ["sns", "eventbridge"])
def test_readme_sends_nothing_past_a_topic_or_a_bus(bake: Bake, source: str) -> None:
    assert "sqs.sending" not in (bake(source=source).path / "README.md").read_text("utf-8")
