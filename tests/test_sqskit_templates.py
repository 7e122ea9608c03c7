"""SAM templates of many shapes: each one runs, or is refused in one line."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqskit.aws import EmbeddedAws
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.poller import Batch, Poller
from sqskit.screen import Screen
from sqskit.send import send
from sqskit.testing import wait_until
from sqskit.worker import Worker

from tests.support.projects import Project, run
from tests.support.running import running_local

pytestmark = pytest.mark.slow

SQSKIT = (sys.executable, "-m", "sqskit")

HEAD = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src/, Handler: app.handler, Runtime: python3.13}}
"""

NO_GLOBALS = "Transform: AWS::Serverless-2016-10-31"
LOOPS = HEAD.replace("AWS::Serverless-2016-10-31", "[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]")

PYTHON = """
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.13
"""
INLINE = """
      InlineCode: "def handler(event, context): pass"
      Handler: index.handler
      Runtime: python3.13
"""

JOBS = """
  Jobs: {Type: AWS::SQS::Queue}
"""


def worker(name: str = "Worker", queue: str = "!GetAtt Jobs.Arn", event: str = "", properties: str = "") -> str:
    """Return a function with an event of a queue, and more properties of both."""
    return f"""
  {name}:
    Type: AWS::Serverless::Function
    Properties:
      {properties}
      Events: {{Any: {{Type: SQS, Properties: {{Queue: {queue}{event}}}}}}}
"""


def template(*resources: str, head: str = HEAD, more: str = "") -> str:
    return f"{head}\nResources:\n{''.join(resources)}\n{more}"


Deploy = Callable[..., list[EventSourceMapping]]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def deploy(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Deploy]:
    """Deploy the text of a template beside a function in src/, and delete its stack after the test."""

    def deploy(text: str, **parameters: str) -> list[EventSourceMapping]:
        return aws.deploy(project(tmp_path, text).path / "template.yaml", parameters)

    yield deploy
    aws.client("cloudformation").delete_stack(StackName="local")


def project(folder: Path, text: str) -> Project:
    (folder / "src").mkdir()
    code = "def handler(event, context): print([each['body'] for each in event['Records']])\n"
    (folder / "src" / "app.py").write_text(code, "utf-8")
    (folder / "template.yaml").write_text(text, "utf-8")
    return Project(folder, {})


def in_words(mappings: list[EventSourceMapping]) -> list[str]:
    return sorted(f"{logical_id(mapping.queue.name)} > {mapping.function.name}" for mapping in mappings)


def logical_id(text: str) -> str:
    """Replace the names of queues by their logical ids."""
    return re.sub(r"local-(\w+)-[A-Z0-9]{12}", r"\1", text)


