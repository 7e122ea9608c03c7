"""A CloudFormation template, as the rules look at it."""

import re
from collections.abc import Iterator
from typing import Any


class Stack:
    """The resources and parameters of a CloudFormation template."""

    def __init__(self, template: Any) -> None:
        self.resources: dict[str, Any] = template["Resources"]
        self.parameters: dict[str, Any] = template.get("Parameters", {})

    def of_type(self, type_: str) -> Iterator[tuple[str, Any]]:
        """Yield the logical id and the properties of each resource of a type."""
        for name, resource in self.resources.items():
            if resource["Type"] == type_:
                yield name, resource.get("Properties", {})

    def named(self, value: Any) -> str | None:
        """Return the logical id of the resource that a Ref, a GetAtt or a Sub names, if it does."""
        if not isinstance(value, dict):
            return None
        name = value.get("Ref")
        if "Fn::GetAtt" in value:
            target = value["Fn::GetAtt"]
            name = target.partition(".")[0] if isinstance(target, str) else target[0]
        elif sub := re.fullmatch(r"\$\{(\w+)(\.Arn)?}", str(value.get("Fn::Sub"))):
            name = sub[1]
        if name not in self.resources:
            return None
        if self.resources[name]["Type"] == "AWS::Lambda::Alias":
            return self.named(self.resources[name]["Properties"]["FunctionName"])
        return str(name)

    def referred(self, value: Any) -> Any:
        """Return the properties of the resource that a value names; None if it names none."""
        name = self.named(value)
        return self.resources[name].get("Properties", {}) if name else None

    def value(self, value: Any) -> Any:
        """Return a value, or the default of the parameter that it refers to."""
        if isinstance(value, dict) and value.get("Ref") in self.parameters:
            return self.parameters[value["Ref"]].get("Default")
        return value

    def number(self, properties: Any, name: str, default: int) -> int:
        """Return a property that is a number, or the default of its parameter."""
        try:
            return int(self.value(properties.get(name)))
        except Exception:  # there is none, or only AWS knows it
            return default
