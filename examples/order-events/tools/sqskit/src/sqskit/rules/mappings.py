"""Rules for event source mappings, and the functions and queues that they connect.

The limits are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqskit.rules.queues import retention
from sqskit.rules.stack import Stack

# The variables that tell lambdas/sqs its queues.
QUEUE_URL, DEAD_LETTER_QUEUE_URL = "QUEUE_URL", "DEAD_LETTER_QUEUE_URL"


def faults(stack: Stack, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each broken rule.

    settings: those of the handlers that are made with batch_handler, by function.
    """
    functions = defaultdict[str, list[str]](list)
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        source = mapping.get("EventSourceArn")
        queue, function = stack.named(source), stack.named(mapping["FunctionName"])
        if isinstance(source, dict) and (queue is None or function is None):
            yield f"{name}: write Queue: !GetAtt NAME.Arn, so that the queue can be checked"
        if queue is None or function is None or not is_queue(stack, queue):
            continue
        functions[queue].append(function)
        found = mapping_faults(stack, mapping, settings.get(function))
        yield from (f"{name}: {fault}" for fault in found)
    for queue, several in functions.items():
        if len(several) > 1:
            names = " and ".join(several)
            yield f"{queue}: {names} share it, so each message reaches only one of them"
    for name in dict.fromkeys(each for several in functions.values() for each in several):
        function = stack.resources[name]["Properties"]
        yield from (f"{name}: {fault}" for fault in function_faults(stack, name, function))


def is_queue(stack: Stack, name: str | None) -> bool:
    return name is not None and bool(stack.resources[name]["Type"] == "AWS::SQS::Queue")


def mapping_faults(stack: Stack, mapping: Any, settings: Any) -> Iterator[str]:
    queue = stack.referred(mapping["EventSourceArn"])
    function = stack.referred(mapping["FunctionName"])
    window = stack.number(mapping, "MaximumBatchingWindowInSeconds", 0)
    batch_size = stack.number(mapping, "BatchSize", 10)
    timeout = stack.number(function, "Timeout", 3)
    if "RedrivePolicy" not in queue:
        yield "its queue needs a dead-letter queue"
    if queue.get("FifoQueue") and window:
        yield "a FIFO queue cannot have a batching window"
    if queue.get("FifoQueue") and batch_size > 10:
        yield "the batch size of a FIFO queue must be at most 10"
    if not queue.get("FifoQueue") and batch_size > 10 and window < 1:
        yield "a batch size above 10 needs a batching window"
    least = 6 * timeout + window
    if stack.number(queue, "VisibilityTimeout", 30) < least:
        reason = "6 x the function's timeout, plus the batching window"
        yield f"the queue's VisibilityTimeout must be at least {least}: {reason}"
    if settings and timeout <= settings.reserve_seconds:
        reserve = settings.reserve_seconds
        yield f"the function's timeout must be longer than its reserve, {reserve} s"
    if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        yield "FunctionResponseTypes must be [ReportBatchItemFailures]"
    if mapping.get("FilterCriteria"):
        yield "FilterCriteria must go: Lambda deletes the messages that do not match"
    if str(stack.value(mapping.get("Enabled", True))).lower() == "false":
        yield "Enabled must be true: nobody else reads the queue"
    if settings:
        yield from retry_faults(stack, queue, function, settings.backoff)
    yield from environment_faults(stack, mapping, queue, function)


def retry_faults(stack: Stack, queue: Any, function: Any, backoff: Any) -> Iterator[str]:
    """Find retries for which the queue is too short of time, or that are miscounted."""
    receives = stack.number(queue.get("RedrivePolicy", {}), "maxReceiveCount", 1)
    fifo = bool(queue.get("FifoQueue"))
    # A message that ends the process is also hidden for the visibility timeout.
    retries = sum(backoff.most_seconds(n, fifo=fifo) for n in range(1, receives))
    retries += receives * stack.number(queue, "VisibilityTimeout", 30)
    if retries >= retention(stack, queue) / 2:
        yield (
            f"the {receives} tries of a message can take {retries:.0f} s; the queue's "
            "MessageRetentionPeriod must be more than twice as long"
        )
    variables = function.get("Environment", {}).get("Variables", {})
    count = stack.value(variables.get("MAX_RECEIVE_COUNT", receives))
    if str(count) != str(receives):
        yield f"MAX_RECEIVE_COUNT of the function is {count}, maxReceiveCount {receives}"


def environment_faults(stack: Stack, mapping: Any, queue: Any, function: Any) -> Iterator[str]:
    """Find variables that name another queue than the mapping does."""
    variables = function.get("Environment", {}).get("Variables", {})
    expected = {QUEUE_URL: stack.named(mapping["EventSourceArn"])}
    if "RedrivePolicy" in queue:
        dead_letters = queue["RedrivePolicy"]["deadLetterTargetArn"]
        expected[DEAD_LETTER_QUEUE_URL] = stack.named(dead_letters)
    for variable, name in expected.items():
        if name and stack.named(variables.get(variable)) != name:
            yield f"the function's variable {variable} must be !Ref {name}"


def function_faults(stack: Stack, name: str, function: Any) -> Iterator[str]:
    logging = function.get("LoggingConfig", {})
    if logging.get("LogFormat") != "JSON":
        yield "LogFormat must be JSON, because the metrics are read from the log"
    if stack.value(logging.get("ApplicationLogLevel")) in ("WARN", "ERROR", "FATAL"):
        yield "ApplicationLogLevel must be INFO or DEBUG, because the metrics are read from the log"
    reserved = stack.number(function, "ReservedConcurrentExecutions", 1000)
    needed = sum(
        stack.number(mapping.get("ScalingConfig", {}), "MaximumConcurrency", 1000)
        for _, mapping in stack.of_type("AWS::Lambda::EventSourceMapping")
        if stack.named(mapping["FunctionName"]) == name
    )
    if reserved < needed:
        yield (
            f"ReservedConcurrentExecutions is {reserved}, but MaximumConcurrency allows {needed} "
            "batches; throttled receives count as tries"
        )