RUNS = {
    "all of the function in Globals": (template(JOBS, worker()), ["Jobs > Worker"], []),
    "function that is an image": (
        template(JOBS, worker(properties=PYTHON), worker("Heavy", properties="PackageType: Image"), head=NO_GLOBALS),
        ["Jobs > Worker"],
        ["Heavy is not run here: it is a container image."],
    ),
    "code in other languages": (
        template(JOBS, worker(), worker("Mailer", properties="Runtime: nodejs22.x")),
        ["Jobs > Worker"],
        ["Mailer is not run here: its runtime is nodejs22.x, not Python."],
    ),
    "code on S3": (
        template(JOBS, worker(), worker("Far", properties="CodeUri: s3://bucket/far.zip"),
                 worker("Packed", properties="CodeUri: {Bucket: bucket, Key: packed.zip}")),
        ["Jobs > Worker"],
        ["Far is not run here: its code is not on this machine; name its folder in CodeUri.",
         "Packed is not run here: its code is not on this machine; name its folder in CodeUri."],
    ),
    "inline code": (
        template(JOBS, worker(properties=PYTHON), worker("Short", properties=INLINE), head=NO_GLOBALS),
        ["Jobs > Worker"],
        ["Short is not run here: its code is inline; move it into a folder, and name that in CodeUri."],
    ),
    "plain Lambda function": (
        template(JOBS, worker(), """
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.13, Handler: index.handler, Role: !GetAtt Role.Arn, Code: {ZipFile: pass}}
  PlainMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Jobs.Arn, FunctionName: !GetAtt Plain.Arn}
"""),
        ["Jobs > Worker"],
        ["Plain is not run here: it is not an AWS::Serverless::Function."],
    ),
    "functions without a queue": (
        template(JOBS, worker(), """
  Far: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://bucket/far.zip}}
  Idle: {Type: AWS::Serverless::Function}
"""),
        ["Jobs > Worker"],
        [],
    ),
    "events of other services": (
        template(JOBS, worker(), """
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Uploads:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration: {QueueConfigurations: [{Event: "s3:ObjectCreated:*", Queue: !GetAtt Jobs.Arn}]}
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Page: {Type: Api, Properties: {Path: /, Method: get}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
        Change: {Type: DynamoDB, Properties: {Stream: !GetAtt Items.StreamArn, StartingPosition: LATEST}}
"""),
        ["Jobs > Worker"],
        ["Not emulated: Api events, DynamoDB events, Schedule events, S3 notifications, "
         "1 deployment, 1 rest api, 1 stage."],
    ),
    "values of other stacks and resources": (
        template(JOBS, worker(properties="""
      VpcConfig: {SecurityGroupIds: [!ImportValue group], SubnetIds: [!ImportValue net]}
      Environment:
        Variables:
          TABLE: !ImportValue table-name
          CACHE: !Sub "${Cache.RedisEndpoint.Address}:6379"
          QUEUE_URL: !GetAtt Jobs.QueueUrl
          SECRET: "{{resolve:ssm:/secret}}"
"""), """
  Cache: {Type: AWS::ElastiCache::CacheCluster, Properties: {Engine: redis, CacheNodeType: x, NumCacheNodes: 1}}
  Custom: {Type: "Custom::Certificate", Properties: {ServiceToken: !ImportValue token}}
"""),
        ["Jobs > Worker"],
        ["TABLE of Worker is only the text not-emulated:import:table-name here.",
         "CACHE of Worker is only the text not-emulated:Cache.RedisEndpoint.Address:6379 here.",
         "SECRET of Worker is only the text {{resolve:ssm:/secret}} here.",
         "Not emulated: 1 cache cluster, 1 certificate."],
    ),
    "queues of other stacks": (
        template(JOBS, worker(), worker("Imported", "!ImportValue inbox"),
                 worker("Partner", "arn:aws:sqs:us-east-1:111122223333:inbox"),
                 worker("Nested", "!GetAtt App.Outputs.Arn"), """
  App: {Type: AWS::Serverless::Application, Properties: {Location: app/template.yaml}}
"""),
        ["Jobs > Worker"],
        ["Imported gets no messages from the import inbox here, only from queues in the template.",
         "Partner gets no messages from arn:aws:sqs:us-east-1:111122223333:inbox here, "
         "only from queues in the template.",
         "Nested gets no messages from App.Outputs.Arn here, only from queues in the template.",
         "Not emulated: 1 stack."],
    ),
    "queues named by texts": (
        template("""
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub ${AWS::StackName}-jobs
      RedrivePolicy:
        deadLetterTargetArn: !Sub arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-dead
        maxReceiveCount: 3
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${AWS::StackName}-dead"}}
""", worker(queue="!Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:local-jobs'"),
            worker("Second", queue="!Join [':', [arn, aws, sqs, !Ref AWS::Region, !Ref AWS::AccountId, local-dead]]")),
        ["local-dead > Second", "local-jobs > Worker"],
        [],
    ),
    "dead-letter queue of another stack": (
        template("""
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !ImportValue dead, maxReceiveCount: 3}}
""", worker()),
        ["Jobs > Worker"],
        ["Jobs retries failed messages without end here: its dead-letter queue is not in the template."],
    ),
    "conditions and mappings": (
        template(
            JOBS,
            worker(
                event=", BatchSize: !FindInMap [Sizes, !Ref Stage, '1'], Enabled: !If [IsProd, false, true]",
                properties="Environment: {Variables: {AUDIT: !If [IsProd, !Ref Audit, none]}}",
            ),
            worker("Auditor", "!GetAtt Audit.Arn").replace("    Prop", "    Condition: IsProd\n    Prop", 1),
            "  Audit: {Type: AWS::SQS::Queue, Condition: IsProd}\n",
        ),
        ["Jobs > Worker"],
        [],
    ),
    "disabled event": (
        template(JOBS, worker(), worker("Paused", event=", Enabled: !Ref IsOn")),
        ["Jobs > Worker"],
        ["Paused gets no messages from Jobs: its event is disabled."],
    ),
    "numbers as texts": (
        template(JOBS, worker(event=", BatchSize: !Ref Few, ScalingConfig: {MaximumConcurrency: !Ref Few}",
                              properties="Timeout: !Ref Few")),
        ["Jobs > Worker"],
        [],
    ),
    "one queue for two functions, two for one": (
        template(JOBS, "  More: {Type: AWS::SQS::Queue}\n", worker(), worker("Second"), """
  Both:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        On: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
        Off: {Type: SQS, Properties: {Queue: !GetAtt More.Arn}}
"""),
        ["Jobs > Both", "Jobs > Second", "Jobs > Worker", "More > Both"],
        ["Jobs sends each message to only one of Worker and Second and Both."],
    ),
    "FIFO queue without a name": (
        template("  Jobs: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}\n", worker()),
        ["Jobs.fifo > Worker"],
        [],
    ),
    "features of a deployment": (
        template(JOBS, worker(properties="""
      AutoPublishAlias: live
      DeploymentPreference: {Type: Canary10Percent5Minutes, Alarms: [!Ref Alarm]}
      SnapStart: {ApplyOn: PublishedVersions}
      EventInvokeConfig: {MaximumRetryAttempts: 1}
"""), """
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1}}
""", more="Outputs: {Version: {Value: !Ref Worker.Version}, Alias: {Value: !Ref Worker.Alias, Export: {Name: alias}}}"),
        ["Jobs > Worker"],
        ["Not emulated: 1 alarm, 1 alias, 1 application, 1 deployment group, 1 event invoke config."],
    ),
    "loops": (
        template("""
  Fn::ForEach::Colours:
    - Colour
    - [Red, Blue]
    - ${Colour}Jobs: {Type: AWS::SQS::Queue}
      ${Colour}Worker:
        Type: AWS::Serverless::Function
        Properties: {Events: {Any: {Type: SQS, Properties: {Queue: !GetAtt [!Sub "${Colour}Jobs", Arn]}}}}
""", head=LOOPS),
        ["BlueJobs > BlueWorker", "RedJobs > RedWorker"],
        [],
    ),
}  # fmt: skip

