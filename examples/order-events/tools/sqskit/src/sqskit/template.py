"""The SAM template, and what SAM makes of it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
from yaml import YAMLError

from sqskit.environment import REGION
from sqskit.errors import UserError


def read(template: Path) -> str:
    """Return the text of a template. Raises UserError."""
    try:
        return template.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {template}; name a SAM template with --template") from error


def transformed(source: str) -> Any:
    """Return the CloudFormation template that SAM makes of a SAM template. Raises UserError."""
    # SAM asks boto3 for the region, which fails if AWS_PROFILE names an unknown profile.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    try:
        template = yaml_parse(source)
        for _, function in functions(template):
            function["CodeUri"] = "s3://bucket/code"  # as `sam package` does
        return json.loads(json.dumps(Translator({}, Parser()).translate(template, {})))
    except InvalidDocumentException as error:
        reason = " ".join(cause.message for cause in error.causes)
    except YAMLError as error:
        reason = " ".join(str(error).split()).replace('"<unicode string>"', "the template")
    except (AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise UserError(f"SAM cannot transform the template: {reason}")


def code_folders(source: str, root: Path) -> dict[str, Path]:
    """Return the folder with the code of each function of a SAM template, by its logical id."""
    found = functions(yaml_parse(source))
    return {name: root / function["CodeUri"] for name, function in found}


def functions(template: Any) -> Iterator[tuple[str, Any]]:
    """Yield the logical id and the properties of each function of a SAM template."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield name, resource["Properties"]


def message_name(handler: str) -> str:
    """Return `new_message` for `new_message_processor.app.handler`."""
    return handler.partition(".")[0].removesuffix("_processor")


def example_file(root: Path, handler: str) -> Path:
    """Return the place of the examples for a function."""
    return root / "contract" / f"{message_name(handler)}.json"


def examples(file: Path, function: str = "the function") -> list[str]:
    """Return the example bodies in a file, each on one line as a producer sends it.

    The file holds one body, or an array of several. Raises UserError.
    """
    name = f"contract/{file.name}"
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{name} is missing: write an example body for {function}") from error
    except ValueError as error:
        raise UserError(f"{name} is not JSON: {error}") from error
    bodies = content if isinstance(content, list) else [content]
    if not bodies:
        raise UserError(f"{name} is empty: write an example body for {function}")
    return [json.dumps(body, ensure_ascii=False) for body in bodies]
