"""What an answer may be: one check for each question, and the names that follow from an answer.

A check takes all answers given so far and returns its faults, one line each; none when the
answer is good.
"""

import json
import keyword
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cookiecutter.exceptions import FailedHookException
from slugify import slugify

from local_extensions.faults import quoted
from local_extensions.field_types import Message, snake_case
from local_extensions.message_fields import FieldFaults, parse_fields
from local_extensions.message_module import is_taken

# A template's description has at most 1,024 bytes, and a character at most 4.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-description-structure.html
LONGEST_PROJECT_NAME = 256

# A CloudFormation stack name: letters, digits and hyphens, a letter first. The same text is the name
# of a folder, and of a Python project, which may not end in a hyphen.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
LONGEST_SLUG = 50
_STACK_NAME = re.compile(rf"[A-Za-z]([A-Za-z0-9-]{{0,{LONGEST_SLUG - 2}}}[A-Za-z0-9])?")

# Folders cannot have these names on Windows.
_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
LONGEST_QUEUE_NAME = 80

# CloudFormation's logical ids (NewMessageQueue) are ASCII letters and digits only.
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")

# The lines of the generated tests that name the module then fit into 100 characters.
LONGEST_MODULE = 33

# Modules the generated project has beside the one of the message, and what it has unit tests of.
TAKEN_MODULES = frozenset({"requirements", "schema", "sqs", "sqs_async", "template"})

# Lambda's limits.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
LARGEST_BATCH = {"standard": 10_000, "fifo": 10}


class BadAnswers(FailedHookException):
    """An answer that cannot work; the text is what the user sees.

    Cookiecutter and `sam init` print a FailedHookException as it is and exit with status 1.
    """


def project_slug(project_name: str) -> str:
    """The slug that a project name suggests: itself where it can be one."""
    if _STACK_NAME.fullmatch(project_name) and project_name.lower() not in _DEVICES:
        return project_name
    words = slugify(project_name)
    if not words[:1].isalpha() or words in _DEVICES:
        words = f"sqs-{words}"
    return words[:LONGEST_SLUG].strip("-")


def message(answers: Mapping[str, Any]) -> Message:
    """The message that the answers describe. Raises FieldFaults."""
    return Message(answers["message_name"], parse_fields(answers["message_fields"], answers["message_name"]))


def _project_name_faults(answers: Mapping[str, Any]) -> list[str]:
    name = str(answers["project_name"])
    if not name.strip() or not name.isprintable():
        return [f"{quoted(name)} is no project name; allowed: printable characters on one line"]
    if len(name) > LONGEST_PROJECT_NAME:
        return [f"{quoted(name)} has {len(name)} characters; allowed: {LONGEST_PROJECT_NAME}"]
    return []


def _project_slug_faults(answers: Mapping[str, Any]) -> list[str]:
    slug = str(answers["project_slug"])
    if not _STACK_NAME.fullmatch(slug):
        return [
            f"{quoted(slug)} is no CloudFormation stack name; allowed: up to {LONGEST_SLUG} letters, digits and "
            "hyphens, a letter first and no hyphen last"
        ]
    if slug.lower() in _DEVICES:
        return [f"{quoted(slug)} is a device on Windows, and no folder can have its name; choose another (sqs-{slug})"]
    return []


def _message_name_faults(answers: Mapping[str, Any]) -> list[str]:
    name = str(answers["message_name"])
    if not _CLASS_NAME.fullmatch(name):
        return [f"{quoted(name)} is no class name; allowed: letters and digits, a capital letter first (OrderPlaced)"]
    module = snake_case(name)
    if is_taken(name):
        return [f"{quoted(name)} already means something in the generated modules; choose another (Order{name})"]
    if keyword.iskeyword(module) or module in TAKEN_MODULES:
        return [f"{quoted(name)} gives the module name {module}, which is taken; choose another (Order{name})"]
    if len(module) > LONGEST_MODULE:
        return [f"{quoted(name)} gives a module name of {len(module)} characters; allowed: at most {LONGEST_MODULE}"]
    queue = f"{answers.get('project_slug', '')}-{name}Queue.fifo"
    if len(queue) > LONGEST_QUEUE_NAME:
        return [
            f"{quoted(name)} and the project_slug give the queue name {queue}; allowed: {LONGEST_QUEUE_NAME} characters"
        ]
    return []


def _message_fields_faults(answers: Mapping[str, Any]) -> list[str]:
    try:
        parse_fields(str(answers["message_fields"]), str(answers.get("message_name")))
    except FieldFaults as error:
        return error.faults
    return []


def _batch_size_faults(answers: Mapping[str, Any]) -> list[str]:
    size = str(answers["batch_size"])
    queue_type = answers.get("queue_type", "standard")
    largest = LARGEST_BATCH.get(queue_type, 0)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", size, re.ASCII) or int(size) > largest:
        return [f"{quoted(size)} is no batch size of a {queue_type} queue; allowed: a whole number from 1 to {largest}"]
    return []


CHECKS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "project_name": _project_name_faults,
    "project_slug": _project_slug_faults,
    "message_name": _message_name_faults,
    "message_fields": _message_fields_faults,
    "batch_size": _batch_size_faults,
}


def check(answers: Mapping[str, Any], question: str) -> str:
    """Check one answer while the questions are asked. Returns "", raises BadAnswers."""
    if question in answers:  # a replay asks only what its file lacks, and leaves the rest to check_all
        _refuse(_faults(answers, question))
    return ""


def check_all(answers: Mapping[str, Any]) -> str:
    """Check answers that nobody asked for: a replay file may hold anything.

    Returns "", raises BadAnswers with the faults of every answer.
    """
    faults = [fault for question in CHECKS for fault in _faults(answers, question)]
    for question, allowed in choices().items():
        if answers[question] not in allowed:
            faults.append(f"{question}: {quoted(answers[question])} is no choice; allowed: {', '.join(allowed)}")
    module = snake_case(str(answers["message_name"]))
    if answers["__message_module"] != module:
        faults.append(
            f"__message_module: {quoted(answers['__message_module'])} does not follow from message_name: {module}"
        )
    _refuse(faults)
    return ""


def _faults(answers: Mapping[str, Any], question: str) -> list[str]:
    return [f"{question}: {fault}" for fault in CHECKS[question](answers)]


def choices() -> dict[str, list[str]]:
    """The questions of cookiecutter.json that are answered by a choice."""
    questions = json.loads((Path(__file__).parents[1] / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: default for name, default in questions.items() if isinstance(default, list) and name[0] != "_"}


def _refuse(faults: list[str]) -> None:
    if faults:
        raise BadAnswers("\n".join(faults))
