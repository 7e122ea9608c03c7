"""Rules for the role that deploys the stack: what a deployment needs, and nothing more.

CloudFormation makes each resource with the permissions of whoever deploys. It publishes the
actions of a type as the `handlers` of its schema; the table here has those that the properties of
these stacks need.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sqskit.rules.roles import listed, statements
from sqskit.rules.stack import Stack

# What stands for the values that are only known in a deployment.
THIS, OTHER = "this-stack", "other-stack"
REGION, ACCOUNT = "us-east-1", "123456789012"
PLACE = f"{REGION}:{ACCOUNT}"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": THIS,  # in the stack
    "StackName": THIS,  # in the role
    "NamePrefix": f"{THIS}-",
}

EVERYTHING = "*"  # for actions that no resource can limit
QUEUE = f"arn:aws:sqs:{PLACE}:%s"
TOPIC = f"arn:aws:sns:{PLACE}:%s"
RULE = f"arn:aws:events:{PLACE}:rule/%s"
RULE_OF_BUS = f"arn:aws:events:{PLACE}:rule/bus/%s"
TABLE = f"arn:aws:dynamodb:{PLACE}:table/%s"
FUNCTION = f"arn:aws:lambda:{PLACE}:function:%s"
MAPPING = f"arn:aws:lambda:{PLACE}:event-source-mapping:id"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/%s"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/%s"
LOG_GROUP = f"arn:aws:logs:{PLACE}:log-group:%s"
ALARM = f"arn:aws:cloudwatch:{PLACE}:alarm:%s"
DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/%s"

ON_RULE = (
    "events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule "
    "events:PutRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource"
)

# The actions with which each type of resource is made, read, changed, tagged and deleted.
NEEDS = {
    "AWS::SQS::Queue": {
        QUEUE: "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes sqs:GetQueueUrl "
        "sqs:ListQueueTags sqs:SetQueueAttributes sqs:TagQueue sqs:UntagQueue"
    },
    "AWS::SQS::QueuePolicy": {QUEUE: "sqs:SetQueueAttributes"},
    "AWS::SNS::Topic": {
        TOPIC: "sns:CreateTopic sns:DeleteTopic sns:GetDataProtectionPolicy sns:GetTopicAttributes "
        "sns:ListSubscriptionsByTopic sns:ListTagsForResource sns:SetTopicAttributes "
        "sns:TagResource sns:UntagResource"
    },
    "AWS::SNS::TopicPolicy": {TOPIC: "sns:SetTopicAttributes"},
    "AWS::SNS::Subscription": {
        TOPIC: "sns:GetSubscriptionAttributes sns:SetSubscriptionAttributes sns:Subscribe "
        "sns:Unsubscribe"
    },
    "AWS::Events::Rule": {RULE: ON_RULE, RULE_OF_BUS: ON_RULE},
    "AWS::DynamoDB::Table": {
        TABLE: "dynamodb:CreateTable dynamodb:DeleteTable dynamodb:DescribeContinuousBackups "
        "dynamodb:DescribeContributorInsights dynamodb:DescribeKinesisStreamingDestination "
        "dynamodb:DescribeTable dynamodb:DescribeTimeToLive dynamodb:GetResourcePolicy "
        "dynamodb:ListTagsOfResource dynamodb:TagResource dynamodb:UntagResource "
        "dynamodb:UpdateContinuousBackups dynamodb:UpdateTable dynamodb:UpdateTimeToLive"
    },
    "AWS::Lambda::Function": {
        FUNCTION: "lambda:CreateFunction lambda:DeleteFunction lambda:GetFunction "
        "lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig "
        "lambda:GetFunctionScalingConfig lambda:GetRuntimeManagementConfig lambda:ListTags "
        "lambda:TagResource lambda:UntagResource lambda:UpdateFunctionCode "
        "lambda:UpdateFunctionConfiguration",
        ROLE % f"{THIS}-Role": "iam:PassRole",
    },
    "AWS::Lambda::Function.ReservedConcurrentExecutions": {
        FUNCTION: "lambda:DeleteFunctionConcurrency lambda:PutFunctionConcurrency"
    },
    "AWS::Lambda::EventSourceMapping": {
        EVERYTHING: "lambda:CreateEventSourceMapping",
        MAPPING: "lambda:DeleteEventSourceMapping lambda:GetEventSourceMapping lambda:ListTags "
        "lambda:TagResource lambda:UntagResource lambda:UpdateEventSourceMapping",
    },
    "AWS::IAM::Role": {
        ROLE: "iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:GetRole iam:GetRolePolicy "
        "iam:ListAttachedRolePolicies iam:ListRolePolicies iam:ListRoleTags iam:PutRolePolicy "
        "iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole "
        "iam:UpdateRoleDescription"
    },
    "AWS::IAM::Role.ManagedPolicyArns": {ROLE: "iam:AttachRolePolicy iam:DetachRolePolicy"},
    "AWS::IAM::Role.PermissionsBoundary": {ROLE: "iam:PutRolePermissionsBoundary"},
    "AWS::IAM::ManagedPolicy": {
        POLICY: "iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicy iam:DeletePolicyVersion "
        "iam:GetPolicy iam:GetPolicyVersion iam:ListEntitiesForPolicy iam:ListPolicyVersions"
    },
    "AWS::Logs::LogGroup": {
        EVERYTHING: "logs:DescribeIndexPolicies logs:DescribeLogGroups "
        "logs:DescribeResourcePolicies",
        LOG_GROUP: "logs:CreateLogGroup logs:DeleteLogGroup logs:DeleteRetentionPolicy "
        "logs:GetDataProtectionPolicy logs:ListTagsForResource logs:PutRetentionPolicy "
        "logs:TagResource logs:UntagResource",
    },
    "AWS::Logs::MetricFilter": {
        LOG_GROUP: "logs:DeleteMetricFilter logs:DescribeMetricFilters logs:PutMetricFilter"
    },
    "AWS::CloudWatch::Alarm": {
        EVERYTHING: "cloudwatch:DescribeAlarms",  # CloudFormation asks for alarms of any kind
        ALARM: "cloudwatch:DeleteAlarms cloudwatch:ListTagsForResource cloudwatch:PutMetricAlarm "
        "cloudwatch:TagResource cloudwatch:UntagResource",
    },
    "AWS::CloudWatch::Dashboard": {
        DASHBOARD: "cloudwatch:DeleteDashboards cloudwatch:GetDashboard "
        "cloudwatch:ListTagsForResource cloudwatch:PutDashboard cloudwatch:TagResource "
        "cloudwatch:UntagResource"
    },
}

BUCKET_OF_SAM = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-id"

# What `sam deploy` does itself. With `resolve_s3`, it makes a stack with a bucket the first time.
NEEDS_OF_SAM = {
    f"arn:aws:cloudformation:{PLACE}:stack/{THIS}/id": (
        "cloudformation:CreateChangeSet cloudformation:DescribeChangeSet "
        "cloudformation:DescribeStackEvents cloudformation:DescribeStacks "
        "cloudformation:ExecuteChangeSet cloudformation:GetTemplateSummary "
        "cloudformation:TagResource cloudformation:UntagResource"
    ),
    f"arn:aws:cloudformation:{REGION}:aws:transform/Serverless-2016-10-31": (
        "cloudformation:CreateChangeSet"
    ),
    f"arn:aws:cloudformation:{PLACE}:stack/aws-sam-cli-managed-default/id": (
        "cloudformation:CreateChangeSet cloudformation:DescribeChangeSet "
        "cloudformation:DescribeStacks cloudformation:ExecuteChangeSet cloudformation:TagResource"
    ),
    BUCKET_OF_SAM: (
        "s3:CreateBucket s3:GetBucketPolicy s3:ListBucket s3:PutBucketPolicy "
        "s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning "
        "s3:PutEncryptionConfiguration s3:TagResource"
    ),
    f"{BUCKET_OF_SAM}/key": "s3:GetObject s3:PutObject",
}

# The conditions without which these actions reach further than the stack.
CONDITIONS = {
    "iam:PassRole": "iam:PassedToService",
    "lambda:CreateEventSourceMapping": "lambda:FunctionArn",
    "lambda:DeleteEventSourceMapping": "lambda:FunctionArn",
    "lambda:UpdateEventSourceMapping": "lambda:FunctionArn",
}

# The property that names a resource; without it, CloudFormation makes a name.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}


class Grant(NamedTuple):
    """An action that the role allows on the resources of a pattern."""

    action: str
    pattern: str
    condition: str


def faults(stack: Stack, role: Stack, also: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each permission that is missing, or too much.

    also: the actions that further types of resources need, on resources of any name
    """
    grants = list(granted(role))
    needed = [(action, arn) for arn, action in each_action(NEEDS_OF_SAM)]
    yield from missing("sam deploy", needed, grants)
    for name, resource in stack.resources.items():
        if resource["Type"] not in NEEDS and resource["Type"] not in also:
            yield f"{name}: {unknown(resource['Type'])}"
        of_resource = list(needs(stack, name, also))
        yield from missing(name, of_resource, grants)
        needed += of_resource
    yield from excess(grants, needed)


