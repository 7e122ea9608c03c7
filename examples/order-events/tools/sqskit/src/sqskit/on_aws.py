"""A stack on AWS, as the user's credentials reach it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from sqskit.errors import UserError


@dataclass(frozen=True)
class DeployedStack:
    """What CloudFormation says about a stack."""

    name: str
    outputs: dict[str, str]

    def output(self, name: str) -> str:
        """Return an output. Raises UserError."""
        if name not in self.outputs:
            raise UserError(f"the stack {self.name} has no output {name}")
        return self.outputs[name]


def client(service: str) -> Any:
    """Return a client with the user's profile, region and credentials."""
    return botocore.session.Session().create_client(service)


def deployed(name: str) -> DeployedStack:
    """Return a stack."""
    (found,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = found.get("Outputs", [])
    return DeployedStack(name, {each["OutputKey"]: each["OutputValue"] for each in outputs})


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of AWS into lines for the user. Raises UserError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"AWS says: {error}") from error
