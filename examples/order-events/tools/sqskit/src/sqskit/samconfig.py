"""The environments in samconfig.toml, with the stack that each one deploys."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqskit.errors import UserError


@dataclass(frozen=True)
class Environment:
    """A stack, and where it is; without a region or a profile, those of the shell apply."""

    stack: str
    region: str | None
    profile: str | None


def environment(template: Path, name: str) -> Environment:
    """Return an environment of the samconfig.toml beside the template. Raises UserError."""
    environments = environments_in(template.parent / "samconfig.toml")
    if name not in environments:
        raise UserError(
            f"samconfig.toml has no environment {name}; it has {', '.join(environments) or 'none'}"
        )
    settings = settings_of(environments[name])
    if not settings.get("stack_name"):
        raise UserError(
            f"samconfig.toml has no stack_name for {name}; write one below "
            f"[{name}.global.parameters]"
        )
    return Environment(settings["stack_name"], settings.get("region"), settings.get("profile"))


def environments_in(file: Path) -> dict[str, Any]:
    """Return the environments of a samconfig.toml by their names. Raises UserError."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {file}; it says which stack an environment is") from error
    except ValueError as error:
        raise UserError(f"{file.name} is not valid TOML: {error}") from error
    return {name: value for name, value in content.items() if isinstance(value, dict)}


def settings_of(environment: Any) -> dict[str, Any]:
    """Return what applies to `sam deploy`: its own settings before those of every command."""
    settings: dict[str, Any] = {}
    for command in ("global", "deploy"):
        settings |= environment.get(command, {}).get("parameters", {})
    return settings
