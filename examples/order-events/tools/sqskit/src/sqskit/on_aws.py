"""A stack on AWS, as the user's credentials reach it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from sqskit.errors import UserError
from sqskit.samconfig import environment


@dataclass(frozen=True)
class DeployedStack:
    """A stack, and what CloudFormation says about it."""

    name: str
    outputs: dict[str, str]
    client: Callable[[str], Any]  # with the profile, region and credentials of the stack

    def output(self, name: str) -> str:
        """Return an output. Raises UserError."""
        if name not in self.outputs:
            raise UserError(f"the stack {self.name} has no output {name}")
        return self.outputs[name]


def deployed(template: Path, env: str) -> DeployedStack:
    """Return the stack of an environment in samconfig.toml. Raises UserError."""
    found = environment(template, env)
    session = botocore.session.Session(profile=found.profile)

    def client(service: str) -> Any:
        return session.create_client(service, region_name=found.region)

    (stack,) = client("cloudformation").describe_stacks(StackName=found.stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    return DeployedStack(found.stack, outputs, client)


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of AWS into lines for the user. Raises UserError."""
    try:
        yield
    except BotoCoreError as error:
        raise UserError(f"AWS cannot be asked: {error}") from error
    except ClientError as error:
        raise UserError(f"AWS says: {error}") from error
