"""The rules for a stack: each one fails on a template that breaks it."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqs import batch_handler
from sqskit.rules import idempotency, problems, roles, silent_metrics
from sqskit.rules.stack import Stack
from sqskit.template import transformed

from tests.support.projects import Bake

SETTINGS = batch_handler(int, lambda number: None).settings
MAPPING = "NewMessageProcessorFunctionNewMessageQueue"
QUEUE = "NewMessageQueue"
ROLE = "NewMessageProcessorRole"
FUNCTION = "NewMessageProcessorFunction"

REASON = "6 x the function's timeout, plus the batching window"
TOO_SHORT = f"{MAPPING}: the queue's VisibilityTimeout must be at least {{}}: {REASON}"
NOT_REPORTED = f"{MAPPING}: FunctionResponseTypes must be [ReportBatchItemFailures]"
TOO_FEW = "maxReceiveCount must be at least 3, because throttled receives count; AWS advises 5"
NOT_ALLOWED = f"{QUEUE}: the RedriveAllowPolicy of the dead-letter queue does not name it"
REPLACED = "without UpdateReplacePolicy: Retain, a new name deletes what is in it"
NOT_READ = "because the metrics are read from the log"
IN_MAPPING = "FunctionResponseTypes:"
MIXED = f"{QUEUE}: a FIFO queue needs a FIFO dead-letter queue, a standard queue a standard one"


def edited(bake: Bake, folder: Path, found: str, replacement: str, **answers: str) -> Path:
    """Return a generated template in which the first of these texts is replaced."""
    source = (bake(**answers).path / "template.yaml").read_text("utf-8")
    assert found in source
    path = folder / "template.yaml"
    path.write_text(source.replace(found, replacement, 1), "utf-8")
    return path


@pytest.mark.parametrize("queue_type", ["standard", "fifo"])
def test_generated_template_breaks_no_rule(bake: Bake, queue_type: str) -> None:
    assert problems(bake(queue_type=queue_type).path / "template.yaml", SETTINGS) == []


@pytest.mark.parametrize(("alias", "expected"), [("live", ["W2001 Parameter Name not used."]), ("!Ref Name", [])])
def test_parameter_that_sam_replaces_with_its_value_is_used(
    bake: Bake, tmp_path: Path, alias: str, expected: list[str]
) -> None:
    path = edited(bake, tmp_path, "Parameters:\n", "Parameters:\n  Name: { Type: String, Default: live }\n")
    source = path.read_text("utf-8")
    path.write_text(source.replace("Tracing: Active", f"AutoPublishAlias: {alias}"), "utf-8")
    assert problems(path, SETTINGS) == expected


@pytest.mark.parametrize(
    ("queue_type", "found", "replacement", "rule"),
    [
        ("standard", "BatchSize: 10", "BatchSize: 11", f"{MAPPING}: a batch size above 10 needs a batching window"),
        ("fifo", "BatchSize: 10", "BatchSize: 11", f"{MAPPING}: the batch size of a FIFO queue must be at most 10"),
        ("fifo", "BatchSize: 10", "BatchSize: 10\n            MaximumBatchingWindowInSeconds: 1",
         f"{MAPPING}: a FIFO queue cannot have a batching window"),
        ("standard", "BatchSize: 10", "BatchSize: 10\n            MaximumBatchingWindowInSeconds: 1",
         TOO_SHORT.format(61)),
        ("standard", "VisibilityTimeout: 60", "VisibilityTimeout: 59", TOO_SHORT.format(60)),
        ("standard", "Timeout: 10", "Timeout: 1",
         f"{MAPPING}: the function's timeout must be longer than its reserve, 1.0 s"),
        ("standard", "Timeout: 10", "Timeout: 11", TOO_SHORT.format(66)),
        ("standard", "Period: 1209600", "Period: 345600",
         f"{QUEUE}: the dead-letter queue must keep messages longer than the queue"),
        ("standard",
         "RedrivePolicy:\n        deadLetterTargetArn: !GetAtt NewMessageDLQ.Arn\n        maxReceiveCount: 7", "",
         f"{MAPPING}: its queue needs a dead-letter queue"),
        ("fifo", "-NewMessageQueue.fifo", "-NewMessageQueue", f"{QUEUE}: the name of a FIFO queue must end in .fifo"),
        ("standard", "      Policies:",
         "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:",
         f"{ROLE}: its managed policy covers every queue of the account"),
        ("standard", "maxReceiveCount: 7", "maxReceiveCount: 0", f"{QUEUE}: {TOO_FEW}"),
        ("standard", "maxReceiveCount: 7", "maxReceiveCount: 2", f"{QUEUE}: {TOO_FEW}"),
        ("standard", "FunctionResponseTypes: [ReportBatchItemFailures]", "", NOT_REPORTED),
        ("standard", "[ReportBatchItemFailures]", "[ReportBatchItemFailure]", NOT_REPORTED),
        ("standard", "# to retry a message later\n                Resource: !GetAtt NewMessageQueue.Arn",
         '\n                Resource: "*"', f"{ROLE}: it may use every queue of the account"),
        ("standard", "MAX_RECEIVE_COUNT: 7", "MAX_RECEIVE_COUNT: 4",
         f"{MAPPING}: MAX_RECEIVE_COUNT of the function is 4, maxReceiveCount 7"),
        ("standard", "MessageRetentionPeriod: 345600", "MessageRetentionPeriod: 3600",
         f"{MAPPING}: the 7 tries of a message can take 10170 s; the queue's MessageRetentionPeriod must be more than "
         "twice as long"),
        ("standard", "Role: !GetAtt NewMessageProcessorRole.Arn", "",
         f"{MAPPING.removesuffix(QUEUE)}Role: its managed policy covers every queue of the account"),
        ("fifo", "DLQ.fifo\n      FifoQueue: true", "DLQ.fifo", MIXED),
        ("standard", "MetricName: MessagesFailedToParse }", "MetricName: ParseFailures }",
         "FailedMessagesAlarm: no metric filter makes the metric ParseFailures"),
        ("standard", '"${AWS::StackName}", "MessagesReceived"', '"${AWS::StackName}", "Received"',
         "Dashboard: no metric filter makes the metric Received"),
        # Messages that are deleted, or never read
        ("standard", IN_MAPPING,
         f"FilterCriteria: {{Filters: [{{Pattern: '{{\"body\": {{}}}}'}}]}}\n            {IN_MAPPING}",
         f"{MAPPING}: FilterCriteria must go: Lambda deletes the messages that do not match"),
        ("fifo", IN_MAPPING, f"Enabled: false\n            {IN_MAPPING}",
         f"{MAPPING}: Enabled must be true: nobody else reads the queue"),
        ("standard", "    UpdateReplacePolicy: Retain #", "    #", f"{QUEUE}: {REPLACED}"),
        ("fifo", "UpdateReplacePolicy: Retain\n", "UpdateReplacePolicy: Delete\n", f"NewMessageDLQ: {REPLACED}"),
        ("standard", "Resources:\n", "Resources:\n  Orders: {Type: AWS::DynamoDB::Table, Properties: {}}\n",
         f"Orders: {REPLACED}"),
        ("standard", "TargetArn: !GetAtt NewMessageDLQ.Arn", "TargetArn: !GetAtt NewMessageQueue.Arn",
         f"{QUEUE}: it is its own dead-letter queue"),
        ("standard", "-NewMessageQueue\n\n", "-OtherQueue\n\n", NOT_ALLOWED),
        ("fifo", "redrivePermission: byQueue", "redrivePermission: denyAll", NOT_ALLOWED),
        # Tries that are used up
        ("standard", "MemorySize: 256", "MemorySize: 256\n      ReservedConcurrentExecutions: 9",
         f"{FUNCTION}: ReservedConcurrentExecutions is 9, but MaximumConcurrency allows 10 batches; throttled receives "
         "count as tries"),
        # Permissions that are missing
        *(("standard", f"                  - sqs:{action}", "                  - logs:CreateLogStream",
           f"{ROLE}: it lacks sqs:{action} on {QUEUE}")
          for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")),
        ("fifo", "Action: sqs:SendMessage # a message", "Action: sqs:ReceiveMessage # a message",
         f"{ROLE}: it lacks sqs:SendMessage on NewMessageDLQ"),
        ("standard", "succeed\n                Resource: !GetAtt NewMessageDLQ.Arn",
         "succeed\n                Resource: !GetAtt NewMessageQueue.Arn",
         f"{ROLE}: it lacks sqs:SendMessage on NewMessageDLQ"),
        ("standard", "DEAD_LETTER_QUEUE_URL: !Ref NewMessageDLQ", "DEAD_LETTER_QUEUE_URL: !Ref NewMessageQueue",
         f"{MAPPING}: the function's variable DEAD_LETTER_QUEUE_URL must be !Ref NewMessageDLQ"),
        ("standard", "          QUEUE_URL: !Ref NewMessageQueue\n", "",
         f"{MAPPING}: the function's variable QUEUE_URL must be !Ref NewMessageQueue"),
        # Metrics that show nothing
        ("standard", "LogFormat: JSON", "LogFormat: Text", f"{FUNCTION}: LogFormat must be JSON, {NOT_READ}"),
        ("standard", "ApplicationLogLevel: !Ref LogLevel", "ApplicationLogLevel: WARN",
         f"{FUNCTION}: ApplicationLogLevel must be INFO or DEBUG, {NOT_READ}"),
        ("standard", '"widgets": [', '"widgets": [,', "Dashboard: DashboardBody is not JSON"),
        ("fifo", '{ "label": "waiting" }]\n', '{ "label": "waiting" }],\n', "Dashboard: DashboardBody is not JSON"),
        ("standard", "MetricName: Throttles", "MetricName: Throttled",
         "FunctionThrottlesAlarm: AWS/Lambda has no metric Throttled"),
        ("standard", '["AWS/SQS", "ApproximateAgeOfOldestMessage"', '["AWS/SQS", "AgeOfOldestMessage"',
         "Dashboard: AWS/SQS has no metric AgeOfOldestMessage"),
        ("standard", "Threshold: 8000", "Threshold: 10000",
         "FunctionDurationAlarm: Threshold must be less than the function's timeout, 10000 ms"),
        ("standard", "      Timeout: 10", "      Timeout: 8",
         "FunctionDurationAlarm: Threshold must be less than the function's timeout, 8000 ms"),
        ("standard", "aws:SourceAccount: !Ref AWS::AccountId", "aws:SourceAccount: '*'",
         "AlarmTopicPolicy: it lets cloudwatch.amazonaws.com in for every account"),
        ("standard", "Action: sns:Publish", "Action: sns:*",
         "AlarmTopicPolicy: a service may have no action but sns:Publish"),
        ("standard", "(failedToParse + failedToHandle)", "(failedToParse + failed2Handle)",
         "FailedMessagesAlarm: its expression uses failed2Handle, which is not among its metrics"),
        ("standard", "LogGroupName: !Ref NewMessageProcessorLogGroup", "LogGroupName: !Ref AWS::StackName",
         "MessagesReceivedMetric: no function logs to its log group"),
    ],
)  # fmt: skip
def test_broken_rule_is_reported(
    bake: Bake, tmp_path: Path, queue_type: str, found: str, replacement: str, rule: str
) -> None:
    assert rule in problems(edited(bake, tmp_path, found, replacement, queue_type=queue_type), SETTINGS)


WRAPPED = "without RawMessageDelivery: true, each message is wrapped in a notification"


@pytest.mark.parametrize(
    ("found", "replacement"),
    [
        ("      Tracing: Active\n", "      Tracing: Active\n      AutoPublishAlias: live\n"),
        ("ApplicationLogLevel: !Ref LogLevel", "ApplicationLogLevel: !If [HasAlarmEmail, DEBUG, !Ref LogLevel]"),
        ("VisibilityTimeout: 60", "VisibilityTimeout: '{{resolve:ssm:/x}}'"),
        ("FunctionResponseTypes:", "Enabled: !If [HasAlarmEmail, true, true]\n            FunctionResponseTypes:"),
        ('["AWS/Lambda", "Invocations"', '[{ "expression": "1 * 2" }], ["AWS/Lambda", "Invocations"'),
    ],
)
def test_edit_that_loses_nothing_ends_in_no_traceback(bake: Bake, tmp_path: Path, found: str, replacement: str) -> None:
    lines = problems(edited(bake, tmp_path, found, replacement), SETTINGS)
    assert [line for line in lines if not line.startswith(f"{MAPPING}: the queue's VisibilityTimeout")] == []


@pytest.mark.parametrize("queue_type", ["standard", "fifo"])
@pytest.mark.parametrize("source", ["sns", "eventbridge"])
def test_generated_template_of_each_source_breaks_no_rule(bake: Bake, source: str, queue_type: str) -> None:
    assert problems(bake(queue_type=queue_type, source=source).path / "template.yaml", SETTINGS) == []


@pytest.mark.parametrize(
    ("source", "queue_type", "found", "replacement", "rule"),
    [
        ("sns", "standard", "RawMessageDelivery: true", "RawMessageDelivery: false",
         f"{QUEUE}Subscription: {WRAPPED}"),
        ("sns", "fifo", "      RedrivePolicy: # for what SNS cannot deliver, such as a message with more than ten "
         "attributes\n        deadLetterTargetArn: !GetAtt NewMessageDLQ.Arn\n", "",
         f"{QUEUE}Subscription: without a RedrivePolicy, SNS drops what it cannot deliver"),
        ("sns", "standard", "aws:SourceArn: !If", "aws:SourceAccount: !If",
         f"{QUEUE}Policy: it lets sns.amazonaws.com in for every account"),
        ("sns", "standard", "aws:SourceArn: !If [HasOwnTopic, !Ref Topic, !Ref ExistingTopicArn]",
         'aws:SourceArn: "arn:aws:sns:*:*:*"', f"{QUEUE}Policy: it lets sns.amazonaws.com in for every account"),
        ("sns", "standard", "aws:SourceArn: !If [HasOwnTopic, !Ref Topic, !Ref ExistingTopicArn]",
         "aws:SourceArn: !Ref Topic", f"{QUEUE}Subscription: no policy lets the topic send to {QUEUE}"),
        ("sns", "standard", "            Action: sqs:SendMessage\n", "            Action: sqs:*\n",
         f"{QUEUE}Policy: a service may have no action but sqs:SendMessage"),
        ("sns", "standard", "Principal: { Service: sns.amazonaws.com }", 'Principal: "*"',
         f"{QUEUE}Policy: it lets anyone in"),
        ("sns", "standard", "Effect: Deny", "Effect: Allow", "TopicPolicy: it lets anyone in"),
        ("sns", "standard", "Resource: !If [HasOwnTopic, !Ref Topic, !Ref ExistingTopicArn]", 'Resource: "*"',
         "SenderPolicy: it must name the one resource that its owner may send to"),
        ("eventbridge", "standard", "Action: events:PutEvents", 'Action: "events:*"',
         "SenderPolicy: it must name each action that its owner may use"),
        ("queue", "standard", "            Resource: !GetAtt NewMessageQueue.Arn\n\n  NewMessageProcessorFunction",
         '            Resource: "arn:aws:sqs:*:*:*"\n\n  NewMessageProcessorFunction',
         f"{QUEUE}SenderPolicy: it must name the one resource that its owner may send to"),
        ("eventbridge", "standard", "          DeadLetterConfig: # for what EventBridge cannot deliver\n"
         "            Arn: !GetAtt NewMessageDLQ.Arn\n", "",
         f"{QUEUE}Rule: without a DeadLetterConfig, EventBridge drops what it cannot deliver"),
        ("eventbridge", "fifo", "            Arn: !GetAtt NewMessageDLQOfRule.Arn\n          SqsParameters",
         "            Arn: !GetAtt NewMessageDLQ.Arn\n          SqsParameters",
         f"{QUEUE}Rule: its DeadLetterConfig needs a standard queue"),
        ("eventbridge", "fifo", 'MessageGroupId: "NewMessage" #', "{} #",
         f"{QUEUE}Rule: a FIFO queue needs a MessageGroupId in SqsParameters"),
        ("eventbridge", "standard", "SourceArn: !GetAtt NewMessageQueueRule.Arn", "SourceArn: !Ref AWS::StackId",
         f"{QUEUE}Rule: no policy lets the rule send to {QUEUE}"),
        ("eventbridge", "standard", "      EventPattern:", "      State: DISABLED\n      EventPattern:",
         f"{QUEUE}Rule: State must not be DISABLED: no event reaches the queue"),
        ("sns", "standard", "Queues: [!Ref NewMessageDLQ]", "Queues: [!Ref NewMessageQueue]",
         f"{QUEUE}: it has several policies, and each replaces the one before"),
        ("sns", "standard", "Queues: [!Ref NewMessageQueue]", "Queues: [!Ref NewMessageDLQ]",
         f"{QUEUE}Subscription: no policy lets the topic send to {QUEUE}"),
        ("queue", "standard", "            Queue: !GetAtt NewMessageQueue.Arn",
         "            Queue: !If [HasAlarmEmail, !GetAtt NewMessageQueue.Arn, !GetAtt NewMessageQueue.Arn]",
         f"{MAPPING}: write Queue: !GetAtt NAME.Arn, so that the queue can be checked"),
    ],
)  # fmt: skip
def test_broken_rule_of_a_source_is_reported(
    bake: Bake, tmp_path: Path, source: str, queue_type: str, found: str, replacement: str, rule: str
) -> None:
    answers = {"queue_type": queue_type, "source": source}
    assert rule in problems(edited(bake, tmp_path, found, replacement, **answers), SETTINGS)


# --- idempotency -------------------------------------------------------------------------------

TABLE = """
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
"""
VARIABLE = "          IDEMPOTENCY_TABLE: !Ref IdempotencyTable\n"
ACTIONS = "[dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem]"
STATEMENT = f"""\
              - Effect: Allow
                Action: {ACTIONS}
                Resource: !GetAtt IdempotencyTable.Arn