def unknown(type_: str) -> str:
    """Say what to do about a type of resources that the table does not have."""
    also = {type_: ["service:Action"]}
    return (
        f"the actions that a {type_} needs are not known here. CloudFormation lists them: aws "
        f"cloudformation describe-type --type RESOURCE --type-name {type_} --query Schema. "
        f"Allow them in deploy-role.yaml, and name them in the test: also={also}"
    )


def missing(name: str, needed: list[tuple[str, str]], grants: list[Grant]) -> Iterator[str]:
    """Find actions that a resource needs and the role does not allow."""
    lacking: dict[str, list[str]] = {}
    for action, arn in needed:
        if not any(each.action == action and covers(each.pattern, arn) for each in grants):
            lacking.setdefault(arn, []).append(action)
    for arn, actions in lacking.items():
        where = f" on {arn}" if arn else ""
        yield f"{name}: deploy-role.yaml must allow {', '.join(actions)}{where}"


def excess(grants: list[Grant], needed: list[tuple[str, str]]) -> Iterator[str]:
    """Find what the role allows although nothing needs it."""
    for action, pattern, condition in dict.fromkeys(grants):
        arns = [arn for each, arn in needed if each == action and covers(pattern, arn)]
        if "*" in action or "?" in action:
            yield f"deploy-role.yaml must name each action instead of {action}"
        elif not arns:
            yield f"deploy-role.yaml allows {action} on {pattern}, which nothing in the stack needs"
        elif EVERYTHING not in arns and any(
            covers(pattern, arn.replace(THIS, OTHER)) for arn in arns if THIS in arn
        ):
            yield f"deploy-role.yaml allows {action} on {pattern}, which reaches other stacks"
        if CONDITIONS.get(action, "") not in condition:
            yield f"deploy-role.yaml must limit {action} with the condition {CONDITIONS[action]}"


