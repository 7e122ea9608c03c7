"""Run the stack of a SAM template on this machine."""

import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError

from sqskit.aws import EmbeddedAws, endpoint_file
from sqskit.errors import UserError
from sqskit.poller import POLLERS, Poller
from sqskit.screen import Screen


def run(
    template: Path, port: int, plain: bool, retry_after: int | None, parameters: Mapping[str, str]
) -> None:
    """Deploy the stack and poll its queues until interrupted. Raises UserError."""
    endpoint = endpoint_file(template.parent)
    with EmbeddedAws(port) as aws:
        mappings = aws.deploy(template, parameters)
        screen = Screen(aws, template.parent, retry_after, plain)
        pollers = [
            Poller(aws, mapping, screen.batch, retry_after)
            for mapping in mappings
            for _ in range(1 if mapping.queue.is_fifo else min(POLLERS, mapping.concurrency))
        ]
        try:
            for mapping in mappings:
                # One process shows whether the code can run; the others start with a batch.
                next(poller for poller in pollers if poller.mapping is mapping).prepare()
            for poller in pollers:
                poller.start()
            endpoint.write_text(aws.endpoint, "utf-8")
            for note in aws.notes:
                screen.print(note)
            for mapping in mappings:
                screen.ready(mapping)
            while all(poller.is_alive() for poller in pollers):
                screen.queues(mappings)
                time.sleep(1)
            raise UserError("the embedded AWS no longer answers")
        except BotoCoreError as error:
            raise UserError("the embedded AWS has stopped") from error
        finally:
            if endpoint.exists() and endpoint.read_text("utf-8") == aws.endpoint:
                endpoint.unlink()
            screen.close()
            for poller in pollers:
                poller.stopping.set()
            for poller in pollers:
                poller.stop()
