"""docs/recipes/: each recipe is followed to the letter, on projects with all kinds of answers."""

import copy
import functools
import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from sqs import batch_handler
from sqs.idempotency import Once
from sqskit.aws import EmbeddedAws
from sqskit.rules import deploy_role, environments, problems
from sqskit.rules.stack import Stack
from sqskit.template import parsed, transformed

from scripts.machine import ARCHITECTURE, RUNTIME
from tests.support.projects import CHOICES, Bake, Project, posix
from tests.support.recipes import ALL, FILES, NAMES, applied, steps

pytestmark = pytest.mark.slow

ANSWERS = [
    dict(zip(("source", "queue_type", "idempotency_key"), row, strict=True))
    for row in itertools.product(CHOICES["source"], CHOICES["queue_type"], ["", "orderId"])
]
FEW = [ANSWERS[0], ANSWERS[7]]
LARGEST = ANSWERS[11]


def name_of(answers: Mapping[str, str]) -> str:
    return " ".join(filter(None, answers.values()))


def cases(singles_in: list[dict[str, str]]) -> Iterator[Any]:
    """Yield pairs of recipes and answers; the default suite has all recipes together, and some alone."""
    for answers in ANSWERS:
        for recipes in [ALL, *([name] for name in ALL)]:
            quick = answers in (FEW if recipes is ALL else singles_in)
            name = "all" if recipes is ALL else recipes[0]
            marks = [] if quick else [pytest.mark.wide]
            yield pytest.param(recipes, answers, id=f"{name} {name_of(answers)}", marks=marks)


def few_first() -> Iterator[Any]:
    """Yield all answers; the default suite has a few of them, with each source of messages."""
    for answers in ANSWERS:
        marks = [] if answers in [*FEW, LARGEST] else [pytest.mark.wide]
        yield pytest.param(answers, id=name_of(answers), marks=marks)


def followed(project: Project, folder: Path, *recipes: str) -> Project:
    """Return a copy of a project after some recipes."""
    copy = project.copied(folder)
    for name, text in applied(project, *recipes).items():
        (copy.path / name).write_text(text, "utf-8")
    return copy


def after(bake: Bake, *recipes: str, **answers: str) -> str:
    """Return the template of a project after some recipes."""
    return applied(bake(**answers), *recipes)["template.yaml"]


@functools.cache
def stack_of(template: str, **parameters: str) -> Any:
    """Return the resources that SAM makes of a template."""
    return transformed(template, parameters)["Resources"]


def resources(template: str) -> dict[str, Any]:
    """Return the properties of the resources that SAM makes of a template."""
    return {name: each.get("Properties", {}) for name, each in stack_of(template).items()}


def of_type(template: str, type_: str) -> dict[str, Any]:
    found = stack_of(template).items()
    return {name: each.get("Properties", {}) for name, each in found if each["Type"] == type_}


def settings_of(project: Project) -> Any:
    """Return what the project's own test passes to `problems`."""
    if not project.answers["idempotency_key"]:
        return batch_handler(int, lambda number: None).settings
    return batch_handler(int, Once(lambda number: None, key=lambda number: number)).settings


@pytest.mark.parametrize(("recipes", "answers"), list(cases([])))
def test_stack_breaks_no_rule(bake: Bake, tmp_path: Path, recipes: list[str], answers: dict[str, str]) -> None:
    project = bake(**answers)
    path = tmp_path / "template.yaml"
    path.write_text(applied(project, *recipes)["template.yaml"], "utf-8")
    assert problems(path, settings_of(project)) == []


def faults_of(template: str, role: Any) -> list[str]:
    """Return what the role that deploys a template lacks, or allows without need."""
    return list(deploy_role.faults(Stack({"Resources": stack_of(template)}), Stack(role), {}))


@pytest.mark.parametrize(("recipes", "answers"), list(cases([LARGEST])))
def test_environments_and_deploy_role_fit_the_stack(bake: Bake, recipes: list[str], answers: dict[str, str]) -> None:
    files = applied(bake(**answers), *recipes)
    template = files["template.yaml"]
    stack = Stack({"Resources": stack_of(template), "Parameters": parsed(template)["Parameters"]})
    assert list(environments.faults(stack, without_version(files["samconfig.toml"]))) == []
    assert faults_of(template, parsed(files["deploy-role.yaml"])) == []


def without_version(samconfig: str) -> dict[str, Any]:
    return {name: each for name, each in tomllib.loads(samconfig).items() if name != "version"}


def statements_of(role: Any) -> list[Any]:
    (policy,) = role["Resources"]["Role"]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


