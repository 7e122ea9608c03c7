"""The CloudFormation template that moto gets: only what the queues and functions need of it."""

from typing import Any

from sqskit.parameters import type_for_moto

QUEUE = "AWS::SQS::Queue"
FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"

# Of a function. Its worker has no VPC, no layers from AWS and no versions.
USEFUL = ("Handler", "Runtime", "Timeout", "MemorySize", "Environment", "LoggingConfig")


# moto asks for a role, and needs no permissions of it.
ROLE = "RoleOfAllFunctions"


def simplified(template: Any) -> Any:
    """Return a template that moto can deploy. Its functions are called by their logical ids."""
    resources = template["Resources"]
    order = sorted(resources, key=lambda name: rank(resources[name]))
    return {
        **template,
        "Parameters": {
            name: {"Type": type_for_moto(each["Type"])}
            for name, each in template.get("Parameters", {}).items()
        },
        # moto makes them in this order, and looks up the queues of mappings and redrive policies.
        "Resources": {
            ROLE: {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
            **{name: simplified_resource(name, resources) for name in order},
        },
    }


def rank(resource: Any) -> int:
    """Return when a resource is made: dead-letter queues first."""
    if resource["Type"] == QUEUE:
        return int("RedrivePolicy" in resource.get("Properties", {}))
    return {FUNCTION: 2, MAPPING: 3}.get(resource["Type"], 4)


def simplified_resource(name: str, resources: Any) -> Any:
    resource = resources[name]
    properties = resource.get("Properties", {})
    if resource["Type"] == FUNCTION:
        useful = {key: value for key, value in properties.items() if key in USEFUL}
        role = {"Fn::GetAtt": [ROLE, "Arn"]}
        useful |= {"FunctionName": name, "Role": role, "Code": {"ZipFile": "pass"}}
        return {**resource, "Properties": useful}
    if resource["Type"] == MAPPING:
        target = function_of(properties, resources)
        return {**resource, "Properties": {**properties, "FunctionName": target}}
    return resource


def function_of(mapping: Any, resources: Any) -> Any:
    """Return the function of a mapping, even if it names an alias of the function."""
    target = mapping["FunctionName"]
    alias = resources.get(target["Ref"], {}) if "Ref" in target else {}
    is_alias = alias.get("Type") == "AWS::Lambda::Alias"
    return alias["Properties"]["FunctionName"] if is_alias else target
