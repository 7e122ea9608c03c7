"""Run the stack of a SAM template on this machine."""

import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from sqskit.address import published
from sqskit.aws import EmbeddedAws
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.poller import POLLERS, Poller
from sqskit.screen import Line, Screen


def run(
    template: Path, port: int, plain: bool, retry_after: int | None, parameters: Mapping[str, str]
) -> None:
    """Deploy the stack and poll its queues until interrupted. Raises UserError."""
    screen = Screen(plain)
    try:
        screen.wait_for("moto, which stands in for AWS")
        with EmbeddedAws(port) as aws:
            screen.wait_for(f"the stack of {template.name}")
            mappings = aws.deploy(template, parameters)
            run_in(aws, mappings, template, retry_after, screen)
    except BotoCoreError as error:
        raise UserError("the embedded AWS has stopped") from error
    except ClientError as error:
        raise UserError(f"the embedded AWS refuses a call: {error}") from error
    finally:
        screen.close()


def run_in(
    aws: EmbeddedAws,
    mappings: list[EventSourceMapping],
    template: Path,
    retry_after: int | None,
    screen: Screen,
) -> None:
    """Run the mappings of a stack until interrupted, or until a poller has ended."""
    pollers = [
        Poller(aws, mapping, screen.batch, retry_after)
        for mapping in mappings
        for _ in range(1 if mapping.queue.is_fifo else min(POLLERS, mapping.concurrency))
    ]
    try:
        for mapping in mappings:
            screen.wait_for(f"the code of {mapping.function.name}")
            # One process shows whether the code can run; the others start with a batch.
            next(poller for poller in pollers if poller.mapping is mapping).prepare()
        for poller in pollers:
            poller.start()
        with published(template, aws.endpoint):
            screen.print(*map(Line, aws.notes))
            for mapping in mappings:
                screen.ready(aws, mapping, template.parent, retry_after)
            while not (errors := [poller.error for poller in pollers if poller.error]):
                screen.queues(aws, mappings)
                time.sleep(1)
            raise errors[0]
    finally:
        screen.wait_for("the batches that are being processed")
        for poller in pollers:
            poller.stopping.set()
        for poller in pollers:
            poller.stop()