def covers(pattern: str, arn: str) -> bool:
    return arn in ("", pattern) or (arn != EVERYTHING and fnmatchcase(arn, pattern))


def granted(role: Stack) -> Iterator[Grant]:
    """Yield what the statements of the role allow."""
    for _, properties in role.of_type("AWS::IAM::Role"):
        for statement in statements(properties):
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    yield Grant(action, resolved(resource), str(statement.get("Condition", "")))


def needs(stack: Stack, name: str, also: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield each action that a resource needs, and the ARN that it is needed on."""
    resource = stack.resources[name]
    properties = resource.get("Properties", {})
    for action in also.get(resource["Type"], ()):
        yield action, ""  # on any resource
    for key in [resource["Type"], *(f"{resource['Type']}.{each}" for each in properties)]:
        for arn, action in each_action(NEEDS.get(key, {})):
            yield action, arn.replace("%s", physical_name(stack, name))


def each_action(needs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((arn, action) for arn, actions in needs.items() for action in actions.split())


def physical_name(stack: Stack, name: str) -> str:
    """Return the name of a resource on AWS, or of the resource that it is a part of."""
    properties = stack.resources[name].get("Properties", {})
    for whole in (
        *properties.get("Queues", []),
        *properties.get("Topics", []),
        properties.get("TopicArn"),
        properties.get("LogGroupName"),
    ):
        if part_of := stack.named(whole):
            return physical_name(stack, part_of)
    own = stack.value(properties.get(NAMES.get(stack.resources[name]["Type"], "")))
    return resolved(own) if own else f"{THIS}-{name}-id"


def resolved(value: Any) -> str:
    """Return a text in which the variables of Fn::Sub have values."""
    text = value.get("Fn::Sub", value) if isinstance(value, dict) else value
    return re.sub(r"\$\{([\w:]+)}", lambda found: VALUES.get(found[1], found[0]), str(text))
