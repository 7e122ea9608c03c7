"""The embedded AWS behaves as AWS does when several processes and threads use it, and stays fast."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier
from typing import Any

import moto.core.utils
import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import Message, SQSBackend
from sqskit import server
from sqskit.aws import EmbeddedAws
from sqskit.server_process import SERVER

pytestmark = pytest.mark.slow

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: python3.13
      Environment: {Variables: {IDEMPOTENCY_TABLE: !Ref IdempotencyTable, ARN: !GetAtt IdempotencyTable.Arn}}
      Events: {Any: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}
  IdempotencyTable:
    Type: AWS::DynamoDB::Table
    UpdateReplacePolicy: Retain
    DeletionPolicy: Delete
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expiration, Enabled: true }
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
      SSESpecification: { SSEEnabled: true }
Outputs: {Table: {Value: !Ref IdempotencyTable}, TableArn: {Value: !GetAtt IdempotencyTable.Arn}}
"""

# It pauses between the check of a condition and the write, so that requests overtake each other if they can.
SLOW_SERVER = f"""
import runpy
import time

from moto.dynamodb.models import table

get_filter_expression = table.get_filter_expression


def get_slow_expression(*arguments):
    expression = get_filter_expression(*arguments)
    is_met = expression.expr
    expression.expr = lambda item: is_met(item) and time.sleep(0.01) is None
    return expression


table.get_filter_expression = get_slow_expression
runpy.run_path({str(SERVER)!r}, run_name="__main__")
"""

FREE = "attribute_not_exists(id) OR expiration < :now"
AT_ONCE = 100


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    server = tmp_path_factory.mktemp("server") / "slow_server.py"
    server.write_text(SLOW_SERVER, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sqskit.server_process.SERVER", server)
        with EmbeddedAws() as aws:
            yield aws


@pytest.fixture(scope="module")
def table(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Deploy a table and a function that uses it, and return the name that the function gets."""
    path = tmp_path_factory.mktemp("project") / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    (mapping,) = aws.deploy(path)
    return mapping.function.environment["IDEMPOTENCY_TABLE"]


Put = Callable[[str, str], dict[str, Any] | None]


@pytest.fixture
def put(aws: EmbeddedAws, table: str) -> Put:
    client = aws.client("dynamodb")

    def put(key: str, owner: str) -> dict[str, Any] | None:
        """Put an item if its key is free, and return the item that is in the way, if there is one."""
        try:
            client.put_item(
                TableName=table,
                Item={"id": {"S": key}, "owner": {"S": owner}, "expiration": {"N": str(int(time.time()) + 60)}},
                ConditionExpression=FREE,
                ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except client.exceptions.ConditionalCheckFailedException as error:
            item: dict[str, Any] = error.response["Item"]
            return item
        return None

    return put


def at_once(put: Put, keys: list[str]) -> list[dict[str, Any] | None]:
    """Put an item for each of these keys at the same time."""
    ready = Barrier(len(keys))

    def put_one(place: int) -> dict[str, Any] | None:
        ready.wait()
        return put(keys[place], str(place))

    with ThreadPoolExecutor(len(keys)) as threads:
        return list(threads.map(put_one, range(len(keys))))


def test_table_of_the_template_is_there_under_the_name_in_the_variable(aws: EmbeddedAws, table: str) -> None:
    found = aws.client("dynamodb").describe_table(TableName=table)["Table"]
    assert found["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    outputs = aws.client("cloudformation").describe_stacks(StackName="local")["Stacks"][0]["Outputs"]
    assert [each["OutputValue"] for each in outputs] == [table, found["TableArn"]]
    assert aws.notes == []


def test_only_one_of_many_puts_of_a_key_succeeds(put: Put) -> None:
    in_the_way = at_once(put, ["key"] * AT_ONCE)
    winner = in_the_way.index(None)
    others = [item for item in in_the_way if item is not None]
    assert len(others) == AT_ONCE - 1
    assert {item["owner"]["S"] for item in others} == {str(winner)}


def test_every_put_of_another_key_succeeds(aws: EmbeddedAws, table: str, put: Put) -> None:
    keys = [f"key-{n}" for n in range(AT_ONCE)]
    assert at_once(put, keys) == [None] * AT_ONCE
    items = aws.client("dynamodb").scan(TableName=table)["Items"]
    assert set(keys) <= {item["id"]["S"] for item in items}


@pytest.mark.parametrize("operation", ["put_item", "update_item", "delete_item"])
def test_reserved_word_is_refused(aws: EmbeddedAws, table: str, operation: str) -> None:
    what = {"Item": {"id": {"S": "a"}}} if operation == "put_item" else {"Key": {"id": {"S": "a"}}}
    with pytest.raises(ClientError, match="reserved keyword: status"):
        getattr(aws.client("dynamodb"), operation)(
            TableName=table,
            ConditionExpression="status = :done",
            ExpressionAttributeValues={":done": {"S": "COMPLETED"}},
            **what,
        )


@pytest.mark.parametrize("age", [0, 59, 61, 3_600])
def test_message_is_retained_as_long_as_in_moto(age: int) -> None:
    backend = SQSBackend("us-east-1", "123456789012")
    backend.create_queue("jobs", MessageRetentionPeriod="60")
    message = Message("1", "body")
    message.sent_timestamp = round(1000 * (time.time() - age))  # type: ignore[assignment]
    expected = backend.is_message_valid_based_on_retention_period("jobs", message)
    assert server.is_retained(backend, "jobs", message) == expected == (age < 60)


def test_clock_is_that_of_moto() -> None:
    assert abs(server.milliseconds() - moto.core.utils.unix_time_millis()) < 1_000


def test_deep_queue_is_nearly_as_fast_as_an_empty_one(aws: EmbeddedAws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="deep")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": "1"} for number in range(10)]

    def seconds() -> float:
        """Return the time that ten messages take from sending to deletion."""
        begin = time.monotonic()
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        done = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in received]
        sqs.delete_message_batch(QueueUrl=url, Entries=done)
        return time.monotonic() - begin

    empty = median(seconds() for _ in range(9))
    for _ in range(100):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert aws.depth(url) == (1_000, 0)
    assert median(seconds() for _ in range(9)) < 10 * empty  # in moto itself, 20 times


@pytest.mark.parametrize("hidden", [0, 1], ids=["given back", "expired"])
def test_message_group_is_received_as_a_whole_again(aws: EmbeddedAws, hidden: int) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=f"group-{hidden}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for n in range(8):
        sqs.send_message(QueueUrl=url, MessageBody=str(n), MessageGroupId="a", MessageDeduplicationId=str(n))
    for _ in range(3 if hidden else 40):
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hidden or 30)["Messages"]
        assert [message["Body"] for message in received] == [*"01234567"]
        if hidden:
            time.sleep(hidden + 0.2)
        else:
            handles = {each["Body"]: each["ReceiptHandle"] for each in received}
            entries = [{"Id": n, "ReceiptHandle": handles[n], "VisibilityTimeout": 0} for n in handles]
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