"""
TTL = "TimeToLiveSpecification: { AttributeName: expiration, Enabled: true }"
FULL_ACCESS = "ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess_v2]"
FOREIGN = {VARIABLE: "          IDEMPOTENCY_TABLE: orders\n", TABLE: "", STATEMENT: ""}


def settings_with(days: int | None) -> SimpleNamespace:
    """Return the settings of a handler that remembers keys for this long, or does not remember them."""
    once = SimpleNamespace(days=days) if days else None
    return SimpleNamespace(reserve_seconds=SETTINGS.reserve_seconds, backoff=SETTINGS.backoff, once=once)


def with_table(bake: Bake, edits: dict[str, str]) -> str:
    """Return a generated template with a table of keys, after edits."""
    source = (bake().path / "template.yaml").read_text("utf-8")
    places = {
        "\n  NewMessageDLQ:\n": f"{TABLE}\n  NewMessageDLQ:\n",
        "          MAX_RECEIVE_COUNT:": f"{VARIABLE}          MAX_RECEIVE_COUNT:",
        "            Statement:\n              - Effect: Allow\n                Action:\n": "            Statement:\n"
        f"{STATEMENT}              - Effect: Allow\n                Action:\n",
    }
    for found, replacement in (places | edits).items():
        assert found in source
        source = source.replace(found, replacement, 1)
    return source


def test_template_with_a_table_breaks_no_rule(bake: Bake, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(with_table(bake, {}), "utf-8")
    assert problems(path, settings_with(days=19)) == []


UNUSED = (
    f"{FUNCTION}: its handler is not made with Once, so nothing uses IDEMPOTENCY_TABLE; "
    "remove the variable and its table, or use Once"
)
SHORT_MEMORY = (
    f"{MAPPING}: its handler remembers a key for {{}} days, but a message can be delivered again for {{}}; "
    "remember a key for at least {} days"
)


@pytest.mark.parametrize(
    ("days", "edits", "expected"),
    [
        # The variable
        (None, {}, [UNUSED]),
        (None, FOREIGN, [UNUSED]),
        (None, {VARIABLE: ""}, []),
        (19, {VARIABLE: ""},
         [f"{FUNCTION}: its handler is made with Once, which needs a table; "
          "write IDEMPOTENCY_TABLE: !Ref NAME among its variables"]),
        (19, {"!Ref IdempotencyTable": "!GetAtt NewMessageQueue.Arn"},
         [f"{FUNCTION}: IDEMPOTENCY_TABLE names {QUEUE}, which is not a table; "
          "write !Ref and the name of a DynamoDB table"]),
        (19, FOREIGN, []),
        (19, FOREIGN | {VARIABLE: "          IDEMPOTENCY_TABLE: !ImportValue orders\n"}, []),
        (19, FOREIGN | {VARIABLE: "          IDEMPOTENCY_TABLE: !Ref LogLevel\n"}, []),
        (19, {"!Ref IdempotencyTable": "!Sub ${IdempotencyTable}"}, []),
        # The table
        *((19, edit, [f"IdempotencyTable: {idempotency.WRONG_KEY}"]) for edit in (
            {"AttributeName: id, AttributeType: S": "AttributeName: id, AttributeType: N"},
            {"[{ AttributeName: id, KeyType: HASH }]":
             "[{ AttributeName: id, KeyType: HASH }, { AttributeName: part, KeyType: RANGE }]"},
            {"AttributeName: id, AttributeType: S": "AttributeName: key, AttributeType: S",
             "AttributeName: id, KeyType": "AttributeName: key, KeyType"},
        )),
        *((19, {TTL: ttl}, [f"IdempotencyTable: {idempotency.NO_EXPIRATION}"]) for ttl in (
            "",
            "TimeToLiveSpecification: { AttributeName: expiration, Enabled: false }",
            "TimeToLiveSpecification: { AttributeName: expires, Enabled: true }",
        )),
        (19, {TTL: "TimeToLiveSpecification: { AttributeName: expiration, Enabled: !If [HasAlarmEmail, true, true] }"},
         []),
        # The role
        *((19, {ACTIONS: actions}, [f"{ROLE}: it lacks {missing} on IdempotencyTable"]) for actions, missing in (
            ("[dynamodb:UpdateItem, dynamodb:DeleteItem]", "dynamodb:PutItem"),
            ("[dynamodb:PutItem, dynamodb:GetItem]", "dynamodb:UpdateItem, dynamodb:DeleteItem"),
            ("dynamodb:Get*", "dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem"),
        )),
        (19, {ACTIONS: "dynamodb:*Item"}, []),
        (19, {ACTIONS: "dynamodb:GetItem", "      Policies:": f"      {FULL_ACCESS}\n      Policies:"}, []),
        (19, {"Resource: !GetAtt IdempotencyTable.Arn": "Resource: !GetAtt NewMessageQueue.Arn"},
         [f"{ROLE}: it lacks dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem on IdempotencyTable"]),
        # How long a key is remembered
        (18, {}, [SHORT_MEMORY.format(18, f"18 (4 in {QUEUE} and 14 in NewMessageDLQ)", 19)]),
        (14, FOREIGN | {"Period: 345600": "Period: 388800"},
         [SHORT_MEMORY.format(14, f"18.5 (4.5 in {QUEUE} and 14 in NewMessageDLQ)", 19)]),
        (4, {"TargetArn: !GetAtt NewMessageDLQ.Arn": "TargetArn: !ImportValue dead"},
         [SHORT_MEMORY.format(4, f"4 (4 in {QUEUE})", 5)]),
    ],
)  # fmt: skip
def test_broken_rule_of_idempotency_is_reported(
    bake: Bake, days: int | None, edits: dict[str, str], expected: list[str]
) -> None:
    stack = Stack(transformed(with_table(bake, edits)))
    assert [*idempotency.faults(stack, {FUNCTION: settings_with(days)}), *roles.faults(stack)] == expected


def test_settings_without_once_are_those_of_any_handler(bake: Bake) -> None:
    stack = Stack(transformed((bake().path / "template.yaml").read_text("utf-8")))
    assert list(idempotency.faults(stack, {FUNCTION: SimpleNamespace()})) == []


def test_only_the_function_that_is_made_with_once_needs_the_table(bake: Bake) -> None:
    content = transformed(with_table(bake, {}))
    resources = content["Resources"]
    function = resources[FUNCTION]["Properties"]
    second = {"QUEUE_URL": function["Environment"]["Variables"]["QUEUE_URL"]}
    resources["Second"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {**function, "Environment": {"Variables": second}},
    }
    resources["SecondQueue"] = resources[QUEUE]
    properties = {
        "EventSourceArn": {"Fn::GetAtt": ["SecondQueue", "Arn"]},
        "FunctionName": {"Ref": "Second"},
    }
    resources["SecondMapping"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    first, other = settings_with(19), settings_with(None)
    assert list(idempotency.faults(Stack(content), {FUNCTION: first, "Second": other})) == []
    (fault,) = idempotency.faults(Stack(content), {FUNCTION: first, "Second": first})
    assert fault.startswith("Second: its handler is made with Once, which needs a table")


@pytest.mark.parametrize(
    ("found", "replacement"),
    [
        ("Threshold: 604800", "Threshold: many"),
        ("    AllowedValues: [1, 3, 5,", "    AllowedValues: [2, 3, 5,"),
        ("Statistic: Sum", "Statistic: All"),
    ],
)
def test_fault_that_cfn_lint_finds_is_reported(bake: Bake, tmp_path: Path, found: str, replacement: str) -> None:
    assert problems(edited(bake, tmp_path, found, replacement), SETTINGS)


def logged(name: str, **fields: int) -> list[logging.LogRecord]:
    return [logging.makeLogRecord({"name": name, **fields})]


FIELDS = {"received": 1, "succeeded": 1, "failedToParse": 0, "failedToHandle": 0, "outOfTime": 0,
          "retried": 0, "rejected": 0}  # fmt: skip


def test_metrics_of_the_logged_fields_are_found(bake: Bake) -> None:
    assert silent_metrics(bake().path / "template.yaml", logged("sqs", **FIELDS)) == []


def test_field_that_is_no_longer_logged_silences_its_metric(bake: Bake) -> None:
    rest = {name: value for name, value in FIELDS.items() if name != "received"}
    assert silent_metrics(bake().path / "template.yaml", logged("sqs", **rest)) == [
        'MessagesReceivedMetric: no log line matches { ($.logger = "sqs") && ($.received = *) }'
    ]


def test_renamed_logger_silences_every_metric(bake: Bake) -> None:
    assert len(silent_metrics(bake().path / "template.yaml", logged("queue", **FIELDS))) == len(FIELDS)


def test_filter_of_another_form_counts_as_silent(bake: Bake, tmp_path: Path) -> None:
    template = edited(bake, tmp_path, "'{ ($.logger = \"sqs\") && ($.received = *) }'", "'{ $.received = * }'")
    assert silent_metrics(template, logged("sqs", **FIELDS)) == [
        "MessagesReceivedMetric: no log line matches { $.received = * }"
    ]
