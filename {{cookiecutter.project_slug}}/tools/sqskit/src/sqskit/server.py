"""The process of the embedded AWS: `python -P server.py PORT`; 0 is any free port.

Prints its address and the types of CloudFormation resources that moto knows, and runs until its
standard input ends.
"""

import json
import logging
import os
import socket
import sys
import threading
import time
from typing import Any

from moto.cloudformation.parsing import get_model_map
from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from sqskit import subscriptions  # noqa: F401 - moto finds the class in it


def busy_groups(queue: Queue) -> set[str]:
    """Return the message groups with a message that is being processed.

    In moto, a message that was returned to the queue still counts for a while, so that the second
    message of its group can come before it.
    """
    return {
        message.group_id
        for message in queue.pending_messages
        if message.group_id is not None and not message.visible
    }


def call_action(request: SQSResponse) -> Any:
    """Serve one request at a time: in moto, two at once can lose a message, or deliver it twice."""
    if request._get_action() == "ReceiveMessage":  # it may wait for a message
        return call_any_action(request)
    with serving:
        return call_any_action(request)


def receive_message(backend: SQSBackend, name: str, count: int, wait: int, *more: Any) -> Any:
    """Receive messages, and let other requests be served while there is none."""
    until = time.monotonic() + wait
    while True:
        with serving:
            messages = receive_at_once(backend, name, count, 0, *more)
        if messages or time.monotonic() >= until:
            return messages
        time.sleep(0.02)


serving = threading.Lock()
call_any_action = SQSResponse.call_action
receive_at_once = SQSBackend.receive_message


def main() -> None:
    SQSResponse.call_action = call_action  # type: ignore[assignment, method-assign]
    SQSBackend.receive_message = receive_message  # type: ignore[assignment, method-assign]
    Queue.pending_message_groups = property(busy_groups)  # type: ignore[assignment, method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs each request
    port = int(sys.argv[1])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name != "nt")
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(1)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(json.dumps([f"http://{host}:{port}", sorted(get_model_map())]), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