@pytest.mark.parametrize(("recipes", "answers"), list(cases([LARGEST])))
def test_each_action_that_recipes_add_to_the_deploy_role_is_needed(
    bake: Bake, recipes: list[str], answers: dict[str, str]
) -> None:
    project = bake(**answers)
    files = applied(project, *recipes)
    plain = statements_of(parsed(applied(project)["deploy-role.yaml"]))
    whole = parsed(files["deploy-role.yaml"])
    added = [n for n, each in enumerate(statements_of(whole)) if each not in plain]
    assert added
    for n in added:
        actions = statements_of(whole)[n]["Action"]
        for action in actions if isinstance(actions, list) else [actions]:
            role = copy.deepcopy(whole)
            statements_of(role)[n]["Action"] = [each for each in actions if each != action] if actions != action else []
            lacking = [fault for fault in faults_of(files["template.yaml"], role) if "must allow" in fault]
            assert any(re.search(rf"\b{action}\b", fault) for fault in lacking), action


def test_cfn_lint_accepts_the_deploy_role_with_all_recipes(bake: Bake) -> None:
    role = applied(bake(**LARGEST), *ALL)["deploy-role.yaml"]
    assert [str(match) for match in cfnlint.api.lint(role, regions=["us-east-1"])] == []


@pytest.mark.parametrize("answers", [ANSWERS[3], ANSWERS[7], LARGEST], ids=name_of)
def test_policy_of_the_deploy_role_fits_with_all_recipes(bake: Bake, answers: dict[str, str]) -> None:
    values = {"AWS::Partition": "aws", "AWS::Region": "ap-southeast-1", "AWS::AccountId": "1" * 12}
    values |= {"StackName": "s" * 64, "NamePrefix": "s" * 24}

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "Fn::Sub" in value:
            return re.sub(r"\$\{([\w:]+)}", lambda found: values[found[1]], value["Fn::Sub"])
        if "Fn::If" in value:
            return resolved(value["Fn::If"][1])
        return {key: resolved(each) for key, each in value.items()} if "Ref" not in value else "b" * 64

    role = parsed(applied(bake(**answers), *ALL)["deploy-role.yaml"])
    policy = {"Version": "2012-10-17", "Statement": resolved(statements_of(role))}
    assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240  # the most that IAM takes


@pytest.mark.parametrize("recipe", NAMES)
def test_project_that_github_does_not_deploy_has_no_role_to_change(bake: Bake, recipe: str) -> None:
    assert set(applied(bake(ci="none"), recipe)) == set(FILES) - {"deploy-role.yaml"}


def test_local_stack_runs(bake: Bake, tmp_path: Path) -> None:
    project = followed(bake(message_name="OrderPlaced", **ANSWERS[7]), tmp_path, *ALL)
    with EmbeddedAws() as aws:
        (mapping,) = aws.deploy(project.path / "template.yaml")
    assert mapping.function.name == "OrderPlacedProcessorFunction"
    assert mapping.batch_size == 10
    assert mapping.reports_failures


@pytest.mark.wide
@pytest.mark.parametrize("answers", ANSWERS, ids=name_of)
def test_sam_accepts_each_recipe_and_the_local_stack_runs(bake: Bake, tmp_path: Path, answers: dict[str, str]) -> None:
    for recipe in NAMES:
        project = followed(bake(**answers), tmp_path / recipe, recipe)
        assert "is a valid SAM Template" in project.run("sam", "validate", "--lint")
        with EmbeddedAws() as aws:
            (mapping,) = aws.deploy(project.path / "template.yaml")
        assert mapping.function.name == "NewMessageProcessorFunction"


@posix
@pytest.mark.wide
def test_tests_of_the_project_pass(bake: Bake, tmp_path: Path, with_python: Callable[[str], dict[str, str]]) -> None:
    project = followed(bake(runtime=RUNTIME, architecture=ARCHITECTURE, **ANSWERS[7]), tmp_path, *ALL)
    project.run("make", "test", **with_python(RUNTIME))


@pytest.mark.parametrize("recipe", NAMES)
def test_every_step_is_followed_for_some_answers(recipe: str) -> None:
    assert steps(recipe)
    for step in steps(recipe):
        assert any(step.is_for({**answers, "ci": "github"}) for answers in ANSWERS)


# --- customer-managed-key ----------------------------------------------------------------------

ENCRYPTED = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::Lambda::Function": "KmsKeyArn",
}


