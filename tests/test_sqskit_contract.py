"""`sqskit contract` writes what belongs to the message class and the example, or says in a line why it cannot."""

import json
import sys
from pathlib import Path

import pytest
from sqskit.contract import queue_arn

from tests.support.projects import Bake, Project, run

CONTRACT = (sys.executable, "-m", "sqskit", "contract")
MODULE, EXAMPLE, APP = (
    "lambdas/shared/new_message.py",
    "contract/new_message.json",
    "lambdas/new_message_processor/app.py",
)


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    """Return a project that a test may change."""
    return bake().copied(tmp_path)


def contents(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.path.glob("contract/*")}


def edit(project: Project, name: str, found: str, replacement: str) -> None:
    path = project.path / name
    text = path.read_text("utf-8")
    assert found in text
    path.write_text(text.replace(found, replacement), "utf-8")


@pytest.mark.parametrize("queue_type", ["standard", "fifo"])
def test_generated_contract_is_up_to_date(bake: Bake, queue_type: str) -> None:
    project = bake(
        queue_type=queue_type, message_fields="note: str = 'Zoë 🚀', price: Decimal > 0, at: datetime | None = None"
    )
    before = contents(project)
    assert project.run(*CONTRACT).splitlines() == [
        "contract/new_message.schema.json is up to date",
        "contract/new_message.event.json is up to date",
    ]
    assert contents(project) == before


def test_new_field_is_written(project: Project) -> None:
    edit(project, MODULE, "order_id: str\n", "order_id: str\n    quantity: int\n")
    edit(project, EXAMPLE, '"order-1"', '"order-1",\n  "quantity": 2')
    assert project.run(*CONTRACT).splitlines() == [
        "contract/new_message.schema.json written",
        "contract/new_message.event.json written",
    ]
    schema, event = (json.loads((project.path / f"contract/new_message.{kind}.json").read_text("utf-8"))
                     for kind in ("schema", "event"))  # fmt: skip
    assert schema["$defs"]["NewMessage"]["properties"]["quantity"] == {"type": "integer"}
    assert json.loads(event["Records"][0]["body"]) == {"orderId": "order-1", "quantity": 2}


@pytest.mark.parametrize(
    ("name", "found", "replacement", "error"),
    [
        (EXAMPLE, '"order-1"', "7",
         "contract/new_message.json is not a NewMessage: Expected `str`, got `int` - at `$.orderId`"),
        (EXAMPLE, "}", "", "contract/new_message.json is not JSON: "),
        (MODULE, "import msgspec", "import msgspeck",
         "cannot import new_message_processor.app.handler: ModuleNotFoundError: No module named 'msgspeck'"),
        (MODULE, "import msgspec\n", "import os\n\nimport msgspec\n\nos.environ['MISSING']\n",
         "cannot import new_message_processor.app.handler: KeyError: 'MISSING'"),
        (APP, "handler = batch_handler(NewMessage, handle)", "def handler(event, context): ...",
         "new_message_processor.app.handler must be made with batch_handler, which knows the message class"),
    ],
)  # fmt: skip
def test_fault_is_one_line_and_nothing_is_written(
    project: Project, name: str, found: str, replacement: str, error: str
) -> None:
    edit(project, name, found, replacement)
    before = contents(project)
    done = run(*CONTRACT, cwd=project.path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"error: {error}")
    assert done.stdout.count("\n") == 1
    assert contents(project) == before


def test_array_of_examples_gives_a_record_each(project: Project) -> None:
    (project.path / EXAMPLE).write_text('[{"orderId": "1"}, {"orderId": "2"}]', "utf-8")
    project.run(*CONTRACT)
    records = json.loads((project.path / "contract/new_message.event.json").read_text("utf-8"))["Records"]
    assert [json.loads(record["body"])["orderId"] for record in records] == ["1", "2"]
    assert len({record["messageId"] for record in records}) == 2


@pytest.mark.parametrize(
    ("examples", "error"),
    [
        ('[{"orderId": "1"}, {"orderId": 2}]',
         "contract/new_message.json, example 2, is not a NewMessage: Expected `str`, got `int` - at `$.orderId`"),
        ("[]", "contract/new_message.json is empty: write an example body for NewMessageProcessorFunction"),
    ],
)  # fmt: skip
def test_fault_in_an_array_of_examples_is_one_line(project: Project, examples: str, error: str) -> None:
    (project.path / EXAMPLE).write_text(examples, "utf-8")
    done = run(*CONTRACT, cwd=project.path)
    assert (done.returncode, done.stdout) == (1, f"error: {error}\n")


def test_missing_example_is_asked_for(project: Project) -> None:
    (project.path / EXAMPLE).unlink()
    done = run(*CONTRACT, cwd=project.path)
    assert (done.returncode, done.stdout) == (
        1,
        "error: contract/new_message.json is missing: write an example body for NewMessageProcessorFunction\n",
    )


def test_missing_template_is_one_line(tmp_path: Path) -> None:
    done = run(*CONTRACT, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        1,
        f"error: cannot read {tmp_path / 'template.yaml'}; name a SAM template with --template\n",
    )


def test_variables_of_the_function_are_set_and_aws_is_out_of_reach(project: Project) -> None:
    count = "MAX_RECEIVE_COUNT: 7"
    variables = f"{count}\n          TABLE: !Ref NewMessageQueue\n          LEVEL: 5 #"
    edit(project, "template.yaml", count, variables)
    check = (
        "import os\n\nimport boto3\nimport msgspec\n\n"
        "assert (os.environ['TABLE'], os.environ['LEVEL']) == ('TABLE', '5')\n"
        "assert 'tests-cannot-reach-aws' in boto3.client('sqs').meta.endpoint_url\n"
    )
    edit(project, MODULE, "import msgspec\n", check)
    assert "up to date" in project.run(*CONTRACT, AWS_PROFILE="prod", AWS_REGION="eu-west-1")


def test_queue_may_have_no_properties() -> None:
    queue = {"Fn::GetAtt": ["Jobs", "Arn"]}
    assert queue_arn({"Jobs": {"Type": "AWS::SQS::Queue"}}, queue) == "arn:aws:sqs:us-east-1:123456789012:Jobs"
