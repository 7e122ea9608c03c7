"""Run the stack of a SAM template on this machine."""

import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from sqskit.address import published
from sqskit.aws import EmbeddedAws
from sqskit.debugger import Debugger, check_installed
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping
from sqskit.page import Page
from sqskit.poller import POLLERS, SECONDS_TO_STOP, Batch, Poller
from sqskit.screen import Line, Screen
from sqskit.server_process import ServerProcess
from sqskit.template import read, transformed


def run(
    template: Path,
    server: ServerProcess,
    plain: bool,
    retry_after: int | None,
    parameters: Mapping[str, str],
    opened: bool = False,
    debug: int | None = None,
) -> None:
    """Deploy the stack and poll its queues until interrupted. Raises UserError.

    opened: open the page in a browser.
    debug: the first port at which a debugger can attach to a function.
    """
    if debug is not None:
        check_installed()
    screen = Screen(plain)
    try:
        screen.wait_for(f"SAM, which transforms {template.name}")
        transformed(read(template), parameters)  # moto starts meanwhile; deploy() uses the result
        screen.wait_for("moto, which stands in for AWS")
        with EmbeddedAws(server) as aws:
            screen.wait_for(f"the stack of {template.name}")
            mappings = aws.deploy(template, parameters)
            with Page(aws, mappings, template, opened=opened) as page:
                run_in(aws, mappings, template, retry_after, screen, page, debug)
    except BotoCoreError as error:
        raise UserError("the embedded AWS has stopped") from error
    except ClientError as error:
        raise UserError(f"the embedded AWS refuses a call: {error}") from error
    finally:
        screen.close()
        server.kill()


def run_in(
    aws: EmbeddedAws,
    mappings: list[EventSourceMapping],
    template: Path,
    retry_after: int | None,
    screen: Screen,
    page: Page,
    debug: int | None = None,
) -> None:
    """Run the mappings of a stack until interrupted, or until a poller has ended."""

    def report(batch: Batch) -> None:
        page.history.report(batch)
        screen.batch(batch)

    def poller_of(mapping: EventSourceMapping, debugger: Debugger | None = None) -> Poller:
        return Poller(aws, mapping, report, retry_after, page.history.announce, debugger)

    if debug is None:
        pollers = [
            poller_of(mapping)
            for mapping in mappings
            for _ in range(1 if mapping.queue.is_fifo else min(POLLERS, mapping.concurrency))
        ]
    else:  # one for each mapping, as breakpoints in several processes help nobody
        debuggers = debuggers_of(mappings, debug, screen)
        pollers = [poller_of(*each) for each in zip(mappings, debuggers, strict=True)]
    try:
        for mapping in mappings if debug is None else []:
            screen.wait_for(f"the code of {mapping.function.name}")
            # One process shows whether the code can run; the others start with a batch.
            next(poller for poller in pollers if poller.mapping is mapping).prepare()
        with published(template, aws.endpoint):
            screen.print(*map(Line, [*aws.notes, page.open()]))
            for mapping in mappings:
                screen.ready(aws, mapping, template.parent, retry_after)
            for poller in pollers:
                poller.start()
            while not (errors := [poller.error for poller in pollers if poller.error]):
                depths = aws.depths(mappings)
                screen.queues(depths)
                page.queues(depths)
                time.sleep(1)
            raise errors[0]
    finally:
        screen.wait_for("the batches that are being processed")
        for poller in pollers:
            poller.stopping.set()
        until = time.monotonic() + SECONDS_TO_STOP
        for poller in pollers:
            poller.stop(until - time.monotonic())


def debuggers_of(mappings: list[EventSourceMapping], port: int, screen: Screen) -> list[Debugger]:
    """Listen for a debugger of each function: at a port and the next ones, or at any if it is 0.

    Raises UserError if one is taken.
    """
    return [
        Debugger(
            port + number if port else 0,
            mapping.function.name,
            lambda text: screen.print(Line(text, "bold")),
        )
        for number, mapping in enumerate(mappings)
    ]
