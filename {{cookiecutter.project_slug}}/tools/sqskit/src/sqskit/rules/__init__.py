"""Rules of SQS and Lambda for a stack.

SAM and cfn-lint accept templates that CloudFormation or Lambda only refuse during the deployment,
or that lose messages. Each module has the rules about one part of a stack.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cfnlint.api

from sqskit.handlers import imported
from sqskit.rules import (
    deploy_role,
    environments,
    idempotency,
    mappings,
    metrics,
    queues,
    roles,
    sources,
)
from sqskit.rules.stack import Stack
from sqskit.samconfig import environments_in
from sqskit.template import functions, parsed, read, transformed

UNUSED_PARAMETER = "W2001"


def problems(template: Path, settings: Any = None) -> list[str]:
    """Return what is wrong with a SAM template: broken rules, and what cfn-lint finds.

    settings: those of a handler made with batch_handler, for every function; by default, the
    handler of each function is imported.
    Raises UserError if SAM cannot transform the template, or a handler cannot be imported.
    """
    source = read(template)
    content = transformed(source)
    stack = Stack(content)
    of_functions = {
        name: settings or getattr(imported(template.parent, properties), "settings", None)
        for name, properties in functions(parsed(source))
        if any(event["Type"] == "SQS" for event in properties.get("Events", {}).values())
    }
    linted = cfnlint.api.lint(json.dumps(content, ensure_ascii=False), regions=["us-east-1"])
    return [
        *queues.faults(stack),
        *mappings.faults(stack, of_functions),
        *roles.faults(stack),
        *idempotency.faults(stack, of_functions),
        *sources.faults(stack),
        *metrics.faults(stack),
        *(
            f"{match.rule.id} {match.message}"
            for match in linted
            if match.rule.id != UNUSED_PARAMETER or not is_used(parsed(source), match.path[1])
        ),
    ]


def is_used(template: Any, parameter: str) -> bool:
    """Tell whether a SAM template refers to a parameter; SAM replaces some with their values."""
    return json.dumps({"Ref": parameter}) in json.dumps(template, default=str)


def environment_problems(template: Path) -> list[str]:
    """Return what is wrong with the samconfig.toml beside a SAM template.

    Raises UserError if it cannot be read, or if SAM cannot transform the template.
    """
    stack = Stack(transformed(read(template)))
    return list(environments.faults(stack, environments_in(template.parent / "samconfig.toml")))


def silent_metrics(template: Path, lines: Iterable[logging.LogRecord]) -> list[str]:
    """Return the metric filters of a SAM template that match no line logged for a batch."""
    return metrics.silent(Stack(transformed(read(template))), list(lines))


def missing_permissions(
    template: Path, role: Path, *, also: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Return what the template of a role lacks to deploy a SAM template, or allows without need.

    also: the actions that types of resources need which this tool does not know
    """
    stack, of_role = Stack(transformed(read(template))), Stack(parsed(read(role)))
    return list(deploy_role.faults(stack, of_role, also or {}))
