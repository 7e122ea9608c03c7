"""Rules for metric filters, alarms and dashboards."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

from sqskit.rules.stack import Stack

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
OF_AWS = {
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfGroupsWithInflightMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfDeduplicatedSentMessages",
        "NumberOfEmptyReceives",
        "NumberOfMessagesDeleted",
        "NumberOfMessagesReceived",
        "NumberOfMessagesSent",
        "SentMessageSize",
    },
    "AWS/Lambda": {
        "ConcurrentExecutions",
        "Duration",
        "Errors",
        "Invocations",
        "PostRuntimeExtensionsDuration",
        "ProvisionedConcurrencyInvocations",
        "ProvisionedConcurrencySpilloverInvocations",
        "ProvisionedConcurrencyUtilization",
        "ProvisionedConcurrentExecutions",
        "Throttles",
        "UnreservedConcurrentExecutions",
    },
}

OWN = "${AWS::StackName}"  # the namespace of the metrics that filters make


def faults(stack: Stack) -> Iterator[str]:
    """Yield a line for each broken rule."""
    made = {
        transformation["MetricName"]
        for _, metric in stack.of_type("AWS::Logs::MetricFilter")
        for transformation in metric["MetricTransformations"]
    }
    for name, body in dashboards(stack):
        if body is None:
            yield f"{name}: DashboardBody is not JSON"
    for name, namespace, metric in shown_metrics(stack):
        if namespace == OWN and metric not in made:
            yield f"{name}: no metric filter makes the metric {metric}"
        if namespace in OF_AWS and metric not in OF_AWS[namespace]:
            yield f"{name}: {namespace} has no metric {metric}"
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        ids = {query["Id"] for query in alarm.get("Metrics", [])}
        for query in alarm.get("Metrics", []):
            for each in re.findall(r"\b[a-z]\w*\b(?!\()", query.get("Expression", "")):
                if each not in ids:
                    yield f"{name}: its expression uses {each}, which is not among its metrics"
        if fault := late_alarm(stack, alarm):
            yield f"{name}: {fault}"
    groups = {
        stack.named(f.get("LoggingConfig", {}).get("LogGroup"))
        for _, f in stack.of_type("AWS::Lambda::Function")
    }
    for name, metric in stack.of_type("AWS::Logs::MetricFilter"):
        if stack.named(metric["LogGroupName"]) not in groups:
            yield f"{name}: no function logs to its log group"


def late_alarm(stack: Stack, alarm: Any) -> str | None:
    """Say so if an alarm waits for a duration that a function never reaches."""
    if alarm.get("MetricName") != "Duration":
        return None
    for dimension in alarm.get("Dimensions", []):
        function = stack.referred(dimension["Value"])
        if function is not None:
            milliseconds = 1000 * stack.number(function, "Timeout", 3)
            if stack.number(alarm, "Threshold", 0) >= milliseconds:
                return f"Threshold must be less than the function's timeout, {milliseconds} ms"
    return None


def silent(stack: Stack, lines: list[logging.LogRecord]) -> list[str]:
    """Return the metric filters that match no line logged for a batch."""
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


def shown_metrics(stack: Stack) -> Iterator[tuple[str, Any, str]]:
    """Yield each resource that shows a metric, with the metric's namespace and name."""
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        queries = [
            query["MetricStat"]["Metric"]
            for query in alarm.get("Metrics", [])
            if "MetricStat" in query
        ]
        for metric in [alarm, *queries]:
            if "MetricName" in metric:
                namespace = metric["Namespace"]
                own = namespace == {"Ref": "AWS::StackName"}
                yield name, OWN if own else str(namespace), metric["MetricName"]
    for name, body in dashboards(stack):
        for widget in (body or {}).get("widgets", []):
            for shown in widget["properties"].get("metrics", []):
                if isinstance(shown[0], str):  # otherwise it is an expression
                    yield name, shown[0], shown[1]


def dashboards(stack: Stack) -> Iterator[tuple[str, Any]]:
    """Yield the body of each dashboard; None if it is not JSON."""
    for name, dashboard in stack.of_type("AWS::CloudWatch::Dashboard"):
        body = dashboard["DashboardBody"]
        while isinstance(body, dict | list):  # a Sub, with or without variables
            body = body["Fn::Sub"] if isinstance(body, dict) else body[0]
        try:
            yield name, json.loads(body)
        except ValueError:
            yield name, None
