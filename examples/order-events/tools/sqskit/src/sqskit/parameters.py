"""The parameters of a template: their values, and what they are for moto."""

from collections.abc import Mapping
from typing import Any

from sqskit.errors import UserError

IN_PARAMETER_STORE = "AWS::SSM::Parameter::Value<"

# Begins what stands for a resource or value that moto cannot make.
NOT_EMULATED = "not-emulated:"


def parameter_values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return a value for each parameter of a template: the given one, or its default.

    The id of a resource that is not in the stack, such as a VPC, has a placeholder as its default.
    Raises UserError if one has neither, or if a given one does not fit.
    """
    for name, value in given.items():
        if name not in declared:
            raise UserError(f"the template has no parameter {name}, for which there is a value")
        allowed = [text_of(each) for each in declared[name].get("AllowedValues", [value])]
        if value not in allowed:
            raise UserError(f"the parameter {name} must be one of {', '.join(allowed)}")
    values = {
        name: NOT_EMULATED + name for name, each in declared.items() if "AWS::EC2::" in each["Type"]
    }
    values |= {
        name: text_of(each["Default"]) for name, each in declared.items() if "Default" in each
    }
    values |= given
    missing = [name for name in declared if name not in values]
    if missing:
        options = " ".join(f"--parameter {name}=…" for name in missing)
        raise UserError(f"these parameters have no default; give each a value: {options}")
    return values


def type_for_moto(type_: str) -> str:
    """Return a type of parameter that moto takes as it is, without looking for a value."""
    if "List" in type_:
        return "CommaDelimitedList"
    return type_ if type_ == "Number" else "String"


def text_of(value: Any) -> str:
    """Return the text that CloudFormation makes of a value in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)
