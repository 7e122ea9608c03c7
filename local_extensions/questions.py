"""The checks of the answers, one for each question, and the names that are derived from them.

A check gets all answers given so far. It returns a line for each fault, and none if the answer is good.
"""

import json
import keyword
import math
import re
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from cookiecutter.exceptions import FailedHookException
from slugify import slugify

from local_extensions import asking
from local_extensions.fields import FieldFaults, parse_message
from local_extensions.fields.faults import quoted
from local_extensions.fields.key import KeyField, parse_key
from local_extensions.fields.model import Kinds, Message
from local_extensions.fields.names import is_taken, pascal_case, python_name, snake_case
from local_extensions.fields.pasted import is_json, read_json
from local_extensions.fields.sample import samples_in
from local_extensions.fields.schema import is_schema
from local_extensions.output.example import examples as examples_of

# A template's description may have 1,024 bytes, and a character has up to 4.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-description-structure.html
LONGEST_PROJECT_NAME = 256

# A CloudFormation stack name has letters, digits and hyphens, and a letter first. It is also the name of a
# folder and of a Python project, which may not end in a hyphen.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
LONGEST_SLUG = 50
_STACK_NAME = re.compile(rf"[A-Za-z]([A-Za-z0-9-]{{0,{LONGEST_SLUG - 2}}}[A-Za-z0-9])?")

# Windows reserves these names.
_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
LONGEST_QUEUE_NAME = 80

# CloudFormation's logical ids, such as NewMessageQueue, consist of ASCII letters and digits.
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")

# The generated lines that name the module fit into 100 characters.
LONGEST_MODULE = 33

# The modules and tests of the generated project that are not named after the message.
TAKEN_MODULES = frozenset({"contract", "delivery", "local", "requirements", "shared", "sqs", "stack"})

# Lambda's limits.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
LARGEST_BATCH = {"standard": 10_000, "fifo": 10}


class BadAnswers(FailedHookException):
    """An invalid answer. The text is what the user sees.

    Cookiecutter and `sam init` print a FailedHookException as it is, and exit with status 1.
    """


def project_slug(answers: Mapping[str, Any]) -> str:
    """Return the slug that the project name suggests: the name itself if it is a valid slug."""
    project_name = str(_known(answers)["project_name"])
    if _STACK_NAME.fullmatch(project_name) and project_name.lower() not in _DEVICES:
        return project_name
    words = slugify(project_name)
    if not words[:1].isalpha() or words in _DEVICES:
        words = f"sqs-{words}"
    return words[:LONGEST_SLUG].strip("-")


def message_module(answers: Mapping[str, Any]) -> str:
    """Return the name of the module with the message class."""
    return snake_case(str(_known(answers)["message_name"]))


def _known(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers so far, with those of the replay file, which are not among them yet."""
    return {**asking.replayed(), **answers}


def folder(answers: Mapping[str, Any]) -> str:
    """Return the path of the project for a shell, from where cookiecutter was started."""
    return asking.path_from_here(Path(answers.get("_output_dir", "."), answers["project_slug"]))


def timeout(answers: Mapping[str, Any]) -> int:
    """Return the function's timeout in seconds: 30 ms for each message of a full batch, and at least 10 s."""
    return max(10, math.ceil(int(answers["batch_size"]) * 0.03))


def message(answers: Mapping[str, Any]) -> Message | Kinds:
    """Return the message that the answers describe. Raises FieldFaults."""
    return parse_message(_fields(answers), answers["message_name"])


def idempotency_key(answers: Mapping[str, Any]) -> tuple[KeyField, ...]:
    """Return the fields that tell messages apart; none without idempotency. Raises FieldFaults."""
    text = answers["idempotency_key"]
    return parse_key(text, message(answers)) if text else ()


def examples(answers: Mapping[str, Any]) -> list[Any]:
    """Return the example bodies: the pasted samples, or those made for the fields. Raises FieldFaults."""
    text = _fields(answers)
    if is_json(text) and not is_schema(value := read_json(text)):
        return samples_in(value)
    return examples_of(message(answers))


def _fields(answers: Mapping[str, Any]) -> str:
    """Return the fields as text. In a replay file, a sample or a schema can be plain JSON."""
    fields = answers["message_fields"]
    return json.dumps(fields, ensure_ascii=False) if isinstance(fields, dict | list) else str(fields)


def _project_name_faults(answers: Mapping[str, Any]) -> list[str]:
    name = answers["project_name"]
    if not isinstance(name, str):  # in a replay file
        return [f"{name} is not text; put it in quotes"]
    if not name.strip() or not name.isprintable():
        return [f"{quoted(name)} is not a valid project name; use printable characters on one line"]
    if len(name) > LONGEST_PROJECT_NAME:
        return [f"{quoted(name)} has {len(name)} characters; the limit is {LONGEST_PROJECT_NAME}"]
    return []


def _project_slug_faults(answers: Mapping[str, Any]) -> list[str]:
    slug = str(answers["project_slug"])
    if not _STACK_NAME.fullmatch(slug):
        return [
            f"{quoted(slug)} is not a valid CloudFormation stack name; use up to {LONGEST_SLUG} letters, digits and "
            "hyphens, with a letter first and no hyphen last"
        ]
    if slug.lower() in _DEVICES:
        return [f"{quoted(slug)} is reserved on Windows; use another name, such as sqs-{slug}"]
    return []


def _message_name_faults(answers: Mapping[str, Any]) -> list[str]:
    name = str(answers["message_name"])
    if not _CLASS_NAME.fullmatch(name):
        better = pascal_case(python_name(name))
        example = better if _CLASS_NAME.fullmatch(better) and name.strip() else "OrderPlaced"
        return [f"{quoted(name)} is not a valid class name in PascalCase; try {example}"]
    module = snake_case(name)
    if is_taken(name):
        return [f"the generated code already uses the name {quoted(name)}; try Order{name}"]
    if keyword.iskeyword(module) or module in TAKEN_MODULES:
        return [f"{quoted(name)} gives the module name {module}, which is taken; try Order{name}"]
    if len(module) > LONGEST_MODULE:
        return [f"{quoted(name)} gives a module name of {len(module)} characters; the limit is {LONGEST_MODULE}"]
    queue = f"{answers.get('project_slug', '')}-prod-{name}Queue.fifo"
    if len(queue) > LONGEST_QUEUE_NAME:
        return [
            f"{quoted(name)} and the project_slug give the queue name {queue} in production; "
            f"it has {len(queue)} characters, and the limit is {LONGEST_QUEUE_NAME}"
        ]
    return []


def _message_fields_faults(answers: Mapping[str, Any]) -> list[str]:
    try:
        parse_message(_fields(answers), str(answers.get("message_name")))
    except FieldFaults as error:
        return error.faults
    return []


def _idempotency_key_faults(answers: Mapping[str, Any]) -> list[str]:
    text = answers["idempotency_key"]
    if not isinstance(text, str):  # in a replay file
        return [f"{quoted(text)} is not text; write all fields in one text, such as orderId, kind"]
    if text and not text.strip():
        return [f"{quoted(text)} has only spaces; write a field, or nothing at all for no idempotency"]
    if not text or "message_fields" not in answers:  # cookiecutter asks for fields that are a JSON object at the end
        return []
    try:
        found = message({"message_name": None, **answers})
    except FieldFaults:  # they are reported by themselves
        return []
    try:
        parse_key(text, found)
    except FieldFaults as error:
        return error.faults
    return []


def _batch_size_faults(answers: Mapping[str, Any]) -> list[str]:
    size = str(answers["batch_size"])
    queue_type = str(answers.get("queue_type", "standard"))
    largest = LARGEST_BATCH.get(queue_type, max(LARGEST_BATCH.values()))
    if not re.fullmatch(r"[1-9][0-9]{0,4}", size, re.ASCII) or int(size) > largest:
        return [
            f"{quoted(size)} is not a valid batch size for a {queue_type} queue; use a whole number from 1 to {largest}"
        ]
    return []


CHECKS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "project_name": _project_name_faults,
    "project_slug": _project_slug_faults,
    "message_name": _message_name_faults,
    "message_fields": _message_fields_faults,
    "idempotency_key": _idempotency_key_faults,
    "batch_size": _batch_size_faults,
}