CONDITIONS = """
Parameters: {Stage: {Type: String, Default: dev}, IsOn: {Type: String, Default: false}, Few: {Type: String, Default: 2}}
Mappings: {Sizes: {dev: {1: 2}, prod: {1: 20}}}
Conditions: {IsProd: !Equals [!Ref Stage, prod]}
"""


@pytest.mark.parametrize("shape", RUNS)
def test_template_runs_and_says_what_does_not(aws: EmbeddedAws, deploy: Deploy, shape: str) -> None:
    text, expected, notes = RUNS[shape]
    mappings = deploy(text + CONDITIONS)
    assert in_words(mappings) == expected
    assert [logical_id(note) for note in aws.notes] == notes
    assert {type(mapping.batch_size) for mapping in mappings} == {int}


REFUSED = {
    "no event of a queue": (
        template("  Idle: {Type: AWS::Serverless::Function}\n"),
        "nothing can run here. No function has an SQS event",
    ),
    "no function in Python": (
        template(JOBS, worker(properties="Runtime: nodejs22.x")),
        "nothing can run here. Worker is not run here: its runtime is nodejs22.x, not Python",
    ),
    "no queue": (
        template(worker(queue="!ImportValue inbox")),
        "nothing can run here. Worker gets no messages from the import inbox here, only from queues in the template",
    ),
    "code that is not there": (
        template(JOBS, worker(properties="CodeUri: nowhere/")),
        "the CodeUri of Worker is not a folder: ",
    ),
    "queue that SQS refuses": (
        template("  Jobs: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: soon}}\n", worker()),
        "cannot deploy the template: Jobs: ValueError: invalid literal for int() with base 10: 'soon'",
    ),
    "parameters without a value": (
        template(JOBS, worker(), more="Parameters: {Stage: {Type: String}, Zone: {Type: String}}"),
        "these parameters have no default; give each a value: --parameter Stage=… --parameter Zone=…",
    ),
    "loop over a parameter": (
        template("  Fn::ForEach::Colours: [Colour, !Ref Colours, {'${Colour}Jobs': {Type: AWS::SQS::Queue}}]\n",
                 head=LOOPS),
        "Fn::ForEach::Colours cannot be used here: write out the list that it loops over",
    ),
    "filter that is unknown": (
        template(JOBS, worker(event=""", FilterCriteria: {Filters: [{Pattern: '{"body": [{"cidr": "::1"}]}'}]}""")),
        'a filter pattern of Worker cannot be used here: the operator {"cidr": "::1"} is unknown',
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", REFUSED)
def test_template_that_cannot_run_is_refused_in_one_line(deploy: Deploy, shape: str) -> None:
    text, error = REFUSED[shape]
    with pytest.raises(UserError) as raised:
        deploy(text)
    assert str(raised.value).startswith(error)
    assert "\n" not in str(raised.value)


PARAMETERS = """
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod]}
  Size: {Type: Number, Default: 3}
  Nets: {Type: CommaDelimitedList, Default: "a,b"}
  Host: {Type: "AWS::SSM::Parameter::Value<String>", Default: /host}
"""
WITH_PARAMETERS = template(
    JOBS,
    worker(
        event=", BatchSize: !Ref Size",
        properties="Environment: {Variables: "
        "{STAGE: !Ref Stage, NETS: !Join ['+', !Ref Nets], HOST: !Ref Host, NUMBER: 5, FLAG: false}}",
    ),
    more=PARAMETERS,
)


def test_ids_of_a_network_need_no_value(deploy: Deploy) -> None:
    more = "Parameters: {Vpc: {Type: AWS::EC2::VPC::Id}, Subnets: {Type: List<AWS::EC2::Subnet::Id>}}"
    properties = "VpcConfig: {SubnetIds: !Ref Subnets, SecurityGroupIds: [sg-1]}"
    (mapping,) = deploy(template(JOBS, worker(properties=properties), more=more))
    assert mapping.function.name == "Worker"


def test_parameters_have_their_default_or_the_value_given(aws: EmbeddedAws, deploy: Deploy) -> None:
    (mapping,) = deploy(WITH_PARAMETERS, Stage="dev", Nets="c,d,e")
    assert mapping.batch_size == 3
    assert mapping.function.environment == {
        "STAGE": "dev",
        "NETS": "c+d+e",
        "HOST": "/host",
        "NUMBER": "5",
        "FLAG": "false",
    }
    assert aws.notes == ["The parameter Host is only the text /host here; set its value with --parameter Host=…"]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"Stage": "test"}, "the parameter Stage must be one of dev, prod"),
        ({"Stage": "dev", "Colour": "red"}, "the template has no parameter Colour, for which there is a value"),
    ],
)
def test_values_that_do_not_fit_are_refused(deploy: Deploy, parameters: dict[str, str], error: str) -> None:
    with pytest.raises(UserError, match=error):
        deploy(WITH_PARAMETERS, **parameters)


