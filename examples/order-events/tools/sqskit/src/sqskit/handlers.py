"""The handlers of functions, imported as Lambda does, but away from AWS."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqskit.environment import close_aws
from sqskit.errors import UserError


def imported(root: Path, properties: Any) -> Any:
    """Return the handler of a function.

    root: the folder of the template. properties: of the function in it. Raises UserError.
    """
    folder = str(root / properties["CodeUri"])
    handler = properties["Handler"]
    module, _, name = handler.rpartition(".")
    sys.path.insert(0, folder)
    try:
        with closed_environment(properties.get("Environment", {}).get("Variables", {})):
            return getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"cannot import {handler}: {reason}") from error
    finally:
        sys.path.remove(folder)


@contextmanager
def closed_environment(variables: dict[str, Any]) -> Iterator[None]:
    """Give the variables of a function to code that is imported, and keep it away from AWS.

    A value that only CloudFormation knows is replaced by the name of its variable.
    """
    before = dict(os.environ)
    close_aws()
    os.environ.update(
        {name: name if isinstance(value, dict) else str(value) for name, value in variables.items()}
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
