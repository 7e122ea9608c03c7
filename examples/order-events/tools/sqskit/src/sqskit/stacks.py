"""Stacks in the process of moto: what moto cannot make does not stop the rest.

A resource that moto does not know, or fails to make, becomes a `NotEmulated`; a reference that it
cannot resolve becomes a text such as `not-emulated:Table.StreamArn`. Only queues, functions and
event source mappings must succeed.
"""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.sqs.models import Queue, sqs_backends

from sqskit.parameters import NOT_EMULATED
from sqskit.services import import_service, without_rare_services
from sqskit.simplify import FUNCTION, MAPPING, QUEUE

with without_rare_services():
    from moto.cloudformation import parsing
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import CloudFormationBackend

REFERENCES = {"Ref", "Fn::GetAtt", "Fn::ImportValue"}

# The properties of functions and event source mappings that must be numbers in moto.
NUMBERS = {"BatchSize", "MaximumBatchingWindowInSeconds", "MemorySize", "Timeout"}


class NotEmulated:
    """Stands in for a resource, with readable texts for its attributes."""

    def __init__(self, logical_id: str, type_: str, source: str | None = None) -> None:
        """source: of an event source mapping, if it is not a queue of this AWS."""
        self.logical_resource_id = logical_id
        self.cf_resource_type = type_
        self.physical_resource_id = f"{NOT_EMULATED}{source or logical_id}"

    def get_cfn_attribute(self, name: str) -> str:
        return f"{NOT_EMULATED}{self.logical_resource_id}.{name}"

    def is_created(self) -> bool:
        return True

    def delete(self, *where: str) -> None:
        """Do nothing: there is nothing to delete."""


class NotDeployed(ValidationError):
    """A stack without this resource would be of no use."""


def create_resource(
    logical_id: str, resource: Any, resources: Any, account_id: str, region_name: str
) -> Any:
    """Create a resource of a stack, or what stands in for it."""
    type_ = resource["Type"]
    if not resources.lazy_condition_map.get(resource.get("Condition"), True):
        return None
    try:
        if type_ == MAPPING:
            source = parsing.clean_json(resource["Properties"]["EventSourceArn"], resources)
            queues = sqs_backends[account_id][region_name].queues.values()
            if source not in {queue.queue_arn for queue in queues}:
                return NotEmulated(logical_id, type_, source)
        if is_known(type_):
            return create_known_resource(logical_id, resource, resources, account_id, region_name)
    except NotDeployed:
        raise
    except Exception as error:
        if type_ in {QUEUE, FUNCTION, MAPPING}:
            raise NotDeployed(message=f"{logical_id}: {reason_of(error)}") from error
    return NotEmulated(logical_id, type_)


def is_known(type_: str) -> bool:
    """Tell whether moto knows a type of resource, and import its service."""
    if type_ not in parsing.get_model_map() and import_service(type_):
        for classes in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
            classes.cache_clear()
    return type_ in parsing.get_model_map()


def resolve_resource(logical_id: str, resource: Any, resources: Any) -> Any:
    """Return the class, the resolved properties and the name of a resource.

    As in CloudFormation, a FIFO queue is called `….fifo`, and numbers may be written as texts.
    """
    class_, resolved, name = resolve_any_resource(logical_id, resource, resources)
    properties = resolved["Properties"]
    if resource["Type"] in {FUNCTION, MAPPING}:
        properties |= {key: int(properties[key]) for key in NUMBERS.intersection(properties)}
    if resource["Type"] == MAPPING:
        properties["Enabled"] = is_true(properties.get("Enabled", True))
    if class_ is Queue and "QueueName" not in properties and is_true(properties.get("FifoQueue")):
        name = f"{name[:75]}.fifo"
    return class_, resolved, name


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def resolve(node: Any, resources: Any) -> Any:
    """Return the value of a part of a template; a reference that fails becomes a text."""
    if not isinstance(node, dict) or not REFERENCES.intersection(node):
        return resolve_any(node, resources)
    if "Fn::GetAtt" in node:  # of `${Cache.Endpoint.Port}`, moto forgets the port
        name, *attribute = node["Fn::GetAtt"]
        node = {"Fn::GetAtt": [name, ".".join(map(str, attribute))]}
    try:
        value = resolve_any(node, resources)
    except NotDeployed:
        raise
    except Exception:
        value = node
    return NOT_EMULATED + name_of(value) if value == node else value


def name_of(reference: Any) -> str:
    """Return `Table.Arn` for a reference, or `import:name`."""
    if "Fn::GetAtt" in reference:
        return ".".join(map(str, reference["Fn::GetAtt"]))
    if "Fn::ImportValue" in reference:
        return f"import:{reference['Fn::ImportValue']}"
    return str(reference["Ref"])


def queue_attribute(queue: Queue, name: str) -> Any:
    """Return an attribute of a queue in a template; moto does not know the URL."""
    return queue.physical_resource_id if name == "QueueUrl" else attribute_in_moto(queue, name)


def set_dead_letter_queue(queue: Queue, policy: Any) -> None:
    """Accept a dead-letter queue that is not in this AWS; its messages then stay in the queue."""
    try:
        set_known_dead_letter_queue(queue, policy)
    except ServiceException as error:
        if error.code != "AWS.SimpleQueueService.NonExistentQueue":
            raise


def accept_outputs(resources: Any) -> None:
    """Accept outputs about what is not emulated; in moto, they end the deployment."""


def create_stack(*arguments: Any, **more: Any) -> Any:
    """Create a stack; any fault of moto is an error that a client can read."""
    try:
        return create_any_stack(*arguments, **more)
    except Exception as error:
        raise NotDeployed(message=reason_of(error)) from error


def reason_of(error: Exception) -> str:
    message = getattr(error, "message", None)
    return str(message) if message else f"{type(error).__name__}: {error}"


create_known_resource = parsing.parse_and_create_resource
resolve_any_resource = parsing.parse_resource_and_generate_name
resolve_any = parsing.clean_json
attribute_in_moto = Queue.get_cfn_attribute
set_known_dead_letter_queue = Queue._setup_dlq
create_any_stack = CloudFormationBackend.create_stack


def prepare() -> None:
    """Make moto create stacks in this way."""
    parsing.parse_and_create_resource = create_resource  # type: ignore[assignment]
    parsing.parse_resource_and_generate_name = resolve_resource  # type: ignore[assignment]
    parsing.clean_json = resolve  # type: ignore[assignment]
    parsing.ResourceMap.validate_outputs = accept_outputs  # type: ignore[assignment, method-assign]
    Queue.get_cfn_attribute = queue_attribute  # type: ignore[assignment, method-assign]
    Queue._setup_dlq = set_dead_letter_queue  # type: ignore[assignment, method-assign]
    CloudFormationBackend.create_stack = create_stack  # type: ignore[method-assign]
