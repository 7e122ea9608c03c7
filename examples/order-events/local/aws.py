"""The embedded AWS: moto's server in a process of its own, and what of the stack it is given."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from local.template import ROOT, BadTemplate, code_folders, transformed

REGION = "us-east-1"
STACK = "local"

# What the AWS CLI and boto3 need to reach it. Its keys are not checked.
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
}


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that is to know of no other AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | SETTINGS | more


class LocalError(Exception):
    """What the person who runs this can mend. The text says how."""


@dataclass(frozen=True)
class Queue:
    """An SQS queue."""

    url: str
    arn: str
    visibility_timeout: int  # in seconds
    dead_letter_url: str | None
    max_receive_count: int | None

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def is_fifo(self) -> bool:
        return self.arn.endswith(".fifo")


@dataclass(frozen=True)
class Function:
    """A Lambda function."""

    name: str
    folder: Path  # with its code
    handler: str
    timeout: int  # in seconds
    environment: dict[str, str]


@dataclass(frozen=True)
class EventSourceMapping:
    """An event source mapping: batches of a queue's messages go to a function."""

    queue: Queue
    function: Function
    batch_size: int
    window: int  # the seconds in which a batch may grow
    concurrency: int  # the most batches at the same time
    reports_failures: bool  # the response says which messages failed


class Aws:
    """What answers at an endpoint as AWS would."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client of a service, whatever profile, region or proxy the environment names."""
        if service not in self.clients:
            # Without a variable to read it from, there is no profile.
            session = botocore.session.Session({"profile": (None, None, None, None)})
            self.clients[service] = session.create_client(
                service,
                REGION,
                endpoint_url=self.endpoint,
                aws_access_key_id=SETTINGS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=SETTINGS["AWS_SECRET_ACCESS_KEY"],
                config=Config(proxies={}),
            )
        return self.clients[service]

    def depth(self, queue_url: str) -> tuple[int, int]:
        """How many messages of a queue wait, and how many are being processed."""
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["All"]
        )["Attributes"]
        waiting = int(attributes["ApproximateNumberOfMessages"])
        return waiting, int(attributes["ApproximateNumberOfMessagesNotVisible"])

    def deploy(self, source: str, known_types: list[str]) -> list[EventSourceMapping]:
        """Deploy of a SAM template what is known here. Raises LocalError."""
        try:
            template = transformed(source)
        except BadTemplate as error:
            raise LocalError(f"template.yaml cannot be transformed: {error}") from error
        resources = {
            name: resource
            for name, resource in template["Resources"].items()
            if resource["Type"] in known_types
        }
        for name, resource in resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["FunctionName"] = name  # by which its code is found
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                resource["Properties"]["Enabled"] = False  # or moto would poll in its own way
        # Outputs may refer to what was left out.
        template |= {"Resources": resources, "Outputs": {}}
        self.client("s3").create_bucket(Bucket="bucket")
        self.client("s3").put_object(Bucket="bucket", Key="code", Body=b"")
        try:
            self.client("cloudformation").create_stack(
                StackName=STACK, TemplateBody=json.dumps(template)
            )
        except ClientError as error:
            raise LocalError(f"template.yaml cannot be deployed: {error}") from error
        return self.mappings(source)

    def mappings(self, source: str) -> list[EventSourceMapping]:
        """The event source mappings of a SAM template, as deployed."""
        found = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        folders = code_folders(source)
        return [self._mapping(mapping, folders) for mapping in found]

    def _mapping(self, mapping: Any, folders: dict[str, Path]) -> EventSourceMapping:
        sqs = self.client("sqs")

        def url_of(arn: str) -> str:
            url: str = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            return url

        url = url_of(mapping["EventSourceArn"])
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
        dead_letters = redrive.get("deadLetterTargetArn")
        name = mapping["FunctionArn"].rpartition(":")[2]
        if not folders[name].is_dir():
            raise LocalError(f"the CodeUri of {name} is no folder: {folders[name]}")
        function = self.client("lambda").get_function_configuration(FunctionName=name)
        return EventSourceMapping(
            queue=Queue(
                url=url,
                arn=mapping["EventSourceArn"],
                visibility_timeout=int(attributes["VisibilityTimeout"]),
                dead_letter_url=dead_letters and url_of(dead_letters),
                max_receive_count=redrive.get("maxReceiveCount"),
            ),
            function=Function(
                name=name,
                folder=folders[name],
                handler=function["Handler"],
                timeout=function["Timeout"],
                environment=function.get("Environment", {}).get("Variables", {}),
            ),
            batch_size=mapping["BatchSize"],
            window=mapping.get("MaximumBatchingWindowInSeconds", 0),
            concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000),
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        )


class EmbeddedAws(Aws):
    """A server on loopback, until the end of its `with` statement."""

    def __init__(self, port: int = 0) -> None:
        """Start it at a port, or at a free one. Raises LocalError where the port is in use."""
        # It ends when its standard input does, so that it cannot outlive this process.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.server", str(port)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is not for it
        )
        assert self.process.stdout
        started = self.process.stdout.readline()
        if not started:
            raise LocalError(f"port {port} cannot be used; give --port another one, or none")
        endpoint, self.known_types = json.loads(started)
        super().__init__(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()  # waits for it
