"""Rules for idempotency: the table of the keys that are done, and how long a key is remembered."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqskit.rules.mappings import is_queue
from sqskit.rules.queues import retention
from sqskit.rules.stack import Stack

# The variable that tells lambdas/sqs its table.
IDEMPOTENCY_TABLE = "IDEMPOTENCY_TABLE"

TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")

# The attributes that lambdas/sqs writes.
KEY, EXPIRATION = "id", "expiration"

WRONG_KEY = (
    "its only key must be the text id; write "
    "KeySchema: [{ AttributeName: id, KeyType: HASH }] and "
    "AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]"
)
NO_EXPIRATION = (
    "nothing deletes its old keys; write "
    "TimeToLiveSpecification: { AttributeName: expiration, Enabled: true }"
)

SECONDS_OF_A_DAY = 86_400


def faults(stack: Stack, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each broken rule.

    settings: those of the handlers that are made with batch_handler, by function.
    """
    tables = list[str]()
    for mapping_name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        name = stack.named(mapping["FunctionName"]) or ""
        queue = stack.named(mapping.get("EventSourceArn"))
        if not is_queue(stack, queue) or not settings.get(name):
            continue
        once, function = getattr(settings[name], "once", None), stack.resources[name]["Properties"]
        yield from (f"{name}: {fault}" for fault in variable_faults(stack, function, once))
        if variable_of(function) and once:
            yield from (f"{mapping_name}: {fault}" for fault in memory_faults(stack, mapping, once))
            tables += filter(None, [table_of(stack, function)])
    for table in dict.fromkeys(tables):
        found = table_faults(stack, stack.resources[table].get("Properties", {}))
        yield from (f"{table}: {fault}" for fault in found)


def variable_faults(stack: Stack, function: Any, once: Any) -> Iterator[str]:
    target = stack.named(variable_of(function))
    if once is None and variable_of(function):
        yield (
            f"its handler is not made with Once, so nothing uses {IDEMPOTENCY_TABLE}; "
            "remove the variable and its table, or use Once"
        )
    elif once is not None and not variable_of(function):
        yield (
            "its handler is made with Once, which needs a table; "
            f"write {IDEMPOTENCY_TABLE}: !Ref NAME among its variables"
        )
    elif target and not table_of(stack, function):
        yield (
            f"{IDEMPOTENCY_TABLE} names {target}, which is not a table; "
            "write !Ref and the name of a DynamoDB table"
        )


def variable_of(function: Any) -> Any:
    """Return what a function's variable says about its table, if it has one."""
    return function.get("Environment", {}).get("Variables", {}).get(IDEMPOTENCY_TABLE)


def table_of(stack: Stack, function: Any) -> str | None:
    """Return the logical id of a function's table of keys, if it is in the stack."""
    name = stack.named(variable_of(function))
    return name if name and stack.resources[name]["Type"] in TABLES else None


def table_faults(stack: Stack, table: Any) -> Iterator[str]:
    keys = [(each["AttributeName"], each["KeyType"]) for each in table.get("KeySchema", [])]
    definitions = table.get("AttributeDefinitions", [])
    types = {each["AttributeName"]: each["AttributeType"] for each in definitions}
    if keys != [(KEY, "HASH")] or types.get(KEY) != "S":
        yield WRONG_KEY
    expiration = table.get("TimeToLiveSpecification", {})
    is_off = str(stack.value(expiration.get("Enabled", False))).lower() == "false"
    if is_off or stack.value(expiration.get("AttributeName")) != EXPIRATION:
        yield NO_EXPIRATION


def memory_faults(stack: Stack, mapping: Any, once: Any) -> Iterator[str]:
    """Find a key that is forgotten while its message can still be delivered again."""
    source = stack.named(mapping["EventSourceArn"])
    queue = stack.referred(mapping["EventSourceArn"])
    target = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
    kept = {source: retention(stack, queue)}
    if dead_letters := stack.referred(target):
        kept[stack.named(target)] = retention(stack, dead_letters)
    seconds = sum(kept.values())
    if once.days * SECONDS_OF_A_DAY <= seconds:
        places = " and ".join(f"{days(each)} in {name}" for name, each in kept.items())
        yield (
            f"its handler remembers a key for {once.days} days, but a message can be delivered "
            f"again for {days(seconds)} ({places}); "
            f"remember a key for at least {seconds // SECONDS_OF_A_DAY + 1} days"
        )


def days(seconds: int) -> str:
    return f"{seconds / SECONDS_OF_A_DAY:g}"
