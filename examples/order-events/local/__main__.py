"""Run the stack of template.yaml on this machine: `python -m local`, or `make local`."""

import argparse
import signal
import sys
import time

from botocore.exceptions import BotoCoreError

from local.aws import EmbeddedAws, LocalError
from local.poller import POLLERS, Poller
from local.screen import Screen
from local.template import ENDPOINT, TEMPLATE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="for the embedded AWS (a free one)")
    parser.add_argument("--plain", action="store_true", help="print nothing but lines")
    parser.add_argument(
        "--retry-after",
        type=int,
        metavar="SECONDS",
        help="after which a failed message comes again (the visibility timeout of its queue)",
    )
    options = parser.parse_args()
    if not 0 <= options.port < 65536:
        parser.error("--port takes 0 to 65535")
    if not 0 <= (options.retry_after or 0) <= 43200:  # as a visibility timeout
        parser.error("--retry-after takes 0 to 43200 seconds")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell has it ignored
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    try:
        run(options.port, options.plain, options.retry_after)
    except LocalError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        pass


def run(port: int, plain: bool, retry_after: int | None) -> None:
    """Deploy the stack and poll its queues until it is interrupted. Raises LocalError."""
    with EmbeddedAws(port) as aws:
        mappings = aws.deploy(TEMPLATE.read_text("utf-8"), aws.known_types)
        screen = Screen(aws, retry_after, plain)
        pollers = [
            Poller(aws, mapping, screen.batch, retry_after)
            for mapping in mappings
            for _ in range(1 if mapping.queue.is_fifo else min(POLLERS, mapping.concurrency))
        ]
        try:
            for mapping in mappings:
                # One process tells whether the code can run; the others start with a batch.
                first = next(poller for poller in pollers if poller.mapping is mapping)
                if error := first.worker.start().error:
                    raise LocalError(error)
            for poller in pollers:
                poller.start()
            ENDPOINT.write_text(aws.endpoint, "utf-8")
            for mapping in mappings:
                screen.ready(mapping)
            while all(poller.is_alive() for poller in pollers):
                screen.queues(mappings)
                time.sleep(1)
            raise LocalError("the embedded AWS cannot be polled any more")
        except BotoCoreError as error:
            raise LocalError("the embedded AWS has ended") from error
        finally:
            if ENDPOINT.exists() and ENDPOINT.read_text("utf-8") == aws.endpoint:
                ENDPOINT.unlink()
            screen.close()
            for poller in pollers:
                poller.stopping.set()
            for poller in pollers:
                poller.stop()


if __name__ == "__main__":
    main()
