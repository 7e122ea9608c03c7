"""The role with which GitHub deploys a project: what it allows, whom it lets in, and how it is made."""

import copy
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import cfnlint
import cfnlint.api
import pytest
from samtranslator.yaml_helper import yaml_parse
from sqskit.rules import missing_permissions
from sqskit.rules.deploy_role import EVERYTHING, NEEDS, NEEDS_OF_SAM, each_action, faults, granted
from sqskit.rules.stack import Stack
from sqskit.template import transformed

from tests.support.projects import CHOICES, Bake, Project, posix, run

DATA = Path(cfnlint.__file__).parent / "data"
ANSWERS = [
    {"source": source, "queue_type": queue_type, "idempotency_key": key}
    for source, queue_type, key in itertools.product(CHOICES["source"], CHOICES["queue_type"], ["", "orderId"])
]
LARGEST = [{"source": source, "queue_type": "fifo", "idempotency_key": "orderId"} for source in CHOICES["source"]]

# Of the actions that CloudFormation publishes for these types, those that no property in a stack needs.
UNUSED = {
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy:CreateDeployment codedeploy:RegisterOnPremisesInstance "
    "codedeploy:StopDeployment",
    "AWS::DynamoDB::Table": "dynamodb:AssociateTableReplica dynamodb:BatchWriteItem dynamodb:CreateTableReplica "
    "dynamodb:DeleteItem dynamodb:DeleteResourcePolicy dynamodb:DescribeImport "
    "dynamodb:DisableKinesisStreamingDestination dynamodb:EnableKinesisStreamingDestination dynamodb:GetItem "
    "dynamodb:ImportTable dynamodb:PutItem dynamodb:PutResourcePolicy dynamodb:Query dynamodb:Scan "
    "dynamodb:UpdateContributorInsights dynamodb:UpdateItem dynamodb:UpdateKinesisStreamingDestination "
    "iam:CreateServiceLinkedRole kinesis:DescribeStream kinesis:PutRecords kms:ListAliases logs:CreateLogGroup "
    "logs:CreateLogStream logs:DescribeLogGroups logs:DescribeLogStreams logs:PutLogEvents logs:PutRetentionPolicy "
    "s3:GetObject s3:GetObjectMetadata s3:ListBucket",
    "AWS::EC2::VPCEndpoint": "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation "
    "vpc-lattice:DescribeServiceNetworkVpcEndpointAssociation vpce:AllowMultiRegion",
    "AWS::Events::Rule": "iam:PassRole",
    "AWS::IAM::ManagedPolicy": "iam:AttachGroupPolicy iam:AttachRolePolicy iam:AttachUserPolicy iam:DetachGroupPolicy "
    "iam:DetachRolePolicy iam:DetachUserPolicy",
    "AWS::IAM::Role": "iam:DeleteRolePermissionsBoundary",
    "AWS::Lambda::Alias": "lambda:DeleteProvisionedConcurrencyConfig lambda:PutProvisionedConcurrencyConfig",
    "AWS::Lambda::EventSourceMapping": "kms:Decrypt kms:DescribeKey kms:GenerateDataKey",
    "AWS::Lambda::Function": "elasticfilesystem:DescribeMountTargets lambda:AssociateRuntimeAlias "
    "lambda:DeleteFunctionCodeSigningConfig lambda:GetCodeSigningConfig lambda:GetLayerVersion "
    "lambda:PassCapacityProvider lambda:PublishVersion lambda:PutFunctionCodeSigningConfig "
    "lambda:PutFunctionRecursionConfig lambda:PutFunctionScalingConfig lambda:PutRuntimeManagementConfig s3:GetObject "
    "s3:GetObjectVersion s3files:ListMountTargets",
    "AWS::Lambda::Version": "lambda:PutFunctionScalingConfig lambda:PutProvisionedConcurrencyConfig "
    "lambda:PutRuntimeManagementConfig",
    "AWS::Logs::LogGroup": "firehose:TagDeliveryStream logs:CreateLogDelivery logs:DeleteDataProtectionPolicy "
    "logs:DeleteIndexPolicy logs:DeleteResourcePolicy logs:PutBearerTokenAuthentication logs:PutDataProtectionPolicy "
    "logs:PutIndexPolicy logs:PutLogGroupDeletionProtection logs:PutResourcePolicy s3:REST.PUT.OBJECT",
    "AWS::SNS::Subscription": "iam:GetRole iam:PassRole",
    "AWS::SNS::Topic": "iam:GetRole iam:PassRole sns:PutDataProtectionPolicy sns:Subscribe sns:Unsubscribe",
}


