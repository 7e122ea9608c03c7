"""Rules of SQS and Lambda for a stack.

SAM and cfn-lint accept templates that CloudFormation or Lambda only refuse during the deployment,
or that lose messages. The limits are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cfnlint.api

from sqskit.template import read, transformed


def problems(template: Path, settings: Any) -> list[str]:
    """Return what is wrong with a SAM template: broken rules, and what cfn-lint finds.

    settings: those of the handler, with `reserve_seconds` and `backoff`.
    Raises UserError if SAM cannot transform the template.
    """
    stack = transformed(read(template))
    source = json.dumps(stack, ensure_ascii=False)
    linted = cfnlint.api.lint(source, regions=["us-east-1"])
    found = [f"{match.rule.id} {match.message}" for match in linted]
    return [*Stack(stack).broken_rules(settings), *found]


def silent_metrics(template: Path, lines: Iterable[logging.LogRecord]) -> list[str]:
    """Return the metric filters of a SAM template that match no line logged for a batch."""
    stack = Stack(transformed(read(template)))
    lines = list(lines)
    patterns = {
        name: metric["FilterPattern"] for name, metric in stack.of_type("AWS::Logs::MetricFilter")
    }
    return [
        f"{name}: no log line matches {pattern}"
        for name, pattern in patterns.items()
        if not any(matches(pattern, line) for line in lines)
    ]


def matches(pattern: str, line: logging.LogRecord) -> bool:
    """Tell whether a filter such as `{ ($.logger = "sqs") && ($.received = *) }` selects a line."""
    found = re.fullmatch(r'\{ \(\$\.logger = "(.+)"\) && \(\$\.(\w+) = \*\) \}', pattern)
    return found is not None and line.name == found[1] and hasattr(line, found[2])


class Stack:
    """A CloudFormation template, and the resources in it."""

    def __init__(self, template: Any) -> None:
        self.resources: dict[str, Any] = template["Resources"]

    def of_type(self, type_: str) -> Iterator[tuple[str, Any]]:
        """Yield the logical id and the properties of each resource of a type."""
        for name, resource in self.resources.items():
            if resource["Type"] == type_:
                yield name, resource.get("Properties", {})

    def referred(self, value: Any) -> Any:
        """Return the properties of the resource that a Ref or GetAtt names."""
        name = value.get("Ref") or value["Fn::GetAtt"][0]
        return self.resources[name]["Properties"]

    def broken_rules(self, settings: Any) -> Iterator[str]:
        """Yield a line for each broken rule."""
        for name, queue in self.of_type("AWS::SQS::Queue"):
            yield from (f"{name}: {fault}" for fault in self.queue_faults(queue))
        for name, mapping in self.of_type("AWS::Lambda::EventSourceMapping"):
            faults = self.mapping_faults(mapping, settings)
            yield from (f"{name}: {fault}" for fault in faults)
        for name, role in self.of_type("AWS::IAM::Role"):
            yield from (f"{name}: {fault}" for fault in role_faults(role))
        yield from self.metric_faults()

    def queue_faults(self, queue: Any) -> Iterator[str]:
        if queue.get("FifoQueue") and not json.dumps(queue["QueueName"]).endswith('.fifo"}'):
            yield "the name of a FIFO queue must end in .fifo"
        if "RedrivePolicy" not in queue:
            return
        dead_letters = self.referred(queue["RedrivePolicy"]["deadLetterTargetArn"])
        if queue["RedrivePolicy"]["maxReceiveCount"] < 1:
            yield "maxReceiveCount must be at least 1"
        if dead_letters["MessageRetentionPeriod"] <= queue["MessageRetentionPeriod"]:
            yield "the dead-letter queue must keep messages longer than the queue"
        if dead_letters.get("FifoQueue") != queue.get("FifoQueue"):
            yield "a FIFO queue needs a FIFO dead-letter queue, a standard queue a standard one"

    def mapping_faults(self, mapping: Any, settings: Any) -> Iterator[str]:
        queue = self.referred(mapping["EventSourceArn"])
        function = self.referred(mapping["FunctionName"])
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        if "RedrivePolicy" not in queue:
            yield "its queue needs a dead-letter queue"
        if queue.get("FifoQueue") and window:
            yield "a FIFO queue cannot have a batching window"
        if queue.get("FifoQueue") and mapping["BatchSize"] > 10:
            yield "the batch size of a FIFO queue must be at most 10"
        if not queue.get("FifoQueue") and mapping["BatchSize"] > 10 and window < 1:
            yield "a batch size above 10 needs a batching window"
        least = 6 * function["Timeout"] + window
        if queue["VisibilityTimeout"] < least:
            reason = "6 x the function's timeout, plus the batching window"
            yield f"the queue's VisibilityTimeout must be at least {least}: {reason}"
        if function["Timeout"] <= settings.reserve_seconds:
            reserve = settings.reserve_seconds
            yield f"the function's timeout must be longer than its reserve, {reserve} s"
        yield from self.retry_faults(queue, function, settings.backoff)
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield "FunctionResponseTypes must be [ReportBatchItemFailures]"

    def retry_faults(self, queue: Any, function: Any, backoff: Any) -> Iterator[str]:
        """Find retries for which the queue is too short of time, or that are miscounted."""
        receives = queue.get("RedrivePolicy", {}).get("maxReceiveCount", 1)
        fifo = bool(queue.get("FifoQueue"))
        waits = sum(backoff.most_seconds(n, fifo=fifo) for n in range(1, receives))
        if waits >= queue["MessageRetentionPeriod"] / 2:
            yield (
                f"the waits between {receives} receives, {waits:.0f} s, must be less than half of "
                "the queue's MessageRetentionPeriod"
            )
        variables = function.get("Environment", {}).get("Variables", {})
        count = variables.get("MAX_RECEIVE_COUNT", receives)
        if str(count) != str(receives):
            yield f"MAX_RECEIVE_COUNT of the function is {count}, maxReceiveCount {receives}"

    def metric_faults(self) -> Iterator[str]:
        """Find alarms and dashboards that show a metric of the stack that no filter makes."""
        made = {
            transformation["MetricName"]
            for _, metric in self.of_type("AWS::Logs::MetricFilter")
            for transformation in metric["MetricTransformations"]
        }
        for name, shown in self.shown_metrics():
            if shown not in made:
                yield f"{name}: no metric filter makes the metric {shown}"

    def shown_metrics(self) -> Iterator[tuple[str, str]]:
        """Yield the metrics in the namespace of the stack, with the resource that shows each."""
        own = {"Ref": "AWS::StackName"}
        for name, alarm in self.of_type("AWS::CloudWatch::Alarm"):
            queries = [
                query["MetricStat"]["Metric"]
                for query in alarm.get("Metrics", [])
                if "MetricStat" in query
            ]
            metrics = [metric for metric in [alarm, *queries] if metric.get("Namespace") == own]
            yield from ((name, metric["MetricName"]) for metric in metrics)
        for name, dashboard in self.of_type("AWS::CloudWatch::Dashboard"):
            body = json.dumps(dashboard["DashboardBody"]).replace('\\"', '"')
            yield from ((name, each) for each in re.findall(r'"\${AWS::StackName}", "(\w+)"', body))


def role_faults(role: Any) -> Iterator[str]:
    """Find permissions that reach beyond the queue of the function."""
    if re.search("SQS|Administrator|PowerUser", json.dumps(role.get("ManagedPolicyArns", []))):
        yield "its managed policy covers every queue of the account"
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = json.dumps(statement["Action"]).lower()
            everything = "*" in json.dumps(statement["Resource"])
            if everything and ("sqs:" in actions or '"*"' in actions):
                yield "it may use every queue of the account"