@pytest.mark.parametrize("answers", list(few_first()))
def test_key_encrypts_what_is_stored_and_may_be_used(bake: Bake, answers: dict[str, str]) -> None:
    template = after(bake, "customer-managed-key", **answers)
    for type_, name in ENCRYPTED.items():
        for properties in of_type(template, type_).values():
            assert properties[name] in ({"Ref": "Key"}, {"Fn::GetAtt": ["Key", "Arn"]})
    for table in of_type(template, "AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "Key"}}

    found = resources(template)
    (role,) = found["NewMessageProcessorRole"]["Policies"]
    policies = [role["PolicyDocument"]]
    if answers["source"] != "eventbridge":  # the bus is not encrypted with this key
        name = "SenderPolicy" if answers["source"] == "sns" else "NewMessageQueueSenderPolicy"
        policies.append(found[name]["PolicyDocument"])
    for policy in policies:
        allowed = {
            action
            for statement in policy["Statement"]
            if statement["Resource"] == {"Fn::GetAtt": ["Key", "Arn"]}
            for action in statement["Action"]
        }
        assert allowed >= {"kms:Decrypt", "kms:GenerateDataKey"}


@pytest.mark.parametrize(("source", "service"), [("queue", None), ("sns", "sns"), ("eventbridge", "events")])
def test_services_that_send_may_use_the_key(bake: Bake, source: str, service: str | None) -> None:
    key = resources(after(bake, "customer-managed-key", source=source))["Key"]
    services = [each["Principal"].get("Service") for each in key["KeyPolicy"]["Statement"]]
    logs = {"Fn::Sub": "logs.${AWS::Region}.amazonaws.com"}
    senders = {f"{service}.amazonaws.com"} if service else set()
    assert {each for each in services if isinstance(each, str)} == {"cloudwatch.amazonaws.com"} | senders
    assert logs in services


# --- permissions-boundary ----------------------------------------------------------------------


def test_boundary_is_on_the_roles_of_all_recipes(bake: Bake) -> None:
    roles = of_type(after(bake, *ALL), "AWS::IAM::Role")
    assert set(roles) == {"NewMessageProcessorRole", "RollBackRole"}
    assert all("PermissionsBoundary" in role for role in roles.values())


# --- roll-back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_alias_takes_the_place_of_the_function_in_the_mapping(bake: Bake, queue_type: str) -> None:
    mapping = "AWS::Lambda::EventSourceMapping"
    plain = of_type(after(bake, queue_type=queue_type), mapping)
    alias = of_type(after(bake, "roll-back", queue_type=queue_type), mapping)
    ((name, before),) = plain.items()
    expected = {name: {**before, "FunctionName": {"Ref": "NewMessageProcessorFunctionAliaslive"}}}
    assert alias == expected


@pytest.mark.parametrize("queue_type", CHOICES["queue_type"])
def test_deployment_is_watched_by_alarms_and_can_be_turned_off(bake: Bake, queue_type: str) -> None:
    template = after(bake, "roll-back", queue_type=queue_type)
    (group,) = of_type(template, "AWS::CodeDeploy::DeploymentGroup").values()
    alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
    assert alarms == ["FunctionErrorsAlarm", "NewCodeAlarm"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["RollBackRole", "Arn"]}
    made = resources(template)
    assert made["FunctionErrorsAlarm"]["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Ref": "NewMessageProcessorFunction"}}
    ]
    live = stack_of(template)["NewMessageProcessorFunctionAliaslive"]
    assert "CodeDeployLambdaAliasUpdate" in live["UpdatePolicy"]

    off = stack_of(template, RollBack="false")
    assert off["NewMessageProcessorFunctionAliaslive"] == {k: v for k, v in live.items() if k != "UpdatePolicy"}
    assert not [name for name, each in off.items() if "CodeDeploy" in each["Type"]]


def test_role_stays_as_it_is(bake: Bake) -> None:
    before, with_alias = resources(after(bake)), resources(after(bake, "roll-back"))
    assert with_alias["NewMessageProcessorRole"] == before["NewMessageProcessorRole"]
    assert "AWS::Lambda::Permission" not in str(stack_of(after(bake, "roll-back")))


@pytest.mark.parametrize(
    ("found", "replacement", "is_new"),
    [("Timeout: 10", "Timeout: 11", True), ("Default: INFO", "Default: DEBUG", False)],
    ids=["a setting of the function", "a parameter"],
)
def test_change_makes_a_new_version(bake: Bake, found: str, replacement: str, is_new: bool) -> None:
    template = after(bake, "roll-back")
    assert found in template
    versions = [
        set(of_type(text, "AWS::Lambda::Version")) for text in (template, template.replace(found, replacement, 1))
    ]
    assert (versions[0] != versions[1]) == is_new


# --- vpc ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "orderId"])
def test_function_reaches_the_services_that_it_calls(bake: Bake, key: str) -> None:
    template = after(bake, "vpc", idempotency_key=key)
    endpoints = of_type(template, "AWS::EC2::VPCEndpoint").values()
    services = {each["ServiceName"]["Fn::Sub"].rpartition(".")[2] for each in endpoints}
    assert services == {"sqs", *(["dynamodb"] if key else [])}
    assert "VpcConfig" in resources(template)["NewMessageProcessorFunction"]