def check(answers: MutableMapping[str, Any], question: str) -> str:
    """Check one answer while the questions are asked, and ask again if somebody can answer.

    A better answer replaces the first one. Returns "". Raises BadAnswers if nobody can be asked.
    """
    known = _known(answers)
    if question not in known:  # cookiecutter asks for a value that is a JSON object at the end
        return ""
    prompt = asking.prompt()
    if not prompt or question not in answers:  # an answer of a replay file was not asked for
        _refuse(_faults_before_files(known, question))
        return ""
    typed = str(answers[question])
    while faults := _typed_faults(answers, question, asking.lines_of(typed)):
        print(asking.printable("\n".join(faults)))
        try:
            typed = asking.ask_again(prompt, question)
        except EOFError:
            _refuse(faults)
    return ""


def _typed_faults(answers: MutableMapping[str, Any], question: str, lines: list[str]) -> list[str]:
    """Put the lines that were typed or pasted into the answers, and return their faults."""
    answers[question] = " ".join(line.strip() for line in lines if line.strip()) or lines[0]
    if any(map(asking.is_cut_off, lines)):
        limit = f"the terminal cuts off a line after {asking.LONGEST_LINE} characters"
        return [f'{question}: {limit}; give the answer on the command line, as in {question}="$(cat FILE)"']
    return _faults_before_files(_known(answers), question)


def check_all(answers: Mapping[str, Any]) -> str:
    """Check every answer, because those of a replay file were never asked.

    Returns "". Raises BadAnswers with all faults.
    """
    faults = [fault for question in CHECKS for fault in _faults(answers, question)]
    for question, allowed in choices().items():
        if answers[question] not in allowed:
            faults.append(f"{question}: {quoted(answers[question])} is not a choice; use {' or '.join(allowed)}")
    module = message_module(answers)
    if answers["__message_module"] != module:
        given = quoted(answers["__message_module"])
        faults.append(f"__message_module: {given} does not match message_name; use {module}")
    _refuse(faults)
    return ""


def _faults_before_files(answers: Mapping[str, Any], question: str) -> list[str]:
    """Return the faults of an answer while there is no file of the project yet."""
    faults = _faults(answers, question)
    if not faults and question == "project_slug" and asking.folder_exists(answers[question]):
        faults = [f"project_slug: the folder {quoted(answers[question])} already exists; use another name"]
    return faults


def _faults(answers: Mapping[str, Any], question: str) -> list[str]:
    if answers[question] is None:
        return [f"{question}: there is no answer; write one, or leave the question out"]
    return [f"{question}: {fault}" for fault in CHECKS[question](answers)]


def choices() -> dict[str, list[str]]:
    """Return the questions of cookiecutter.json that offer choices."""
    questions = json.loads((Path(__file__).parents[1] / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: default for name, default in questions.items() if isinstance(default, list) and name[0] != "_"}


def _refuse(faults: list[str]) -> None:
    if faults:
        raise BadAnswers(asking.printable("\n".join(faults)))
