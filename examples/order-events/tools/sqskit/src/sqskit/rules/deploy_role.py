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
VERSION = f"{FUNCTION}:version"
ALIAS = f"{FUNCTION}:alias"
APPLICATION = f"arn:aws:codedeploy:{PLACE}:application:%s"
DEPLOYMENT_GROUP = f"arn:aws:codedeploy:{PLACE}:deploymentgroup:%s/{THIS}-group"
DEPLOYMENT_CONFIG = f"arn:aws:codedeploy:{PLACE}:deploymentconfig:CodeDeployDefault.Lambda*"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/%s"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/%s"
LOG_GROUP = f"arn:aws:logs:{PLACE}:log-group:%s"
ALARM = f"arn:aws:cloudwatch:{PLACE}:alarm:%s"
DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/%s"
KEY = f"arn:aws:kms:{PLACE}:key/id"
ENDPOINT = f"arn:aws:ec2:{PLACE}:vpc-endpoint/id"
ROUTE_TABLE = f"arn:aws:ec2:{PLACE}:route-table/id"
SECURITY_GROUP = f"arn:aws:ec2:{PLACE}:security-group/id"
SUBNET = f"arn:aws:ec2:{PLACE}:subnet/id"
VPC = f"arn:aws:ec2:{PLACE}:vpc/id"

ON_RULE = (
    "events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule "
    "events:PutRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource"
)

ON_PART_OF_ENDPOINT = "ec2:CreateVpcEndpoint ec2:ModifyVpcEndpoint"

