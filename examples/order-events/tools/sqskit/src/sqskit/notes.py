"""The lines at the start of `sqskit local` about what is not as on AWS."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqskit.code import Code
from sqskit.mapping import EventSourceMapping, Function
from sqskit.parameters import IN_PARAMETER_STORE, NOT_EMULATED
from sqskit.simplify import MAPPING, function_of
from sqskit.template import functions

# How many kinds of resources to name.
KINDS = 8


def foreign_queues(stack: Any, left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each event source mapping whose queue is not in the stack.

    left_out: what stands for the resources that moto cannot make; for a mapping, its source.
    """
    resources = stack["Resources"]
    for name, source in left_out.items():
        properties = resources[name].get("Properties", {})
        if resources[name]["Type"] != MAPPING or {"StartingPosition", "Queues"} & properties.keys():
            continue  # the source is a stream or a broker
        function = name_in(function_of(properties, resources))
        queue = source.removeprefix(NOT_EMULATED).replace("import:", "the import ")
        yield f"{function} gets no messages from {queue} here, only from queues in the template."


def name_in(reference: Any) -> str:
    """Return the logical id in a reference."""
    if isinstance(reference, dict):
        reference = next(iter(reference.values()))
    return str(reference[0] if isinstance(reference, list) else reference)


def missing_dead_letter_queues(mappings: Iterable[EventSourceMapping]) -> Iterator[str]:
    """Yield a line for each queue whose dead-letter queue is not in the stack."""
    for queue in dict.fromkeys(mapping.queue for mapping in mappings):
        if queue.max_receive_count and not queue.dead_letter_url:
            yield (
                f"{queue.name} retries failed messages without end here: "
                "its dead-letter queue is not in the template."
            )


def shared_queues(mappings: Iterable[EventSourceMapping]) -> Iterator[str]:
    """Yield a line for each queue with several functions."""
    readers = defaultdict[str, list[str]](list)
    for mapping in mappings:
        readers[mapping.queue.name].append(mapping.function.name)
    for queue, names in readers.items():
        if len(names) > 1:
            yield f"{queue} sends each message to only one of {' and '.join(names)}."


def missing_layers(function: Function, code: Mapping[str, Code | str]) -> Iterator[str]:
    """Yield a line about the layers of a function that are not on this machine."""
    own = code[function.name]
    if isinstance(own, Code) and own.missing_layers:
        layers = " and ".join(own.missing_layers)
        yield f"{function.name} runs without the layer {layers}: add its libraries with `uv add`."


def placeholders(function: Function) -> Iterator[str]:
    """Yield a line for each variable of a function whose value only AWS knows."""
    for variable, value in function.environment.items():
        if NOT_EMULATED in value or "{resolve:" in value:
            yield f"{variable} of {function.name} is only the text {value} here."


def names_in_parameter_store(stack: Any, given: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each parameter that is the name of a value in Parameter Store."""
    for name, parameter in stack.get("Parameters", {}).items():
        if parameter["Type"].startswith(IN_PARAMETER_STORE) and name not in given:
            yield (
                f"The parameter {name} is only the text {parameter['Default']} here; "
                f"set its value with --parameter {name}=…"
            )


def not_emulated(template: Any, stack: Any, left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield a line about what moto does not emulate, if there is anything.

    template, stack: before and after SAM has transformed it.
    left_out: the logical ids of the resources that moto cannot make.
    """
    resources = stack["Resources"]
    types = Counter(
        words(resources[name]["Type"])
        for name in left_out
        if resources[name]["Type"] not in {MAPPING, "AWS::Lambda::LayerVersion"}
    )
    found = [f"{kind} events" for kind in other_events(template)]
    if any(
        "NotificationConfiguration" in each.get("Properties", {}) for each in resources.values()
    ):
        found.append("S3 notifications")
    kinds = sorted(types.items(), key=lambda item: (-item[1], item[0]))
    found += [counted(number, kind) for kind, number in kinds[:KINDS]]
    if rest := kinds[KINDS:]:
        found.append(counted(sum(number for _, number in rest), "other resource"))
    if found:
        yield f"Not emulated: {', '.join(found)}."


def other_events(template: Any) -> list[str]:
    """Return the types of events that functions get from other services than SQS."""
    return sorted(
        {
            event["Type"]
            for _, function in functions(template)
            for event in function.get("Events", {}).values()
        }
        - {"SQS"}
    )


def words(type_: str) -> str:
    """Return `queue policy` for `AWS::SQS::QueuePolicy`."""
    name = type_.rpartition("::")[2]
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    return " ".join(part if part.isupper() else part.lower() for part in parts)


def counted(number: int, kind: str) -> str:
    """Return `2 queue policies`."""
    if number > 1:
        kind = re.sub("y$", "ie", kind)
        kind += "es" if kind.endswith("s") else "s"
    return f"{number} {kind}"
