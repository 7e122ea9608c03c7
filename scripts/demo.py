"""The main job from end to end: generate a project, build it, let it process messages from a queue.

Needs no AWS account: the queue is moto's server on loopback. Exits with a status other than 0
when anything comes out differently than it should.
"""

import json
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "demo" / "order-events"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

# Tools come from the environment this script runs in; nothing may reach a real AWS account.
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
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server would log each request

    runtime = this_runtime()
    architecture = ARCHITECTURES.get(platform.machine().lower(), "x86_64")

    title("Generate a project")
    shutil.rmtree(PROJECT.parent, ignore_errors=True)
    answers = [f"runtime={runtime}", f"architecture={architecture}"]
    run("cookiecutter", ".", "--no-input", "--default-config", "--output-dir", "demo", *answers, cwd=ROOT)

    title("Validate and build it with SAM")
    run("sam", "validate", "--lint", cwd=PROJECT)
    run("sam", "build", cwd=PROJECT)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        process_messages(server, runtime)
    finally:
        server.stop()

    title("What next")
    print('    export PATH="$PWD/.venv/bin:$PATH"   cookiecutter, uv and sam are there')
    print("    cd demo/order-events                 the project as its owner gets it, with a README.md")
    print("    cookiecutter . --output-dir ..       answer the questions and own a project of your own")


def process_messages(server: ThreadedMotoServer, runtime: str) -> None:
    """Send one batch with a broken message in it, hand it to the function and settle it as Lambda would."""
    resources = yaml_parse((PROJECT / "template.yaml").read_text("utf-8"))["Resources"]
    function = resources["NewMessageProcessorFunction"]["Properties"]
    mapping = function["Events"]["NewMessageQueue"]["Properties"]

    host, port = server.get_host_and_port()
    title(f"Send three messages to an SQS queue on {host}:{port}, the second one broken")
    sqs = boto3.client("sqs", endpoint_url=f"http://{host}:{port}")
    url = sqs.create_queue(
        QueueName="NewMessageQueue",
        Attributes={"VisibilityTimeout": str(resources["NewMessageQueue"]["Properties"]["VisibilityTimeout"])},
    )["QueueUrl"]
    sample = json.loads((PROJECT / "events" / "one_broken.json").read_text("utf-8"))
    bodies = [record["body"] for record in sample["Records"]]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
        print(f"    {body}")

    title("Receive them as one batch and hand it to the function")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    messages: list[Any] = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(10, mapping["BatchSize"]),
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        WaitTimeSeconds=1,
    )["Messages"]
    expect(sorted(message["Body"] for message in messages), sorted(bodies), "the batch received")
    response = invoke(function["Handler"], runtime, {"Records": [sqs_record(message, arn) for message in messages]})

    title("Delete what succeeded, leave what failed")
    failed = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
    for message in messages:
        if message["MessageId"] in failed:
            print(f"    failed     stays in the queue   {message['Body']}")
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        else:
            print(f"    processed  deleted              {message['Body']}")
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    left = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])["Messages"]
    for message in left:
        count = message["Attributes"]["ApproximateReceiveCount"]
        print(f"\n    Left in the queue, now received {count} times: {message['Body']}")
    expect([message["Body"] for message in left], [bodies[1]], "the messages left in the queue")


def this_runtime() -> str:
    """The Lambda runtime of the Python that runs this, or else the newest one on offer."""
    runtimes: list[str] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["runtime"]
    runtime = "python{}.{}".format(*sys.version_info)
    return runtime if runtime in runtimes else max(runtimes, key=lambda name: int(name.rpartition(".")[2]))


def sqs_record(message: Any, queue_arn: str) -> dict[str, Any]:
    """The record that Lambda makes of a received message."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": "us-east-1",
    }


def invoke(handler: str, runtime: str, event: dict[str, Any]) -> Any:
    """Run the function on an event, in a process of its own; show its log and return its response."""
    script = str(ROOT / "scripts" / "invoke.py")
    runs_here = runtime == "python{}.{}".format(*sys.version_info) and platform.machine().lower() in ARCHITECTURES
    if sys.platform == "linux" and runs_here:
        # The built artifact, and without site-packages: whatever it needs has to be in it.
        artifact = PROJECT / ".aws-sam" / "build" / "NewMessageProcessorFunction"
        command = [sys.executable, "-I", "-S", script, str(artifact), handler]
    else:
        # The artifact holds Linux binaries for its runtime: run the same code from the project's environment.
        command = ["uv", "run", "--quiet", "python", script, "lambdas", handler]
    done = subprocess.run(command, cwd=PROJECT, input=json.dumps(event), capture_output=True, text=True)
    print("".join(f"    {line}\n" for line in done.stderr.splitlines()), end="")
    expect(done.returncode, 0, "the exit status of the function")
    return json.loads(done.stdout)


def title(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def run(*command: str, cwd: Path) -> None:
    print(f"    $ {shlex.join(command)}", flush=True)
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{command[0]} ended with exit status {done.returncode}")


def expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        sys.exit(f"Not as it should be: {what}: {found!r} instead of {expected!r}")


if __name__ == "__main__":
    main()
