"""The files in contract/ that are made from the message class and the examples."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sqskit.environment import REGION
from sqskit.errors import UserError
from sqskit.handlers import imported
from sqskit.template import example_file, examples, functions, parsed, read

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def write(template: Path) -> None:
    """Write the files that are not up to date, and print what was done. Raises UserError."""
    for path, text in files(template).items():
        name = path.relative_to(template.parent)
        if path.exists() and path.read_text("utf-8") == text:
            print(f"{name} is up to date")
        else:
            path.write_text(text, "utf-8", newline="\n")
            print(f"{name} written")


def files(template: Path) -> dict[Path, str]:
    """Return the files that belong to each example, with their texts.

    These are the JSON Schema of the message and an SQS event with the examples. The class is that
    of the function's handler. Raises UserError if there is no example, or if one is not such a
    message.
    """
    source = parsed(read(template))
    found: dict[Path, str] = {}
    for function, properties in functions(source):
        for event in properties.get("Events", {}).values():
            if event["Type"] == "SQS":
                example = example_file(template.parent, properties["Handler"])
                type_ = message_type(template.parent, properties)
                bodies = checked(example, function, type_)
                queue = event["Properties"]["Queue"]
                arn = queue_arn(source["Resources"], queue)
                in_queue = bodies_in_queue(source, queue, bodies)
                found[example.with_suffix(".schema.json")] = text_of(json_schema(type_))
                found[example.with_suffix(".event.json")] = text_of(sqs_event(in_queue, arn))
    return found


def text_of(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


# --- the message class -------------------------------------------------------------------------


def message_type(root: Path, properties: Any) -> Any:
    """Return the class that a function's handler decodes. Raises UserError."""
    found = imported(root, properties)
    if not hasattr(found, "message_type"):
        handler = properties["Handler"]
        raise UserError(f"{handler} must be made with batch_handler, which knows the message class")
    return found.message_type


def checked(example: Path, function: str, type_: Any) -> list[str]:
    """Return the bodies of the examples, if they are such messages. Raises UserError."""
    import msgspec  # comes with the project

    bodies = examples(example, function)
    for n, body in enumerate(bodies, 1):
        try:
            msgspec.json.decode(body, type=type_)
        except msgspec.ValidationError as error:
            which = f", example {n}," if len(bodies) > 1 else ""
            name = getattr(type_, "__name__", "valid message")
            raise UserError(f"contract/{example.name}{which} is not a {name}: {error}") from error
    return bodies


def json_schema(type_: Any) -> dict[str, Any]:
    import msgspec

    return {"$schema": DIALECT, **msgspec.json.schema(type_)}


# --- the event ---------------------------------------------------------------------------------


def queue_arn(resources: Any, queue: Any) -> str:
    """Return an ARN for a queue of the stack, which gets a name only when it is deployed."""
    if isinstance(queue, str):
        return queue
    name = queue["Fn::GetAtt"][0]
    suffix = ".fifo" if resources[name].get("Properties", {}).get("FifoQueue") else ""
    return f"arn:aws:sqs:{REGION}:123456789012:{name}{suffix}"


def bodies_in_queue(template: Any, queue: Any, bodies: list[str]) -> list[str]:
    """Return bodies as they are in a queue of a SAM template: in events, if a rule sends them."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Events::Rule":
            properties = resource["Properties"]
            if any(target["Arn"] == queue for target in properties["Targets"]):
                pattern = properties["EventPattern"]
                source, detail_type = (
                    first_value(template, pattern[name]) for name in ("source", "detail-type")
                )
                return [in_event(body, n, source, detail_type) for n, body in enumerate(bodies, 1)]
    return bodies


def first_value(template: Any, values: list[Any]) -> str:
    """Return the first of several values, or the default of the parameter that it refers to."""
    first = values[0]
    if isinstance(first, dict):
        first = template["Parameters"][first["Ref"]]["Default"]
    return str(first)


def in_event(body: str, n: int, source: str, detail_type: str) -> str:
    """Return the n-th event of EventBridge, with a message in it."""
    event = {
        "version": "0",
        "id": f"00000000-0000-4000-9000-{n:012}",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": json.loads(body),
    }
    return json.dumps(event, ensure_ascii=False)


def sqs_event(bodies: list[str], arn: str) -> dict[str, Any]:
    """Return the event with which Lambda hands messages to a function."""
    return {"Records": [record(body, n, arn) for n, body in enumerate(bodies, 1)]}


def record(body: str, n: int, arn: str) -> dict[str, Any]:
    """Return the n-th record of an event."""
    fifo = {
        "SequenceNumber": f"188503718{n:011}",
        "MessageGroupId": "group-1",
        "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
    }
    return {
        "messageId": f"00000000-0000-4000-8000-{n:012}",
        "receiptHandle": f"receipt-handle-{n}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1767225600000",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1767225600250",
            **(fifo if arn.endswith(".fifo") else {}),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }
