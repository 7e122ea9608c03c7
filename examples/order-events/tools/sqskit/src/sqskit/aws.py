"""The embedded AWS: moto's server in a process of its own, and the stack that is deployed to it."""

import json
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from sqskit.environment import REGION, SETTINGS, environment
from sqskit.errors import UserError
from sqskit.template import code_folders, read, transformed

STACK = "local"
SERVER = Path(__file__).with_name("server.py")


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
    folder: Path  # of its code
    handler: str
    timeout: int  # in seconds
    environment: dict[str, str]


@dataclass(frozen=True)
class EventSourceMapping:
    """An event source mapping: hands batches of a queue's messages to a function."""

    queue: Queue
    function: Function
    batch_size: int
    window: int  # how many seconds a batch may grow
    concurrency: int  # how many batches may be processed at the same time
    reports_failures: bool  # the response names the messages that failed


def endpoint_file(root: Path) -> Path:
    """Return the file that holds the address of the embedded AWS while a stack runs."""
    return root / ".local-endpoint"


class Aws:
    """An endpoint that answers as AWS does."""

    def __init__(self, endpoint: str, region: str = REGION) -> None:
        self.endpoint = endpoint
        self.region = region
        self.clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client of a service that ignores the user's profile, region and proxy."""
        if service not in self.clients:
            session = botocore.session.Session({"profile": (None, None, None, None)})
            self.clients[service] = session.create_client(
                service,
                self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=SETTINGS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=SETTINGS["AWS_SECRET_ACCESS_KEY"],
                config=Config(proxies={}),
            )
        return self.clients[service]

    def depth(self, queue_url: str) -> tuple[int, int]:
        """Return how many messages of a queue wait, and how many are being processed."""
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["All"]
        )["Attributes"]
        waiting = int(attributes["ApproximateNumberOfMessages"])
        return waiting, int(attributes["ApproximateNumberOfMessagesNotVisible"])

    def create_stack(self, source: str, known_types: list[str], name: str) -> None:
        """Create the stack of a SAM template without the resources that are not known here.

        Raises UserError.
        """
        template = transformed(source)
        resources = {
            name: resource
            for name, resource in template["Resources"].items()
            if resource["Type"] in known_types
        }
        for logical_id, resource in resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["FunctionName"] = logical_id  # the key of its code folder
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                resource["Properties"]["Enabled"] = False  # moto must not poll the queue itself
        skipped = template["Resources"].keys() - resources.keys()
        template["Resources"] = resources
        template["Outputs"] = {
            name: output
            for name, output in template.get("Outputs", {}).items()
            if not skipped.intersection(re.findall(r"\w+", json.dumps(output)))
        }
        s3 = self.client("s3")
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket="bucket", **(elsewhere if self.region != REGION else {}))
        s3.put_object(Bucket="bucket", Key="code", Body=b"")
        try:
            self.client("cloudformation").create_stack(
                StackName=name, TemplateBody=json.dumps(template)
            )
        except ClientError as error:
            raise UserError(f"cannot deploy the template: {error}") from error

    def mappings(self, template: Path) -> list[EventSourceMapping]:
        """Return the event source mappings of a SAM template that is deployed. Raises UserError."""
        found = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        folders = code_folders(read(template), template.parent)
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
            raise UserError(f"the CodeUri of {name} is not a folder: {folders[name]}")
        function = self.client("lambda").get_function_configuration(FunctionName=name)
        variables = function.get("Environment", {}).get("Variables", {})
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
                environment={key: str(value) for key, value in variables.items()},
            ),
            batch_size=mapping["BatchSize"],
            window=mapping.get("MaximumBatchingWindowInSeconds", 0),
            concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000),
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        )


def running_stack(template: Path) -> tuple[Aws, list[EventSourceMapping]]:
    """Return the AWS that runs the stack of a template, and its mappings. Raises UserError."""
    try:
        aws = Aws(endpoint_file(template.parent).read_text("utf-8"))
        return aws, aws.mappings(template)
    except (OSError, EndpointConnectionError) as error:
        raise UserError("no local stack is running here; start it with `make local`") from error


class EmbeddedAws(Aws):
    """A server on loopback, for the time of a `with` statement."""

    def __init__(self, port: int = 0) -> None:
        """Start the server at a port; 0 is any free one. Raises UserError if the port is in use."""
        # It ends when its standard input does, so that it cannot outlive this process.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER), str(port)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C must not reach it
        )
        assert self.process.stdout
        started = self.process.stdout.readline()
        if not started:
            raise UserError(f"port {port} is in use; give --port another one, or leave it out")
        endpoint, self.known_types = json.loads(started)
        super().__init__(endpoint)

    def deploy(self, template: Path) -> list[EventSourceMapping]:
        """Deploy a SAM template, and return its event source mappings. Raises UserError."""
        self.create_stack(read(template), self.known_types, STACK)
        return self.mappings(template)

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
