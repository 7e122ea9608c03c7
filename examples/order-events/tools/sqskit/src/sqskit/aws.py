"""The embedded AWS: moto's server in a process of its own, and the stack that is deployed to it."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from sqskit import notes
from sqskit.address import running_at
from sqskit.code import Code, code_of_functions
from sqskit.environment import REGION, SETTINGS
from sqskit.errors import UserError
from sqskit.filters import read_pattern
from sqskit.mapping import EventSourceMapping, Function, Queue
from sqskit.parameters import NOT_EMULATED, parameter_values, text_of
from sqskit.server_process import ServerProcess
from sqskit.simplify import simplified
from sqskit.template import parsed, read, transformed

STACK = "local"


@dataclass(frozen=True)
class Depth:
    """How many messages of a queue wait, are being processed, and are dead letters."""

    queue: Queue
    waiting: int
    in_flight: int
    dead: int | None  # None without a dead-letter queue


class Aws:
    """An endpoint that answers as AWS does."""

    def __init__(self, endpoint: str, region: str = REGION) -> None:
        self.endpoint = endpoint
        self.region = region
        # It ignores the user's profile. All clients share it, because it reads long files.
        self.session = botocore.session.Session({"profile": (None, None, None, None)})
        self.clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client of a service that ignores the user's profile, region and proxy."""
        if service not in self.clients:
            self.clients[service] = self.session.create_client(
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

    def depths(self, mappings: Iterable[EventSourceMapping]) -> list[Depth]:
        """Return the depth of each queue."""
        return [
            Depth(
                queue,
                *self.depth(queue.url),
                dead=sum(self.depth(queue.dead_letter_url)) if queue.dead_letter_url else None,
            )
            for queue in dict.fromkeys(mapping.queue for mapping in mappings)
        ]

    def create_stack(self, source: str, name: str, parameters: Mapping[str, str]) -> Any:
        """Create the stack of a SAM template, and return the template that SAM makes of it.

        parameters: the values of those without a default, and of any others. Raises UserError.
        """
        template = transformed(source, parameters)
        values = parameter_values(template.get("Parameters", {}), parameters)
        try:
            self.client("cloudformation").create_stack(
                StackName=name,
                TemplateBody=json.dumps(simplified(template)),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value} for key, value in values.items()
                ],
            )
        except ClientError as error:
            reason = " ".join(error.response["Error"]["Message"].split())
            raise UserError(f"cannot deploy the template: {reason}") from error
        return template

    def not_emulated(self, stack: str) -> dict[str, str]:
        """Return what stands for each resource of a stack that moto cannot make."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"].removeprefix(NOT_EMULATED)
            for each in found["StackResources"]
            if each.get("PhysicalResourceId", "").startswith(NOT_EMULATED)
        }

    def mappings(self, template: Path) -> list[EventSourceMapping]:
        """Return the event source mappings of a SAM template that run here. Raises UserError."""
        found = self.all_mappings(code_of_functions(parsed(read(template)), template.parent))
        return [mapping for mapping in found if isinstance(mapping, EventSourceMapping)]

    def all_mappings(self, code: dict[str, Code | str]) -> list[EventSourceMapping | str]:
        """Return the event source mappings that are deployed, or a line if one does not run here.

        code: of each function. Raises UserError.
        """
        found = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return [self._mapping(mapping, code) for mapping in found]

    def _mapping(self, mapping: Any, code: dict[str, Code | str]) -> EventSourceMapping | str:
        queue = self._queue(mapping["EventSourceArn"])
        function = self._function(mapping["FunctionArn"].rpartition(":")[2], code)
        if isinstance(function, str):
            return function
        if mapping["State"] == "Disabled":
            return f"{function.name} gets no messages from {queue.name}: its event is disabled."
        filters = mapping.get("FilterCriteria", {}).get("Filters", [])
        return EventSourceMapping(
            queue=queue,
            function=function,
            batch_size=mapping["BatchSize"],
            window=mapping.get("MaximumBatchingWindowInSeconds", 0),
            concurrency=int(mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)),
            reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
            filters=tuple(read_pattern(each["Pattern"], function.name) for each in filters),
        )

    def _queue(self, arn: str) -> Queue:
        url = self._queue_url(arn)
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
        return Queue(
            url=str(url),
            arn=arn,
            visibility_timeout=int(attributes["VisibilityTimeout"]),
            dead_letter_url=self._queue_url(redrive.get("deadLetterTargetArn", "")),
            max_receive_count=redrive.get("maxReceiveCount"),
        )

    def _queue_url(self, arn: str) -> str | None:
        """Return the URL of a queue, if it is here."""
        sqs = self.client("sqs")
        with suppress(sqs.exceptions.QueueDoesNotExist):
            url: str = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            return url
        return None

    def _function(self, name: str, code: dict[str, Code | str]) -> Function | str:
        """Return a function, or a line if it cannot run here. Raises UserError."""
        own = code.get(name, "it is not an AWS::Serverless::Function")
        if isinstance(own, str):
            return f"{name} is not run here: {own}."
        function = self.client("lambda").get_function_configuration(FunctionName=name)
        runtime = function.get("Runtime", "missing")
        if not runtime.startswith("python"):
            return f"{name} is not run here: its runtime is {runtime}, not Python."
        if not own.folder.is_dir():
            raise UserError(f"the CodeUri of {name} is not a folder: {own.folder}")
        variables = function.get("Environment", {}).get("Variables", {})
        environment = {key: text_of(value) for key, value in variables.items()}
        if own.layers:
            paths = [*map(str, own.layers), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        return Function(
            name=name,
            folder=own.folder,
            handler=function["Handler"].replace("/", "."),  # as Lambda does
            timeout=function["Timeout"],
            memory_size=function["MemorySize"],
            runtime=runtime,
            arn=function["FunctionArn"],
            environment=environment,
        )


def running_stack(template: Path) -> tuple[Aws, list[EventSourceMapping]]:
    """Return the AWS that runs the stack of a template, and its mappings. Raises UserError."""
    endpoint = running_at(template)
    if not endpoint:
        raise UserError("no local stack is running here; start it with `make local`")
    aws = Aws(endpoint)
    mappings = aws.mappings(template)
    if not mappings:
        raise UserError(f"the stack at {endpoint} has another template; name it with --template")
    return aws, mappings


class EmbeddedAws(Aws):
    """A server on loopback, for the time of a `with` statement."""

    def __init__(self, server: ServerProcess | None = None) -> None:
        """Wait for a server that has been started, or start one. Raises UserError."""
        self.server = server or ServerProcess()
        self.notes: list[str] = []
        super().__init__(self.server.address())

    def deploy(
        self, template: Path, parameters: Mapping[str, str] | None = None, name: str = STACK
    ) -> list[EventSourceMapping]:
        """Deploy a SAM template, and return the event source mappings that run here.

        `notes` then has the lines about what is not as on AWS. Raises UserError, also if there is
        no mapping to run.
        """
        source = read(template)
        stack = self.create_stack(source, name, parameters or {})
        sam = parsed(source)
        code = code_of_functions(sam, template.parent)
        found = self.all_mappings(code)
        running = [mapping for mapping in found if isinstance(mapping, EventSourceMapping)]
        left_out = self.not_emulated(name)
        idle = [line for line in found if isinstance(line, str)]
        idle += notes.foreign_queues(stack, left_out)
        if not running:
            reasons = " ".join(dict.fromkeys(idle)) or "No function has an SQS event."
            raise UserError(f"nothing can run here. {reasons}".removesuffix("."))
        self.notes = list(dict.fromkeys(idle))
        self.notes += notes.shared_queues(running)
        self.notes += notes.missing_dead_letter_queues(running)
        for function in {mapping.function.name: mapping.function for mapping in running}.values():
            self.notes += notes.missing_layers(function, code)
            self.notes += notes.placeholders(function)
        self.notes += notes.names_in_parameter_store(stack, parameters or {})
        self.notes += notes.not_emulated(sam, stack, left_out)
        return running

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.kill()
