"""template.yaml, as CloudFormation gets it: what SAM makes of it, and the rules of SQS with Lambda.

SAM and cfn-lint let pass what CloudFormation or Lambda only refuse at the deployment, or what only
shows when messages are lost. Limits: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import cfnlint.api

from local.template import TEMPLATE, transformed
from shared.sqs import RESERVE_SECONDS


def broken_rules(template: Any) -> Iterator[str]:
    """What is wrong with the queues, functions and event source mappings of a template."""
    resources = template["Resources"]

    def of_type(type_: str) -> Iterator[tuple[str, Any]]:
        for name, resource in resources.items():
            if resource["Type"] == type_:
                yield name, resource["Properties"]

    def referred(value: Any) -> Any:
        """The properties of the resource that a Ref or GetAtt leads to."""
        name = value.get("Ref") or value["Fn::GetAtt"][0]
        return resources[name]["Properties"]

    for name, queue in of_type("AWS::SQS::Queue"):
        if queue.get("FifoQueue") and not json.dumps(queue["QueueName"]).endswith('.fifo"}'):
            yield f"{name}: the name of a FIFO queue has to end in .fifo"
        if "RedrivePolicy" in queue:
            dead_letters = referred(queue["RedrivePolicy"]["deadLetterTargetArn"])
            if queue["RedrivePolicy"]["maxReceiveCount"] < 1:
                yield f"{name}: maxReceiveCount is below 1"
            if dead_letters["MessageRetentionPeriod"] <= queue["MessageRetentionPeriod"]:
                yield f"{name}: dead letters are kept no longer than messages"
            if dead_letters.get("FifoQueue") != queue.get("FifoQueue"):
                yield f"{name}: one of queue and dead-letter queue is FIFO"

    for name, mapping in of_type("AWS::Lambda::EventSourceMapping"):
        queue, function = referred(mapping["EventSourceArn"]), referred(mapping["FunctionName"])
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        if "RedrivePolicy" not in queue:
            yield f"{name}: its queue has no dead-letter queue"
        if queue.get("FifoQueue"):
            if window:
                yield f"{name}: a FIFO queue takes no batching window"
            if mapping["BatchSize"] > 10:
                yield f"{name}: a FIFO queue takes batches of at most 10"
        elif mapping["BatchSize"] > 10 and window < 1:
            yield f"{name}: a batch size above 10 needs a batching window"
        if queue["VisibilityTimeout"] < 6 * function["Timeout"] + window:
            yield f"{name}: the visibility timeout is too short"
        if function["Timeout"] <= RESERVE_SECONDS:
            yield f"{name}: the function's timeout leaves no time for any message"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: partial failures are not reported"

    for name, role in of_type("AWS::IAM::Role"):
        if re.search("SQS|Administrator|PowerUser", json.dumps(role.get("ManagedPolicyArns", []))):
            yield f"{name}: a managed policy is for every queue of the account"
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = json.dumps(statement["Action"]).lower()
                wide = "*" in json.dumps(statement["Resource"])
                if wide and ("sqs:" in actions or '"*"' in actions):
                    yield f"{name}: may use every queue of the account"


def test_no_rule_is_broken() -> None:
    assert list(broken_rules(transformed(TEMPLATE.read_text("utf-8")))) == []


def test_cfn_lint_finds_nothing() -> None:
    template = transformed(TEMPLATE.read_text("utf-8"))
    found = cfnlint.api.lint(json.dumps(template, ensure_ascii=False), regions=["us-east-1"])
    assert [f"{match.rule.id} {match.message}" for match in found] == []