def template_of(project: Project) -> Any:
    return yaml_parse((project.path / "deploy-role.yaml").read_text("utf-8"))


def stack_of(project: Project) -> Stack:
    return Stack(transformed((project.path / "template.yaml").read_text("utf-8")))


def statements_of(template: Any) -> list[Any]:
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


def found(project: Project, role: Any, **also: list[str]) -> list[str]:
    return list(faults(stack_of(project), Stack(role), also))


# --- what it allows ----------------------------------------------------------------------------


@pytest.mark.parametrize("answers", ANSWERS, ids=lambda answers: " ".join(filter(None, answers.values())))
def test_role_allows_what_the_stack_needs_and_nothing_more(bake: Bake, answers: dict[str, str]) -> None:
    project = bake(**answers)
    assert missing_permissions(project.path / "template.yaml", project.path / "deploy-role.yaml") == []


@pytest.mark.slow
@pytest.mark.parametrize("answers", LARGEST, ids=lambda answers: answers["source"])
def test_cfn_lint_accepts_the_role(bake: Bake, answers: dict[str, str]) -> None:
    template = (bake(**answers).path / "deploy-role.yaml").read_text("utf-8")
    assert [str(match) for match in cfnlint.api.lint(template, regions=["us-east-1"])] == []


@pytest.mark.parametrize("answers", LARGEST, ids=lambda answers: answers["source"])
def test_each_action_of_the_role_is_needed(bake: Bake, answers: dict[str, str]) -> None:
    project = bake(**answers)
    stack, whole = stack_of(project), template_of(project)
    for n, statement in enumerate(statements_of(whole)):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            role = copy.deepcopy(whole)
            statements_of(role)[n]["Action"] = [each for each in actions if each != action]
            assert any(action in fault for fault in faults(stack, Stack(role), {})), action


def test_actions_are_those_that_cloudformation_publishes() -> None:
    """Check the table against the schemas in cfn-lint, which are those of AWS."""
    needed, published = defaultdict[str, set[str]](set), {}
    for key, needs in NEEDS.items():
        needed[key.partition(".")[0]].update(action for _, action in each_action(needs))
    for file in (DATA / "schemas" / "resources").glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        if schema["typeName"] in needed:
            used = [each["permissions"] for name, each in schema["handlers"].items() if name != "list"]
            used.append(schema.get("tagging", {}).get("permissions", []))
            published[schema["typeName"]] = set(itertools.chain(*used))
    assert {type_: actions - needed[type_] for type_, actions in published.items() if actions - needed[type_]} == {
        type_: set(actions.split()) for type_, actions in UNUSED.items()
    }
    assert {type_: actions - published[type_] for type_, actions in needed.items() if actions - published[type_]} == {}


def test_actions_exist_and_are_as_narrow_as_their_service_allows() -> None:
    policies = json.loads((DATA / "AdditionalSpecs" / "Policies.json").read_text("utf-8"))
    for arn, name in itertools.chain(each_action(NEEDS_OF_SAM), *map(each_action, NEEDS.values())):
        service, _, action = name.partition(":")
        narrow = "Resources" in policies[service]["Actions"][action.lower()]
        if name != "cloudwatch:DescribeAlarms":  # limited to some alarms, it cannot find composite ones
            assert narrow == (arn != EVERYTHING), name


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sqs:TagQueue": "sqs:ListQueues"},
         "NewMessageQueue: deploy-role.yaml must allow sqs:TagQueue on "
         "arn:aws:sqs:us-east-1:123456789012:this-stack-NewMessageQueue"),
        ({"sqs:TagQueue": "sqs:ListQueues"},
         "deploy-role.yaml allows sqs:ListQueues on arn:aws:sqs:us-east-1:123456789012:this-stack-*, which nothing in "
         "the stack needs"),
        ({"sqs:TagQueue": "sqs:*"}, "deploy-role.yaml must name each action instead of sqs:*"),
        ({":${AWS::AccountId}:${StackName}-*": ":${AWS::AccountId}:*"},
         "deploy-role.yaml allows sqs:TagQueue on arn:aws:sqs:us-east-1:123456789012:*, which reaches other stacks"),
        ({"cloudformation:ExecuteChangeSet": "cloudformation:DescribeStacks"},
         "sam deploy: deploy-role.yaml must allow cloudformation:ExecuteChangeSet on "
         "arn:aws:cloudformation:us-east-1:123456789012:stack/this-stack/id"),
        ({"iam:PassedToService": "aws:RequestedRegion"},
         "deploy-role.yaml must limit iam:PassRole with the condition iam:PassedToService"),
        ({"lambda:FunctionArn": "aws:SourceArn"},
         "deploy-role.yaml must limit lambda:CreateEventSourceMapping with the condition lambda:FunctionArn"),
        ({"lambda.amazonaws.com": "codedeploy.amazonaws.com"},
         "NewMessageProcessorFunction: deploy-role.yaml must allow iam:PassRole on "
         "arn:aws:iam::123456789012:role/this-stack-Role for lambda.amazonaws.com"),
    ],
)  # fmt: skip
def test_fault_of_the_role_is_reported(bake: Bake, change: dict[str, str], fault: str) -> None:
    project = bake()
    text = (project.path / "deploy-role.yaml").read_text("utf-8")
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    assert fault in found(project, yaml_parse(text))