# The actions with which each type of resource is made, read, changed, tagged and deleted, and those
# that a property, or a part of one, needs as well.
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
    "AWS::DynamoDB::Table.SSESpecification.KMSMasterKeyId": {
        KEY: "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:RevokeGrant"
    },
    "AWS::KMS::Key": {
        EVERYTHING: "kms:CreateKey",
        KEY: "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags "
        "kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:TagResource kms:UntagResource",
    },
    "AWS::KMS::Key.Description": {KEY: "kms:UpdateKeyDescription"},
    "AWS::KMS::Key.Enabled": {KEY: "kms:DisableKey kms:EnableKey"},
    "AWS::KMS::Key.EnableKeyRotation": {KEY: "kms:DisableKeyRotation kms:EnableKeyRotation"},
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
    "AWS::Lambda::Function.KmsKeyArn": {
        KEY: "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey"
    },
    "AWS::Lambda::Function.VpcConfig": {
        EVERYTHING: "ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups ec2:DescribeSubnets "
        "ec2:DescribeVpcs"
    },
    "AWS::Lambda::Version": {
        FUNCTION: "lambda:ListVersionsByFunction lambda:PublishVersion",
        VERSION: "lambda:DeleteFunction lambda:GetFunctionConfiguration "
        "lambda:GetFunctionScalingConfig lambda:GetProvisionedConcurrencyConfig "
        "lambda:GetRuntimeManagementConfig",
    },
    "AWS::Lambda::Alias": {
        FUNCTION: "lambda:CreateAlias lambda:DeleteAlias lambda:GetAlias lambda:UpdateAlias",
        ALIAS: "lambda:GetProvisionedConcurrencyConfig",
    },
    "AWS::Lambda::Alias.UpdatePolicy": {
        EVERYTHING: "codedeploy:StopDeployment",
        DEPLOYMENT_CONFIG: "codedeploy:GetDeploymentConfig",
        DEPLOYMENT_GROUP % f"{THIS}-Application": "codedeploy:CreateDeployment "
        "codedeploy:GetDeployment codedeploy:GetDeploymentGroup",
    },
    "AWS::CodeDeploy::Application": {
        APPLICATION: "codedeploy:CreateApplication codedeploy:DeleteApplication "
        "codedeploy:GetApplication codedeploy:ListTagsForResource codedeploy:TagResource "
        "codedeploy:UntagResource"
    },
    "AWS::CodeDeploy::DeploymentGroup": {
        APPLICATION: "codedeploy:GetApplicationRevision codedeploy:RegisterApplicationRevision",
        DEPLOYMENT_CONFIG: "codedeploy:GetDeploymentConfig",
        DEPLOYMENT_GROUP: "codedeploy:CreateDeploymentGroup codedeploy:DeleteDeploymentGroup "
        "codedeploy:GetDeployment codedeploy:GetDeploymentGroup codedeploy:ListDeployments "
        "codedeploy:ListTagsForResource codedeploy:TagResource codedeploy:UntagResource "
        "codedeploy:UpdateDeploymentGroup",
        ROLE % f"{THIS}-Role": "iam:PassRole",
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
    "AWS::Logs::LogGroup.KmsKeyId": {LOG_GROUP: "logs:AssociateKmsKey logs:DisassociateKmsKey"},
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
    "AWS::EC2::VPCEndpoint": {
        EVERYTHING: "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcEndpoints "
        "ec2:DescribeVpcs",
        ENDPOINT: "ec2:CreateTags ec2:CreateVpcEndpoint ec2:DeleteTags ec2:DeleteVpcEndpoints "
        "ec2:ModifyVpcEndpoint",
        VPC: "ec2:CreateVpcEndpoint",
    },
    "AWS::EC2::VPCEndpoint.RouteTableIds": {ROUTE_TABLE: ON_PART_OF_ENDPOINT},
    "AWS::EC2::VPCEndpoint.SecurityGroupIds": {SECURITY_GROUP: ON_PART_OF_ENDPOINT},
    "AWS::EC2::VPCEndpoint.SubnetIds": {SUBNET: ON_PART_OF_ENDPOINT},
    "AWS::EC2::SecurityGroup": {
        EVERYTHING: "ec2:DescribeInstances ec2:DescribeSecurityGroups",
        SECURITY_GROUP: "ec2:CreateSecurityGroup ec2:CreateTags ec2:DeleteSecurityGroup "
        "ec2:DeleteTags",
        VPC: "ec2:CreateSecurityGroup",
    },
    "AWS::EC2::SecurityGroup.SecurityGroupEgress": {
        SECURITY_GROUP: "ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupEgress "
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress"
    },
    "AWS::EC2::SecurityGroup.SecurityGroupIngress": {
        SECURITY_GROUP: "ec2:AuthorizeSecurityGroupIngress ec2:RevokeSecurityGroupIngress "
        "ec2:UpdateSecurityGroupRuleDescriptionsIngress"
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
    "codedeploy:StopDeployment": "aws:CalledVia",
    "iam:AttachRolePolicy": "iam:PolicyARN",
    "iam:DetachRolePolicy": "iam:PolicyARN",
    "iam:PassRole": "iam:PassedToService",
    "lambda:CreateEventSourceMapping": "lambda:FunctionArn",
    "lambda:DeleteEventSourceMapping": "lambda:FunctionArn",
    "lambda:UpdateEventSourceMapping": "lambda:FunctionArn",
    # Keys, endpoints and security groups have random ids: only CloudFormation may act on them.
    **{
        action: "aws:CalledVia"
        for needs in NEEDS.values()
        for arn, actions in needs.items()
        for action in actions.split()
        if arn in (KEY, ENDPOINT, ROUTE_TABLE, SECURITY_GROUP, SUBNET, VPC)
    },
}

# The service that each type of resource gives its role to.
PASSED_TO = {
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy.amazonaws.com",
    "AWS::Lambda::Function": "lambda.amazonaws.com",
}

# The property that names a resource; without it, CloudFormation makes a name.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}


class Need(NamedTuple):
    """An action that a resource needs."""

    action: str
    arn: str  # empty for any resource
    service: str = ""  # the one to which a role is passed


class Grant(NamedTuple):
    """An action that the role allows on the resources of a pattern."""

    action: str
    pattern: str
    condition: str

    def meets(self, need: Need) -> bool:
        return (
            self.action == need.action
            and need.service in self.condition
            and covers(self.pattern, need.arn)
        )


def faults(stack: Stack, role: Stack, also: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each permission that is missing, or too much.

    also: the actions that further types of resources need, on resources of any name
    """
    grants = list(granted(role))
    needed = [Need(action, arn) for arn, action in each_action(NEEDS_OF_SAM)]
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


def missing(name: str, needed: list[Need], grants: list[Grant]) -> Iterator[str]:
    """Find actions that a resource needs and the role does not allow."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for need in needed:
        if not any(grant.meets(need) for grant in grants):
            lacking.setdefault((need.arn, need.service), []).append(need.action)
    for (arn, service), actions in lacking.items():
        where = (f" on {arn}" if arn else "") + (f" for {service}" if service else "")
        yield f"{name}: deploy-role.yaml must allow {', '.join(actions)}{where}"


def excess(grants: list[Grant], needed: list[Need]) -> Iterator[str]:
    """Find what the role allows although nothing needs it."""
    for grant in dict.fromkeys(grants):
        action, pattern, condition = grant
        arns = [need.arn for need in needed if grant.meets(need)]
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


def needs(stack: Stack, name: str, also: Mapping[str, Sequence[str]]) -> Iterator[Need]:
    """Yield each action that a resource needs, and the ARN that it is needed on."""
    resource = stack.resources[name]
    for action in also.get(resource["Type"], ()):
        yield Need(action, "")
    for key in keys(resource):
        for arn, action in each_action(NEEDS.get(key, {})):
            service = PASSED_TO.get(resource["Type"], "") if action == "iam:PassRole" else ""
            yield Need(action, arn.replace("%s", physical_name(stack, name)), service)


def keys(resource: Any) -> Iterator[str]:
    """Yield the keys of a resource in the table: of its type, its properties and their parts."""
    yield resource["Type"]
    for name, value in {**resource, **resource.get("Properties", {})}.items():
        yield f"{resource['Type']}.{name}"
        if isinstance(value, dict):
            yield from (f"{resource['Type']}.{name}.{part}" for part in value)


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
        properties.get("FunctionName"),
        properties.get("ApplicationName"),
    ):
        if part_of := stack.named(whole):
            return physical_name(stack, part_of)
    own = stack.value(properties.get(NAMES.get(stack.resources[name]["Type"], "")))
    return resolved(own) if own else f"{THIS}-{name}-id"


def resolved(value: Any) -> str:
    """Return a text in which the variables of Fn::Sub have values."""
    text = value.get("Fn::Sub", value) if isinstance(value, dict) else value
    return re.sub(r"\$\{([\w:]+)}", lambda found: VALUES.get(found[1], found[0]), str(text))
