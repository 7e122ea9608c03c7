"""What the AWS Guard rules registry asks of the resources in our stacks.

The registry (github.com/aws-cloudformation/aws-guard-rules-registry) is in no package of PyPI or npm, so its rules
cannot be installed and run here. These checks ask the same, under the same names: they were written from its rules.
Rules for other types of resources, and those that only AWS Config can check in an account, are left out.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

ROLES = ("AWS::IAM::Role",)
POLICIES = ("AWS::IAM::ManagedPolicy",)

Properties = dict[str, Any]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(properties: Properties) -> list[Any]:
    """Return the statements of a resource's policies, except those of who may assume a role."""
    documents = [properties.get("PolicyDocument"), properties.get("KeyPolicy")]
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    return [each for document in documents if document for each in listed(document["Statement"])]


def allows(key: str, *forbidden: str) -> Callable[[Properties], bool]:
    """Return a check that an Allow of a policy has one of these values, which are regular expressions."""
    pattern = re.compile("|".join(forbidden))

    def check(properties: Properties) -> bool:
        return any(
            isinstance(each, str) and pattern.fullmatch(each)
            for statement in statements(properties)
            if statement["Effect"] == "Allow"
            for each in listed(statement.get(key, []))
        )

    return check


def allows_anyone(properties: Properties) -> bool:
    return any(
        statement["Effect"] == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"}, "arn:aws:iam::*")
        for statement in statements(properties)
    )


def allows_with(key: str) -> Callable[[Properties], bool]:
    return lambda properties: any(each["Effect"] == "Allow" and key in each for each in statements(properties))


def trusts_with(*forbidden: str) -> Callable[[Properties], bool]:
    """Return a check for who may assume a role."""

    def check(properties: Properties) -> bool:
        trust = properties["AssumeRolePolicyDocument"]["Statement"]
        return any(key in statement for statement in trust for key in forbidden) or any(
            action in ("*", "sts:*") for statement in trust for action in listed(statement.get("Action"))
        )

    return check


def has_policy(*names: str) -> Callable[[Properties], bool]:
    pattern = re.compile("|".join(f"policy/{name}" for name in names))
    return lambda properties: bool(pattern.search(json.dumps(properties.get("ManagedPolicyArns", []))))


def lacks(*names: str) -> Callable[[Properties], bool]:
    return lambda properties: not any(name in properties for name in names)


def is_not(path: str, value: Any) -> Callable[[Properties], bool]:
    """Return a check that a property, or one within another, has not this value."""

    def check(properties: Properties) -> bool:
        found: Any = properties
        for name in path.split("."):
            found = found.get(name, {}) if isinstance(found, dict) else {}
        return bool(found != value)

    return check


def any_of(*checks: Callable[[Properties], bool]) -> Callable[[Properties], bool]:
    return lambda properties: any(check(properties) for check in checks)


ANY_ACTION = (r"\*", r"[a-zA-Z0-9]*:\*")
WITHOUT_A_NAME = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
}


def named(properties: Properties) -> bool:
    return any(name in properties for name in WITHOUT_A_NAME.values())