def test_new_resource_without_its_permission_is_reported(bake: Bake) -> None:
    stack, role = stack_of(bake()), Stack(template_of(bake()))
    stack.resources["Orders"] = {"Type": "AWS::DynamoDB::Table", "Properties": {}}
    (fault,) = faults(stack, role, {})
    assert fault.startswith("Orders: deploy-role.yaml must allow dynamodb:CreateTable, dynamodb:DeleteTable, ")

    function = stack.resources["NewMessageProcessorFunction"]["Properties"]
    del stack.resources["Orders"]
    function["ReservedConcurrentExecutions"] = 10
    (fault,) = faults(stack, role, {})
    assert "lambda:DeleteFunctionConcurrency, lambda:PutFunctionConcurrency on arn:aws:lambda:" in fault


def test_key_that_can_be_used_without_cloudformation_is_reported(bake: Bake) -> None:
    stack, role = stack_of(bake()), template_of(bake())
    stack.resources["NewMessageProcessorFunction"]["Properties"]["KmsKeyArn"] = {"Ref": "KeyArn"}
    (fault,) = faults(stack, Stack(role), {})
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    where = "arn:aws:kms:us-east-1:123456789012:key/"
    assert fault == f"NewMessageProcessorFunction: deploy-role.yaml must allow {', '.join(actions)} on {where}id"

    statement: Any = {"Effect": "Allow", "Action": actions, "Resource": f"{where}*"}
    (policy,) = role["Resources"]["Role"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"].append(statement)
    assert list(faults(stack, Stack(role), {})) == [
        f"deploy-role.yaml must limit {action} with the condition aws:CalledVia" for action in actions
    ]
    statement["Condition"] = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
    assert list(faults(stack, Stack(role), {})) == []


def test_resource_whose_name_is_not_of_the_stack_is_reported(bake: Bake) -> None:
    stack, role = stack_of(bake()), Stack(template_of(bake()))
    stack.resources["NewMessageDLQ"]["Properties"]["QueueName"] = "dead"
    assert {fault.rpartition(":")[2] for fault in faults(stack, role, {})} == {"dead"}


def test_type_that_is_not_known_is_reported_and_can_be_named(bake: Bake) -> None:
    project = bake()
    stack, template = stack_of(project), template_of(project)
    stack.resources["Bucket"] = {"Type": "AWS::S3::Bucket"}
    (fault,) = faults(stack, Stack(template), {})
    assert fault == (
        "Bucket: the actions that a AWS::S3::Bucket needs are not known here. CloudFormation lists them: aws "
        "cloudformation describe-type --type RESOURCE --type-name AWS::S3::Bucket --query Schema. Allow them in "
        "deploy-role.yaml, and name them in the test: also={'AWS::S3::Bucket': ['service:Action']}"
    )
    also = {"AWS::S3::Bucket": ["s3:DeleteBucket"]}
    (fault,) = faults(stack, Stack(template), also)
    assert fault == "Bucket: deploy-role.yaml must allow s3:DeleteBucket"
    bucket = "arn:aws:s3:::${StackName}-*"
    statements = template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": "s3:DeleteBucket", "Resource": {"Fn::Sub": bucket}})
    assert list(faults(stack, Stack(template), also)) == []


# --- whom it lets in ---------------------------------------------------------------------------


def test_only_the_environment_of_the_repository_may_use_the_role(bake: Bake) -> None:
    (statement,) = template_of(bake())["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": {"Fn::Sub": "repo:${Repository}:environment:${Environment}"},
        }
    }


