"""The commands on AWS: which stack an environment is, and how to pause and resume it, against moto's server."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.awslambda.models import EventSourceMapping
from sqskit import pausing
from sqskit.aws import Aws
from sqskit.errors import UserError
from sqskit.on_aws import answering, deployed
from sqskit.samconfig import Environment, environment

from tests.support.projects import Bake, Project, run

pytestmark = pytest.mark.slow

TOML = """
version = 0.1
[default.global.parameters]
stack_name = "orders"
[prod.global.parameters]
stack_name = "unused"
region = "eu-west-1"
[prod.deploy.parameters]
stack_name = "orders-prod"
profile = "production"
[empty.build.parameters]
cached = true
"""


# --- environments ------------------------------------------------------------------------------


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "samconfig.toml").write_text(TOML, "utf-8")
    return tmp_path / "template.yaml"


def test_environment_is_what_sam_deploys(template: Path) -> None:
    assert environment(template, "default") == Environment("orders", None, None)
    assert environment(template, "prod") == Environment("orders-prod", "eu-west-1", "production")


@pytest.mark.parametrize(
    ("name", "toml", "error"),
    [
        ("test", TOML, "samconfig.toml has no environment test; it has default, prod, empty"),
        ("empty", TOML, "samconfig.toml has no stack_name for empty; write one below [empty.global.parameters]"),
        ("version", TOML, "samconfig.toml has no environment version; it has default, prod, empty"),
        ("default", "version = 0.1", "samconfig.toml has no environment default; it has none"),
        ("default", "a =", "samconfig.toml is not valid TOML: Invalid value (at end of document)"),
        ("default", None, "cannot read {}; it says which stack an environment is"),
    ],
)
def test_wrong_environment_is_one_line(template: Path, name: str, toml: str | None, error: str) -> None:
    samconfig = template.parent / "samconfig.toml"
    samconfig.unlink()
    if toml:
        samconfig.write_text(toml, "utf-8")
    with pytest.raises(UserError) as caught:
        environment(template, name)
    assert str(caught.value) == error.format(samconfig)


def test_profile_and_region_of_an_environment_are_used(
    template: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = r"^AWS cannot be asked: The config profile \(production\) could not be found"
    with pytest.raises(UserError, match=error), answering():
        deployed(template, "prod")
    keys = "aws_access_key_id = a\naws_secret_access_key = b\n"
    (template.parent / "config").write_text(f"[profile production]\nregion = us-west-2\n{keys}", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(template.parent / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    empty = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    Aws(endpoint, "eu-west-1").client("cloudformation").create_stack(StackName="orders-prod", TemplateBody=empty)
    assert deployed(template, "prod").client("sqs").meta.region_name == "eu-west-1"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("pause --env prod", "error: the following arguments are required: --name"),
        ("resume", "error: the following arguments are required: --env, --name"),
        ("send --env prod --name Order", "error: --env and --example are given together"),
        ("drop x --env prod", "error: --env and --name are given together"),
    ],
)
def test_options_belong_together(tmp_path: Path, words: str, error: str) -> None:
    assert run("sqskit", *words.split(), cwd=tmp_path).stdout.endswith(f"{error}\n")


# --- pause and resume --------------------------------------------------------------------------


class Deployed:
    """A project's stack on moto, as its default environment."""

    def __init__(self, project: Project, endpoint: str) -> None:
        self.template = project.path / "template.yaml"
        toml = '[default.global.parameters]\nstack_name = "orders"\n'
        (project.path / "samconfig.toml").write_text(toml, "utf-8")
        aws = Aws(endpoint)
        aws.create_stack(self.template.read_text("utf-8"), "orders", {})
        self.client = aws.client("lambda")

    def states(self) -> list[str]:
        mappings = self.client.list_event_source_mappings()["EventSourceMappings"]
        return [each["State"] for each in mappings]


@pytest.fixture(scope="module")
def deployed_once(bake: Bake, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return Deployed(bake().copied(tmp_path_factory.mktemp("deployed")), endpoint)


@pytest.fixture
def stack(deployed_once: Deployed, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Return the stack with its mapping enabled."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setattr(pausing, "SECONDS_TO_ASK", 0)
    (mapping,) = deployed_once.client.list_event_source_mappings()["EventSourceMappings"]
    deployed_once.client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    return deployed_once


def test_pause_and_resume(stack: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    queue = "orders-NewMessageQueue"
    for _ in range(2):  # twice does no harm
        pausing.pause(stack.template, "default", "NewMessage")
        assert stack.states() == ["Disabled"]
        paused = f"Paused: messages wait in {queue} for up to 4 days; batches that are running still end\n"
        assert capsys.readouterr().out == paused
    for _ in range(2):
        pausing.resume(stack.template, "default", "NewMessage")
        assert stack.states() == ["Enabled"]
        assert capsys.readouterr().out == f"Resumed: messages in {queue} are processed again\n"


Change = Callable[..., None]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Let moto show a mapping in another way than it is."""
    answer = EventSourceMapping.get_configuration

    def show(**changes: Any) -> None:
        def get_configuration(mapping: EventSourceMapping) -> dict[str, Any]:
            changed = {name: next(value) if name == "State" else value for name, value in changes.items()}
            return {**answer(mapping), **changed}

        monkeypatch.setattr(EventSourceMapping, "get_configuration", get_configuration)

    return show


def test_mapping_of_an_alias_is_paused(stack: Deployed, show: Change) -> None:
    (mapping,) = stack.client.list_event_source_mappings()["EventSourceMappings"]
    show(FunctionArn=f"{mapping['FunctionArn']}:live")
    pausing.pause(stack.template, "default", "NewMessage")
    assert stack.states() == ["Disabled"]


@pytest.mark.parametrize("suffix", ["Two", "Two:live"])
def test_mapping_of_another_function_is_not_paused(stack: Deployed, show: Change, suffix: str) -> None:
    (mapping,) = stack.client.list_event_source_mappings()["EventSourceMappings"]
    show(FunctionArn=f"{mapping['FunctionArn']}{suffix}")
    with pytest.raises(UserError, match=r"the function \S+ has no event source mapping"):
        pausing.pause(stack.template, "default", "NewMessage")
    assert stack.states() == ["Enabled"]


def test_state_in_between_is_awaited(stack: Deployed, show: Change) -> None:
    states = iter(["Enabled", "Disabling", "Disabling", "Disabling", "Disabled"])
    show(State=states)
    pausing.pause(stack.template, "default", "NewMessage")
    assert list(states) == []


def test_waiting_ends(stack: Deployed, show: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pausing, "SECONDS_TO_WAIT", 0)
    show(State=itertools.repeat("Disabling"))
    with pytest.raises(UserError, match=r"the event source mapping .+ is still Disabling after 0 s; run the command"):
        pausing.pause(stack.template, "default", "NewMessage")


def test_stack_without_the_processor_cannot_be_paused(stack: Deployed) -> None:
    with pytest.raises(UserError, match="has no output AuditProcessorFunctionName"):
        pausing.pause(stack.template, "default", "Audit")
