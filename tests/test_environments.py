"""The environments in samconfig.toml, as SAM reads them, and the rules that they keep."""

import importlib
import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import cfnlint.api
import click
import pytest
from moto.cloudformation.responses import CloudFormationResponse
from samcli.cli.types import CfnParameterOverridesType
from samtranslator.yaml_helper import yaml_parse
from sqskit.aws import Aws, EmbeddedAws
from sqskit.rules import environment_problems
from sqskit.template import transformed

from tests.support.projects import CHOICES, Bake, Project, posix, run

PARAMETERS = [
    "LogLevel",
    "LogRetentionDays",
    "MaximumConcurrency",
    "AlarmEmail",
    "AlarmTopicArn",
    "AlarmAgeSeconds",
    "AlarmFailurePercent",
]
STACKS = {"default": "order-events", "dev": "order-events-dev", "prod": "order-events-prod"}
MODULES = {command: f"samcli.commands.{command}.command" for command in ("build", "deploy", "logs", "delete")}
MODULES["validate"] = "samcli.commands.validate.validate"

POLICY = '{"kind": ["placed", "order placed"]}'


def settings(project: Project, command: str, env: str) -> dict[str, Any]:
    """Return the options of a command of SAM as they apply in an environment."""
    cli = importlib.import_module(MODULES[command]).cli
    with chdir(project.path):
        context = cli.make_context(command, ["--config-env", env], parent=click.Context(click.Group("sam")))
    return {**context.default_map, **context.params}  # SAM looks for its beta features in the first


# --- as SAM reads them -------------------------------------------------------------------------


@pytest.mark.parametrize("source", CHOICES["source"])
@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_sam_reads_each_environment_in_full(bake: Bake, queue_type: str, source: str) -> None:
    project = bake(queue_type=queue_type, source=source)
    template = yaml_parse((project.path / "template.yaml").read_text("utf-8"))
    defaults = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
    for env, stack in STACKS.items():
        deploy = settings(project, "deploy", env)
        level = "DEBUG" if env == "dev" else "INFO"
        assert deploy["parameter_overrides"] == {**defaults, "LogLevel": level}
        assert (deploy["stack_name"], deploy["capabilities"], deploy["resolve_s3"]) == (stack, ["CAPABILITY_IAM"], True)
        assert deploy["confirm_changeset"] == deploy["fail_on_empty_changeset"] == (env == "default")
        assert deploy["tags"] == (None if env == "default" else {"project": "order-events", "environment": env})
        assert settings(project, "build", env)["beta_features"] is True
        assert settings(project, "validate", env)["lint"] is True
        assert settings(project, "logs", env)["stack_name"] == settings(project, "delete", env)["stack_name"] == stack


def test_pip_builder_is_not_a_beta_feature(bake: Bake) -> None:
    project = bake(sam_builder="pip")
    assert [settings(project, "build", env).get("beta_features") for env in STACKS] == [None] * 3


def test_sam_keeps_a_value_in_a_table_and_cuts_it_in_a_list() -> None:
    convert = CfnParameterOverridesType().convert
    assert convert({"AlarmEmail": "", "FilterPolicy": POLICY}, None, None) == {"AlarmEmail": "", "FilterPolicy": POLICY}
    assert convert([f"FilterPolicy={POLICY}"], None, None) == {"FilterPolicy": "{"}


