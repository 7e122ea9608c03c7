"""The SAM template, and what SAM makes of it.

SAM is imported where it is needed, because that takes most of a second.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqskit.environment import REGION
from sqskit.errors import UserError
from sqskit.parameters import text_of

LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"

# The properties that name files, which `sam package` uploads.
LOCAL_FILES = {"CodeUri", "ContentUri", "DefinitionUri"}

logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own features


def read(template: Path) -> str:
    """Return the text of a template. Raises UserError."""
    try:
        return template.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {template}; name a SAM template with --template") from error


def parsed(source: str) -> Any:
    """Return a SAM template with its globals and loops written out. Raises UserError."""
    from samtranslator.plugins.globals.globals_plugin import GlobalsPlugin
    from samtranslator.yaml_helper import yaml_parse

    # SAM asks boto3 for the region, which fails if AWS_PROFILE names an unknown profile.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    with one_line_errors():
        template = with_text_keys(yaml_parse(source))
        if LANGUAGE_EXTENSIONS in template.get("Transform", []):
            template = extended(template)
        GlobalsPlugin().on_before_transform_template(template)
        return template


def transformed(source: str, parameters: Mapping[str, str] | None = None) -> Any:
    """Return the CloudFormation template that SAM makes of a SAM template. Raises UserError."""
    return json.loads(transformed_once(source, tuple((parameters or {}).items())))


@cache
def transformed_once(source: str, parameters: tuple[tuple[str, str], ...]) -> str:
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    template = parsed(source)
    with one_line_errors():
        for resource in template["Resources"].values():
            if resource["Type"].startswith("AWS::Serverless::"):
                package(resource.get("Properties", {}))
        return json.dumps(Translator({}, Parser()).translate(template, dict(parameters)))


def package(properties: Any) -> None:
    """Name places on S3 instead of files on this machine, as `sam package` does."""
    if properties.get("PackageType") == "Image":
        properties["ImageUri"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:latest"
    for name in LOCAL_FILES.intersection(properties):
        properties[name] = "s3://bucket/code"


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Raise UserError for what SAM says about a template, or fails with."""
    from samtranslator.model.exceptions import InvalidDocumentException
    from yaml import YAMLError

    try:
        yield
        return
    except InvalidDocumentException as error:
        reason = " ".join(cause.message for cause in error.causes)
    except YAMLError as error:
        reason = " ".join(str(error).split()).replace('"<unicode string>"', "the template")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise UserError(f"SAM cannot transform the template: {reason}")


def with_text_keys(node: Any) -> Any:
    """Return a part of a template in which no key is a number, or a truth value such as Off."""
    if isinstance(node, dict):
        return {text_of(key): with_text_keys(value) for key, value in node.items()}
    return [with_text_keys(each) for each in node] if isinstance(node, list) else node


def extended(template: Any) -> Any:
    """Return a template in which the loops of AWS::LanguageExtensions are written out.

    Raises UserError.
    """
    from cfnlint.template import Template
    from cfnlint.template.transforms._language_extensions import language_extension

    refuse_computed_loops(template)
    problems, found = language_extension(Template(None, template))
    if problems:
        raise UserError(f"AWS::LanguageExtensions fails: {problems[0].message}")
    transforms = [each for each in found["Transform"] if each != LANGUAGE_EXTENSIONS]
    return {**without_needless_subs(found), "Transform": transforms}


def refuse_computed_loops(node: Any) -> None:
    """Raise UserError if a loop is not over texts that are written out; cfn-lint invents others."""
    if isinstance(node, list):
        for each in node:
            refuse_computed_loops(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            over = value[1] if key.startswith("Fn::ForEach::") else []
            if not isinstance(over, list) or not all(isinstance(each, str) for each in over):
                raise UserError(f"{key} cannot be used here: write out the list that it loops over")
            refuse_computed_loops(value)


def without_needless_subs(node: Any) -> Any:
    """Return a part of a template in which no Fn::Sub has nothing to replace."""
    if isinstance(node, list):
        return [without_needless_subs(each) for each in node]
    if not isinstance(node, dict):
        return node
    text = node.get("Fn::Sub")
    if isinstance(text, str) and "${" not in text:
        return text
    return {key: without_needless_subs(value) for key, value in node.items()}


def functions(template: Any) -> Iterator[tuple[str, Any]]:
    """Yield the logical id and the properties of each function of a SAM template."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield name, resource.get("Properties", {})


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
        content = json.loads(file.read_text("utf-8-sig"))
        json.dumps(content, ensure_ascii=False).encode()  # half a character cannot be sent
    except OSError as error:
        raise UserError(f"{name} is missing: write an example body for {function}") from error
    except ValueError as error:
        raise UserError(f"{name} is not JSON: {error}") from error
    bodies = content if isinstance(content, list) else [content]
    if not bodies:
        raise UserError(f"{name} is empty: write an example body for {function}")
    return [json.dumps(body, ensure_ascii=False) for body in bodies]
