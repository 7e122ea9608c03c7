"""template.yaml, and what SAM makes of it."""

import json
import os
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
from yaml import YAMLError

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
ENDPOINT = ROOT / ".local-endpoint"  # where the embedded AWS is, while it runs


class BadTemplate(ValueError):
    """SAM makes nothing of the template; the text says why, in one line."""


def transformed(source: str) -> Any:
    """The CloudFormation template that SAM makes of a SAM template. Raises BadTemplate."""
    # SAM wants to know a region, and no profile that is not there.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    try:
        template = yaml_parse(source)
        for function in functions(template).values():
            function["CodeUri"] = "s3://bucket/code"  # as `sam package` would
        return json.loads(json.dumps(Translator({}, Parser()).translate(template, {})))
    except InvalidDocumentException as error:
        raise BadTemplate(" ".join(cause.message for cause in error.causes)) from error
    except YAMLError as error:
        raise BadTemplate(" ".join(str(error).split())) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise BadTemplate(f"{type(error).__name__}: {error}") from error


def code_folders(source: str) -> dict[str, Path]:
    """The folder with the code of each function in a SAM template, by its logical id."""
    template = yaml_parse(source)
    return {name: ROOT / function["CodeUri"] for name, function in functions(template).items()}


def functions(template: Any) -> dict[str, Any]:
    """The properties of each function in a SAM template."""
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def sample_message(handler: str) -> str:
    """Where the message in messages/ is that a function takes, by the name of its handler."""
    return f"messages/{handler.partition('.')[0].removesuffix('_processor')}.json"