# The name of each rule, the types that it is about, and what it forbids.
RULES: list[tuple[str, tuple[str, ...], Callable[[Properties], bool]]] = [
    ("SQS_QUEUE_KMS_MASTER_KEY_ID_RULE", ("AWS::SQS::Queue",), lacks("KmsMasterKeyId")),
    ("SQS_QUEUEPOLICY_NO_WILDCARD_PRINCIPAL", ("AWS::SQS::QueuePolicy",), allows_anyone),
    ("SQS_QUEUEPOLICY_NO_WILDCARD_ACTION", ("AWS::SQS::QueuePolicy",), allows("Action", *ANY_ACTION)),
    ("SQS_QUEUEPOLICY_NO_ALLOW_PLUS_NOT_ACTION", ("AWS::SQS::QueuePolicy",), allows_with("NotAction")),
    ("SQS_QUEUEPOLICY_NO_ALLOW_PLUS_NOTPRINCIPAL", ("AWS::SQS::QueuePolicy",), allows_with("NotPrincipal")),
    ("SNS_ENCRYPTED_KMS", ("AWS::SNS::Topic",), lacks("KmsMasterKeyId")),
    ("SNS_TOPICPOLICY_NO_WILDCARD_PRINCIPAL", ("AWS::SNS::TopicPolicy",), allows_anyone),
    ("SNS_TOPICPOLICY_NO_ALLOW_PLUS_NOT_ACTION", ("AWS::SNS::TopicPolicy",), allows_with("NotAction")),
    ("SNS_TOPICPOLICY_NO_ALLOW_PLUS_NOTPRINCIPAL", ("AWS::SNS::TopicPolicy",), allows_with("NotPrincipal")),
    ("CMK_BACKING_KEY_ROTATION_ENABLED", ("AWS::KMS::Key",), is_not("EnableKeyRotation", True)),
    ("KMS_NO_WILDCARD_PRINCIPAL", ("AWS::KMS::Key",), allows_anyone),
    ("DYNAMODB_BILLING_MODE_RULE", ("AWS::DynamoDB::Table",), lacks("BillingMode")),
    (
        "DYNAMODB_PITR_ENABLED",
        ("AWS::DynamoDB::Table",),
        is_not("PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", True),
    ),
    (
        "DYNAMODB_TABLE_ENCRYPTED_KMS",
        ("AWS::DynamoDB::Table",),
        any_of(is_not("SSESpecification.SSEType", "KMS"), is_not("SSESpecification.SSEEnabled", True)),
    ),
    ("LAMBDA_CONCURRENCY_CHECK", ("AWS::Lambda::Function",), lacks("ReservedConcurrentExecutions")),
    ("LAMBDA_DLQ_CHECK", ("AWS::Lambda::Function",), lacks("DeadLetterConfig")),
    ("LAMBDA_INSIDE_VPC", ("AWS::Lambda::Function",), lacks("VpcConfig")),
    ("CLOUDWATCH_LOG_GROUP_ENCRYPTED", ("AWS::Logs::LogGroup",), lacks("KmsKeyId")),
    ("CW_LOGGROUP_RETENTION_PERIOD_CHECK", ("AWS::Logs::LogGroup",), lacks("RetentionInDays")),
    (
        "CLOUDWATCH_ALARM_ACTION_CHECK",
        ("AWS::CloudWatch::Alarm",),
        lacks("AlarmActions", "OKActions", "InsufficientDataActions"),
    ),
    ("IAM_NO_INLINE_POLICY_CHECK", ROLES, lambda properties: bool(properties.get("Policies"))),
    ("IAM_POLICYDOCUMENT_NO_WILDCARD_RESOURCE", ROLES + POLICIES, allows("Resource", r"\*")),
    ("IAM_ROLE_NO_WILDCARD_ACTIONS_ON_PERMISSIONS", ROLES, allows("Action", *ANY_ACTION)),
    ("IAM_MANAGEDPOLICY_NO_STATEMENTS_WITH_FULL_ACCESS", POLICIES, allows("Action", *ANY_ACTION)),
    ("IAM_ROLE_OR_POLICY_NO_ALLOW_PLUS_NOT_ACTION", ROLES + POLICIES, allows_with("NotAction")),
    ("IAM_ROLE_OR_POLICY_NO_ALLOW_PLUS_NOT_RESOURCE", ROLES + POLICIES, allows_with("NotResource")),
    ("IAM_ROLE_NO_FULL_ACCESS_ON_TRUST_POLICY", ROLES, trusts_with()),
    ("IAM_ROLE_NO_ALLOW_PLUS_NOT_PRINCIPAL", ROLES, trusts_with("NotPrincipal")),
    ("IAM_ROLE_NO_ALLOW_PLUS_NOT_ACTION_ON_TRUST_POLICY", ROLES, trusts_with("NotAction")),
    ("IAM_ROLE_ADMINISTRATOR_ACCESS_POLICY_RULE", ROLES, has_policy("AdministratorAccess")),
    ("IAM_ROLE_ELEVATED_MANAGED_POLICY_RULE", ROLES, has_policy("PowerUserAccess", "IAMFullAccess")),
    ("CFN_NO_EXPLICIT_RESOURCE_NAMES", tuple(WITHOUT_A_NAME), named),
]


def findings(template: Any) -> Iterator[tuple[str, str]]:
    """Yield the rule and the type of resource for everything that a rule forbids."""
    for resource in template["Resources"].values():
        for name, types, is_forbidden in RULES:
            if resource["Type"] in types and is_forbidden(resource.get("Properties", {})):
                yield name, resource["Type"]
