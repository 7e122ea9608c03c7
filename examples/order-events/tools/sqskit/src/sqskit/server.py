"""The process of the embedded AWS: `python -P server.py PORT`; 0 is any free port.

Prints its address, and runs until its standard input ends.
"""

import logging
import math
import os
import socket
import sys
import threading
import time
from typing import Any

import moto.backends
import moto.sqs.models
from moto.dynamodb.responses import DynamoHandler
from moto.server import ThreadedMotoServer
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from sqskit import stacks, subscriptions  # noqa: F401 - moto finds the class in the second


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


def add_message(queue: Queue, message: Message) -> None:
    """Add a message to a queue, unless SQS drops it as a repetition.

    moto forgets a message that is done, and then takes its repetition. It also polls the queues of
    event source mappings itself.
    """
    if not is_repeated(queue, message):
        with queue._messages_lock:
            queue._messages.append(message)
            queue._messages_lock.notify_all()


def is_repeated(queue: Queue, message: Message) -> bool:
    """Tell whether a FIFO queue was sent the same deduplication id in the last five minutes."""
    if not queue.fifo_queue or message.approximate_receive_count:  # SQS moves it from another queue
        return False
    in_group = queue.attributes.get("DeduplicationScope") == "messageGroup"
    key = message.deduplication_id, message.group_id if in_group else None
    sent_at: dict[Any, float] = vars(queue).setdefault("sent_at", {})
    if time.monotonic() - sent_at.get(key, -math.inf) < DEDUPLICATION_TIME_IN_SECONDS:
        return True
    sent_at[key] = time.monotonic()
    return False


def call_action(request: SQSResponse) -> Any:
    """Serve one request at a time: in moto, two at once can lose a message, or deliver it twice."""
    if request._get_action() == "ReceiveMessage":  # it may wait for a message
        return call_any_action(request)
    with serving:
        return call_any_action(request)


def call_table_action(request: DynamoHandler) -> Any:
    """Serve one request at a time: in moto, two at once can both meet the same condition."""
    with serving_tables:
        return call_any_table_action(request)


def forget_expired(queue: Queue) -> None:
    """Forget that messages are being processed whose visibility timeout is over.

    moto does so while it receives them, and then takes their group for one that is busy: with the
    messages of the same receive.
    """
    for message in [*queue.pending_messages] if queue.fifo_queue else []:
        if message.visible:
            queue.pending_messages.remove(message)


def receive_message(backend: SQSBackend, name: str, count: int, wait: int, *more: Any) -> Any:
    """Receive messages, and let other requests be served while there is none."""
    until = time.monotonic() + wait
    while True:
        with serving:
            forget_expired(backend.get_queue(name))
            messages = receive_at_once(backend, name, count, 0, *more)
        if messages or time.monotonic() >= until:
            return messages
        time.sleep(0.02)


def is_retained(backend: SQSBackend, queue_name: str, message: Message) -> bool:
    """Tell whether a message is young enough; moto counts all of the queue to know that."""
    seconds = vars(backend.get_queue(queue_name))["message_retention_period"]
    return bool(milliseconds() < message.sent_timestamp + 1000 * seconds)


def milliseconds() -> float:
    """Return the time; moto does so for each message of a queue, and much more slowly."""
    return 1000 * time.time()


serving, serving_tables = threading.Lock(), threading.Lock()
call_any_action = SQSResponse.call_action
call_any_table_action = DynamoHandler.call_action
receive_at_once = SQSBackend.receive_message


def main() -> None:
    SQSResponse.call_action = call_action  # type: ignore[assignment, method-assign]
    DynamoHandler.call_action = call_table_action  # type: ignore[method-assign]
    SQSBackend.receive_message = receive_message  # type: ignore[assignment, method-assign]
    SQSBackend.is_message_valid_based_on_retention_period = is_retained  # type: ignore[assignment, method-assign]
    moto.sqs.models.unix_time_millis = milliseconds  # type: ignore[assignment, attr-defined]
    names = [*moto.backends.list_of_moto_modules()]  # moto reads its folder for each request
    moto.backends.list_of_moto_modules = lambda: names
    Queue.add_message = add_message  # type: ignore[assignment, method-assign]
    Queue.pending_message_groups = property(busy_groups)  # type: ignore[assignment, method-assign]
    stacks.prepare()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs each request
    port = int(sys.argv[1])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name != "nt")
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = f"cannot use port {port}: {error.strerror}"
            sys.exit(f"{reason}; give --port another one, or leave it out")
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
