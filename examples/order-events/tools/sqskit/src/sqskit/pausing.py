"""Stop and start how a function takes messages from its queue, on AWS."""

import time
from pathlib import Path
from typing import Any

from sqskit.errors import UserError
from sqskit.on_aws import answering, deployed
from sqskit.screen import in_words

# How often to ask Lambda for the state of an event source mapping, and for how long.
SECONDS_TO_ASK = 2
SECONDS_TO_WAIT = 300


def pause(template: Path, env: str, name: str) -> None:
    """Disable the event source mapping of a function, and wait until it is. Raises UserError."""
    queue, retention = switch(template, env, name, "Disabled")
    print(
        f"Paused: messages wait in {queue} for up to {in_words(retention)}; "
        "batches that are running still end"
    )


def resume(template: Path, env: str, name: str) -> None:
    """Enable the event source mapping of a function, and wait until it is. Raises UserError."""
    queue, _ = switch(template, env, name, "Enabled")
    print(f"Resumed: messages in {queue} are processed again")


def switch(template: Path, env: str, name: str, wanted: str) -> tuple[str, int]:
    """Bring the mappings of a function into a state.

    name: of the message, with which the names of the outputs begin.
    Returns the name of the queue, and how many seconds it keeps a message. Raises UserError.
    """
    with answering():
        stack = deployed(template, env)
        client, function = stack.client("lambda"), stack.output(f"{name}ProcessorFunctionName")
        url = stack.output(f"{name}QueueUrl")
        mappings = mappings_of(client, function)
        if not mappings:
            raise UserError(f"the function {function} has no event source mapping")
        for mapping in mappings:
            if mapping["State"] != wanted:
                client.update_event_source_mapping(
                    UUID=mapping["UUID"], Enabled=wanted == "Enabled"
                )
        for mapping in mappings:
            wait(client, mapping["UUID"], wanted)
        attributes = stack.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=["MessageRetentionPeriod"]
        )
        return url.rpartition("/")[2], int(attributes["Attributes"]["MessageRetentionPeriod"])


def mappings_of(client: Any, function: str) -> list[dict[str, Any]]:
    """Return the mappings of a function, with those of its aliases and versions.

    Lambda lists those only if it is asked for each of them, or for all mappings.
    """
    pages = client.get_paginator("list_event_source_mappings").paginate()
    mappings = (mapping for page in pages for mapping in page["EventSourceMappings"])
    return [each for each in mappings if each["FunctionArn"].split(":")[6] == function]


def wait(client: Any, uuid: str, wanted: str) -> None:
    """Wait until a mapping is in a state. Raises UserError if it takes too long."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while (state := client.get_event_source_mapping(UUID=uuid)["State"]) != wanted:
        if time.monotonic() > until:
            raise UserError(
                f"the event source mapping {uuid} is still {state} after {SECONDS_TO_WAIT} s; "
                "run the command again to wait longer"
            )
        time.sleep(SECONDS_TO_ASK)