@pytest.mark.slow
def test_sam_deploys_an_environment(bake: Bake, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = bake(source="sns", sam_builder="pip").copied(tmp_path)
    samconfig = project.path / "samconfig.toml"
    text = samconfig.read_text("utf-8").replace('FilterPolicy = ""', f"FilterPolicy = '{POLICY}'")
    # moto does not have the bucket that SAM would make.
    samconfig.write_text(text.replace("resolve_s3 = true", 's3_bucket = "code"'), "utf-8")
    requests: list[dict[str, Any]] = []
    answer = CloudFormationResponse.create_change_set

    def create_change_set(request: CloudFormationResponse) -> Any:
        requests.append({name: request._get_param(name) for name in ("StackName", "Parameters", "Tags")})
        return answer(request)

    monkeypatch.setattr(CloudFormationResponse, "create_change_set", create_change_set)
    Aws(endpoint).client("s3").create_bucket(Bucket="code")
    run("sam", "deploy", "--config-env", "prod", cwd=project.path, AWS_ENDPOINT_URL=endpoint)
    (request,) = requests
    assert request["StackName"] == "order-events-prod"
    assert {each["ParameterKey"]: each["ParameterValue"] for each in request["Parameters"]} == {
        "LogLevel": "INFO",
        "LogRetentionDays": "30",
        "MaximumConcurrency": "10",
        "AlarmEmail": "",
        "AlarmTopicArn": "",
        "AlarmAgeSeconds": "600",
        "AlarmFailurePercent": "5",
        "ExistingTopicArn": "",
        "FilterPolicy": POLICY,
    }
    assert {each["Key"]: each["Value"] for each in request["Tags"]} == {
        "project": "order-events",
        "environment": "prod",
    }


@pytest.mark.slow
@pytest.mark.parametrize("env", STACKS)
@pytest.mark.parametrize(
    ("queue_type", "source"),
    [
        pytest.param(queue_type, source, marks=[] if (queue_type, source) == ("fifo", "sns") else pytest.mark.wide)
        for queue_type in CHOICES["queue_type"]
        for source in CHOICES["source"]
    ],
)
def test_each_environment_is_linted_and_deployed_to_moto(bake: Bake, queue_type: str, source: str, env: str) -> None:
    project = bake(queue_type=queue_type, source=source, idempotency_key="orderId")
    template = project.path / "template.yaml"
    parameters = settings(project, "deploy", env)["parameter_overrides"]
    content = transformed(template.read_text("utf-8"), parameters)
    assert cfnlint.api.lint(json.dumps(content), regions=["us-east-1"]) == []
    with EmbeddedAws() as aws:
        (mapping,) = aws.deploy(template, parameters)
        assert aws.client("dynamodb").list_tables()["TableNames"] == [mapping.function.environment["IDEMPOTENCY_TABLE"]]


@posix
@pytest.mark.parametrize("target", ["build", "deploy", "logs", "destroy", "deploy-role"])
def test_unknown_environment_is_refused_before_sam_can_ask(bake: Bake, target: str) -> None:
    done = run("make", target, "ENV=typo", "REPOSITORY=org/name", cwd=bake().path)
    assert done.returncode
    assert done.stdout.startswith("error: samconfig.toml has no environment typo\n")


# --- rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", CHOICES["source"])
def test_generated_environments_break_no_rule(bake: Bake, source: str) -> None:
    for queue_type in CHOICES["queue_type"]:
        assert environment_problems(bake(source=source, queue_type=queue_type).path / "template.yaml") == []


@pytest.mark.parametrize(
    ("found", "replacement", "problem"),
    [
        ('LogLevel = "DEBUG"\n', "",
         "dev: the parameter LogLevel is missing; an existing stack would keep its value"),
        ("MaximumConcurrency", "MaximumConcurency",
         "default: the parameter MaximumConcurrency is missing; an existing stack would keep its value\n"
         "default: the template has no parameter MaximumConcurency"),
        ('stack_name = "order-events-dev"\n', "", "dev: there is no stack_name"),
        ('"order-events-prod"', '"order-events"', "prod: it deploys the stack order-events, as default does"),
        ('"order-events-prod"', '"order-events"\nregion = "eu-west-1"', ""),
        ('"order-events-prod"', '"order-events"\nprofile = "prod"', ""),
        ('"order-events-prod"', f'"{"s" * 64}"', ""),
        ('"order-events-prod"', f'"{"s" * 65}"',
         f"prod: the queue name {'s' * 65}-NewMessageQueue is longer than 80 characters"),
        ('capabilities = "CAPABILITY_IAM"\n', "",
         'default: capabilities must be "CAPABILITY_IAM", because the stack has roles'),
        ('capabilities = "CAPABILITY_IAM"', 'capabilities = ["CAPABILITY_NAMED_IAM"]', ""),
        ("[dev.deploy.parameters.parameter_overrides]\n", "[dev.deploy.parameters.overrides]\n",
         "\n".join(f"dev: the parameter {name} is missing; an existing stack would keep its value"
                   for name in PARAMETERS)),
        ('tags = ["project=order-events", "environment=dev"]\n\n[dev.deploy.parameters.parameter_overrides]\n',
         'parameter_overrides = ["LogLevel=DEBUG"]\n\n[dev.unused]\n',
         "dev: write parameters below [dev.deploy.parameters.parameter_overrides]"),
        ("version = 0.1\n", "version = 0.1\n\n[local.local_invoke.parameters]\n", ""),
    ],
)  # fmt: skip
def test_rules_for_environments(bake: Bake, tmp_path: Path, found: str, replacement: str, problem: str) -> None:
    project = bake().copied(tmp_path)
    samconfig = project.path / "samconfig.toml"
    text = samconfig.read_text("utf-8")
    assert found in text
    samconfig.write_text(text.replace(found, replacement, 1), "utf-8")
    assert "\n".join(environment_problems(project.path / "template.yaml")) == problem


def test_new_parameter_must_be_in_each_environment(bake: Bake, tmp_path: Path) -> None:
    project = bake().copied(tmp_path)
    template = project.path / "template.yaml"
    text = template.read_text("utf-8").replace("Parameters:\n", "Parameters:\n  Color: { Type: String }\n", 1)
    template.write_text(text, "utf-8")
    missing = "the parameter Color is missing; an existing stack would keep its value"
    assert environment_problems(template) == [f"{env}: {missing}" for env in STACKS]
