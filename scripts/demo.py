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

from scripts.machine import ARCHITECTURE, RUNTIME

ROOT = Path(__file__).parents[1]
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


def main() -> None:
    os.environ.pop("AWS_PROFILE", None)
    os.environ.update(AWS_LIKE)

    title("Generate a project")
    shutil.rmtree(PROJECT.parent, ignore_errors=True)
    answers = [f"runtime={RUNTIME}", f"architecture={ARCHITECTURE}"]
    PROJECT.parent.mkdir()
    config = PROJECT.parent / "cookiecutter.yaml"  # keeps these answers out of the user's next --replay
    config.write_text(f"replay_dir: {json.dumps(str(PROJECT.parent / 'replay'))}\n", "utf-8")
    options = ["--no-input", "--config-file", "demo/cookiecutter.yaml", "--output-dir", "demo"]
    run("cookiecutter", ".", *options, *answers, cwd=ROOT)

    title("Validate and build it with SAM")
    run("sam", "validate", "--lint", cwd=PROJECT)
    run("sam", "build", cwd=PROJECT)

    title("Run the stack of its template.yaml on this machine")
    process_messages()

    title("What next")
    print('    export PATH="$PWD/.venv/bin:$PATH"   puts cookiecutter, uv and sam on your PATH')
    print("    cd demo/order-events                 the project as its owner gets it; see its README.md")
    print("    cookiecutter . --output-dir ..       answer the questions and own a project")


def process_messages() -> None:
    """Run the stack, send messages with the AWS CLI, and wait for the outcome of each one."""
    command = [sys.executable, "-m", "sqskit", "local", "--plain", "--retry-after", "1"]
    print("    $ make local ARGS='--plain --retry-after 1'\n", flush=True)
    running = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    outcomes: Counter[str] = Counter()
    try:
        for line in running.stdout or ():
            print(f"    {line}", end="", flush=True)
            words = line.split()
            if "aws sqs send-message" in line:
                send_messages(shlex.split(line))
            if words[:1] in (["done"], ["dead"]):
                outcomes[words[0]] += 1
            if line.endswith(": 1 dead letter\n"):
                break
    finally:
        running.send_signal(signal.SIGINT)
    expect(running.wait(), 0, "exit status of the run")
    expect(dict(outcomes), {"done": 3, "dead": 1}, "outcomes")

    title("Outcome")
    print("    3 good messages     processed once each, and deleted")
    print("    1 broken message    a dead letter at once, with its reason")


def send_messages(command: list[str]) -> None:
    """Send three good messages and a broken one, with the command that `make local` prints."""
    begin = command.index("aws")
    variables = dict(word.split("=", 1) for word in command[:begin])
    for body in ('{"orderId": "order-1"}', '{"orderId": "order-2"}', '{"orderId": "order-3"}', '{"orderId": 7}'):
        aws = [*command[begin:-1], body]
        print(f"    $ aws sqs send-message … --message-body {shlex.quote(body)}", flush=True)
        done = subprocess.run(aws, cwd=PROJECT, env={**os.environ, **variables}, capture_output=True, text=True)
        expect((done.returncode, done.stderr), (0, ""), "result of the AWS CLI")
    print()


def title(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def run(*command: str, cwd: Path) -> None:
    print(f"    $ {shlex.join(command)}", flush=True)
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{command[0]} ended with exit status {done.returncode}")


def expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        sys.exit(f"error: unexpected {what}: {found!r} instead of {expected!r}")


if __name__ == "__main__":
    main()
