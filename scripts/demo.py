"""The main job from end to end: generate a project, build it, let it process messages from a queue.

It needs no AWS account, because sqskit runs the stack on this machine. The exit status is not 0 if
any outcome is unexpected.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import indent

from scripts.project import ROOT, generated

PROJECT = ROOT / "demo" / "order-events"

# The tools come from the environment of this script; nothing may reach a real AWS account.
AWS_LIKE = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NO_PROXY": "127.0.0.1",
    "SAM_CLI_TELEMETRY": "0",
}

# What the owner writes into the project: the second order fails once.
HANDLE = '''\
def handle(message: NewMessage, delivery: Delivery) -> None:
    """Ship an order."""
    if message.order_id == "order-2" and delivery.receive_count == 1:
        raise RetryLater(2, "the warehouse is closed")
    logger.info("Shipped %s", message.order_id)
'''
BODIES = ['{"orderId": "order-1"}', '{"orderId": "order-2"}', '{"orderId": "order-3"}', '{"orderId": 7}']


def main() -> None:
    os.environ.pop("AWS_PROFILE", None)
    os.environ.update(AWS_LIKE)

    title("Generate a project")
    shutil.rmtree(PROJECT.parent, ignore_errors=True)
    PROJECT.parent.mkdir()
    show("cookiecutter . --no-input")
    generated(PROJECT.parent, "from shared.delivery import Delivery, RetryLater\n", HANDLE)

    title("Write the business logic")
    print(indent(HANDLE, "    "), end="")

    title("Build it with SAM")
    for command in (["sam", "validate", "--lint"], ["sam", "build"]):
        show(shlex.join(command))
        run(*command, cwd=PROJECT)

    title("Run the stack on this machine, and send it four messages")
    process_messages()

    title("What next")
    print('    export PATH="$PWD/.venv/bin:$PATH"   puts cookiecutter, uv and sam on your PATH')
    print("    cookiecutter . --output-dir ..       answer the questions and own a project")
    print("    cd demo/order-events                 or look at the project of this demo; see its README.md")


def process_messages() -> None:
    """Run the stack, send messages with the AWS CLI, and wait for the outcome of each one."""
    show("make local")
    command = [sys.executable, "-m", "sqskit", "local", "--plain"]
    running = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    outcomes: Counter[str] = Counter()
    is_shown = False  # the lines about how to send messages are left out
    try:
        for line in running.stdout or ():
            words = line.split()
            if "aws sqs send-message" in line:
                send_messages(shlex.split(line))
            if is_shown := is_shown or " messages to " in line:
                print(f"    {line}", end="", flush=True)
            if words[:1] in (["done"], ["dead"], ["failed"]):
                outcomes[words[0]] += 1
            if outcomes.total() == len(BODIES) + 1:  # one of them fails first
                break
        show("make local-dead-letters")
        print(indent(run(sys.executable, "-m", "sqskit", "dead-letters", cwd=PROJECT), "    "), end="")
    finally:
        running.send_signal(signal.SIGINT)
    expect(running.wait(), 0, "exit status of the run")
    expect(dict(outcomes), {"done": 3, "failed": 1, "dead": 1}, "outcomes")


def send_messages(command: list[str]) -> None:
    """Send all messages in one call, in the way that `make local` prints for one."""
    begin = command.index("aws")
    variables = dict(word.split("=", 1) for word in command[:begin])
    entries = json.dumps([{"Id": str(n), "MessageBody": body} for n, body in enumerate(BODIES)])
    at = command.index("--message-body")
    aws = ["send-message-batch" if word == "send-message" else word for word in command[begin:at]]
    show("aws sqs send-message-batch …")
    print("".join(f"        {body}\n" for body in BODIES), flush=True)
    run(*aws, "--entries", entries, cwd=PROJECT, **variables)


def title(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def show(command: str) -> None:
    print(f"    $ {command}", flush=True)


def run(*command: str, cwd: Path, **variables: str) -> str:
    """Run a command to its end and return what it printed; end the demo if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{shlex.join(command)} ended with exit status {done.returncode}")
    return done.stdout


def expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        sys.exit(f"error: unexpected {what}: {found!r} instead of {expected!r}")


if __name__ == "__main__":
    main()