def test_role_makes_roles_only_with_its_boundary(bake: Bake) -> None:
    template = template_of(bake())
    boundary = {"Ref": "PermissionsBoundaryArn"}
    none = {"Ref": "AWS::NoValue"}
    assert template["Resources"]["Role"]["Properties"]["PermissionsBoundary"] == {
        "Fn::If": ["HasBoundary", boundary, none]
    }
    conditions = {
        action: statement.get("Condition")
        for statement in statements_of(template)
        for action in statement["Action"]
        if action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy")
    }
    limited = {"Fn::If": ["HasBoundary", {"StringEquals": {"iam:PermissionsBoundary": boundary}}, none]}
    assert list(conditions.values()) == [limited] * 3


def test_role_cannot_change_itself(bake: Bake) -> None:
    """Check that its own name, which begins with that of its stack, is none that it may touch."""
    own = "arn:aws:iam::123456789012:role/deploy-role-this-stack-Role-id"
    for grant in granted(Stack(template_of(bake()))):
        if grant.action.startswith("iam:"):
            assert not own.startswith(grant.pattern.rstrip("*"))


# --- how it is made ----------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("arguments", [[], ["ENV=prod"], ["REPOSITORY=o/n"], ["REPOSITORY=o/n", "ENV=default"]])
def test_missing_argument_is_one_line(bake: Bake, arguments: list[str]) -> None:
    done = run("make", "deploy-role", *arguments, cwd=bake().path)
    first, *_ = done.stdout.splitlines()
    assert done.returncode != 0
    assert first == (
        "error: name the repository and the environment, as in make deploy-role REPOSITORY=org/name ENV=prod"
    )


@pytest.fixture
def with_provider(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of IAM in an account with GitHub's provider and another; moto's CloudFormation makes none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    iam = boto3.client("iam", endpoint_url=endpoint)
    urls = ["https://example.com", "https://token.actions.githubusercontent.com"]
    made = [iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"] for url in urls]
    yield iam
    for arn in made:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


@pytest.mark.slow
@posix
def test_make_deploy_role_makes_the_role(bake: Bake, with_provider: Any) -> None:
    project = bake(project_slug="customer-notifications")
    arguments = ["REPOSITORY=org/name", "ENV=prod", "BOUNDARY=arn:aws:iam::123456789012:policy/limit"]
    project.run("make", "deploy-role", *arguments)
    (name,) = (role["RoleName"] for role in with_provider.list_roles()["Roles"])
    role = with_provider.get_role(RoleName=name)["Role"]
    assert name.startswith("deploy-role-customer-notifications-prod-Role-")
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == "arn:aws:iam::123456789012:policy/limit"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"}
    assert statement["Condition"]["StringEquals"][f"{issuer}:sub"] == "repo:org/name:environment:prod"
    policy = str(with_provider.get_role_policy(RoleName=name, PolicyName="Deploy")["PolicyDocument"])
    assert "function:customer-notifications-p*" in policy  # CloudFormation shortens the name of the stack
    assert "sqs:us-east-1:123456789012:customer-notifications-prod-*" in policy


@pytest.mark.parametrize("answers", LARGEST, ids=lambda answers: answers["source"])
def test_made_role_prints_its_variables_and_fits_into_a_policy(
    bake: Bake, endpoint: str, answers: dict[str, str]
) -> None:
    """Deploy it without change sets, after which moto has no outputs."""
    cloudformation = boto3.client("cloudformation", endpoint_url=endpoint)
    iam = boto3.client("iam", endpoint_url=endpoint)
    stack, provider = f"deploy-role-{answers['source']}", "arn:aws:iam::123456789012:oidc-provider/github"
    parameters = {
        "StackName": "s" * 64,
        "NamePrefix": "s" * 24,
        "Repository": "org/name",
        "Environment": "prod",
        "OidcProviderArn": provider,
    }
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=(bake(**answers).path / "deploy-role.yaml").read_text("utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    lines = sorted(each["OutputValue"] for each in outputs)
    name = lines[-1].rpartition("/")[2]
    assert name.startswith(f"{stack}-Role-")
    assert lines == [
        "gh variable set AWS_REGION --repo org/name --body us-east-1",
        f"gh variable set AWS_ROLE_prod --repo org/name --body arn:aws:iam::123456789012:role/{name}",
    ]
    policy = iam.get_role_policy(RoleName=name, PolicyName="Deploy")["PolicyDocument"]
    assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240  # the most that IAM takes