def test_function_imports_from_its_layers(aws: EmbeddedAws, deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "layer" / "python").mkdir(parents=True)
    (tmp_path / "layer" / "python" / "in_layer.py").touch()
    layers = "arn:aws:lambda:us-east-1:017000801446:layer:Tools:7"
    (mapping,) = deploy(
        template(
            JOBS,
            worker(properties=f"Layers: [!Ref Shared, '{layers}']\n      Handler: parts/work.run"),
            "  Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer/}}\n",
        )
    )
    (tmp_path / "src" / "parts").mkdir()
    (tmp_path / "src" / "parts" / "work.py").write_text("import in_layer\ndef run(event, context): pass\n", "utf-8")
    function = Worker(mapping.function, aws.endpoint)
    try:
        assert function.start().error is None
    finally:
        function.close()
    assert aws.notes == ["Worker runs without the layer Tools: add its libraries with `uv add`."]


def test_messages_that_match_no_filter_are_deleted(
    aws: EmbeddedAws, deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    pattern = """'{"body": {"region": [{"prefix": "us-"}]}}'"""
    (mapping,) = deploy(template(JOBS, worker(event=f", FilterCriteria: {{Filters: [{{Pattern: {pattern}}}]}}")))
    batches: list[Batch] = []
    poller = Poller(aws, replace(mapping, batch_size=1), batches.append)
    for body in ('{"region": "eu-west"}', "plain text", '{"region": "us-east"}'):
        send(aws, mapping.queue, body)
    poller.start()
    try:
        wait_until(lambda: len(batches) == 3 and aws.depth(mapping.queue.url) == (0, 0))
    finally:
        poller.stop()
    shown = {record["body"]: batch.filtered for batch in batches for record in batch.records}
    assert shown == {'{"region": "eu-west"}': True, "plain text": True, '{"region": "us-east"}': False}
    Screen(plain=True).batch(next(batch for batch in batches if batch.filtered))
    assert re.search(r"  filtered out  \w{8}  ", capsys.readouterr().out)


@pytest.mark.parametrize("scope", ["queue", "messageGroup"])
def test_fifo_queue_drops_a_repetition_even_if_the_first_is_done(aws: EmbeddedAws, scope: str) -> None:
    sqs = aws.client("sqs")
    name = f"{scope}-{time.time_ns()}.fifo"
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "DeduplicationScope": scope}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def received(body: str, group: str) -> int:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
        messages = sqs.receive_message(QueueUrl=url).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    assert received("1", "a") == 1
    assert received("1", "a") == 0
    assert received("2", "a") == 1
    assert received("1", "b") == (1 if scope == "messageGroup" else 0)


def test_local_says_at_the_start_what_is_not_emulated(tmp_path: Path) -> None:
    policy = "  Policy: {Type: AWS::SQS::QueuePolicy, Properties: {Queues: [!Ref Jobs], PolicyDocument: {}}}\n"
    text = template(JOBS, policy, worker(properties="Environment: {Variables: {STAGE: !Ref Stage}}"), more=PARAMETERS)
    running = project(tmp_path, text)
    with running_local(
        running, *SQSKIT, "local", "--plain", "--parameter", "Stage=dev", "--parameter", "Host=h"
    ) as local:
        assert local.lines[1] == "Not emulated: 1 queue policy.\n"


def test_local_refuses_a_parameter_without_a_value(tmp_path: Path) -> None:
    done = run(*SQSKIT, "local", "--parameter", "Stage", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.endswith("error: argument --parameter: write it as NAME=VALUE, not Stage\n")
