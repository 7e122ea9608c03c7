"""Tests of a generated project cannot reach AWS, whatever the owner's code and settings are."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.machine import RUNTIME
from tests.support.projects import Bake, Project, run

pytestmark = pytest.mark.slow

CLOSED = "http://127.0.0.1:1/tests-cannot-reach-aws"

# Records every address that a test connects to, and asks nobody for the address of a name.
WATCH = """
import socket

connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

def note(address):
    with open("connects", "a") as connects:
        print(address, file=connects)

def watched_connect(self, address):
    note(address)
    return connect(self, address)

def watched_getaddrinfo(host, *more, **options):
    note(host)
    return getaddrinfo(host, *more, **options)

socket.socket.connect, socket.getaddrinfo = watched_connect, watched_getaddrinfo
"""

# Code that an owner may write: at the top of a module, and in a test.
CALLS = {
    "a client made at import": ('client = boto3.client("sqs")', "client.send_message(QueueUrl='q', MessageBody='b')"),
    "an explicit region": (
        "",
        "boto3.client('sqs', region_name='eu-west-1').delete_queue(QueueUrl='https://sqs.eu-west-1.amazonaws.com/1/q')",
    ),
    "another service": ("", "boto3.client('dynamodb').list_tables()"),
    "a bucket": ("", "boto3.client('s3').put_object(Bucket='b', Key='k', Body=b'')"),
    "a resource": ("", "boto3.resource('dynamodb').Table('t').get_item(Key={'k': 'v'})"),
    "explicit keys": (
        "",
        "boto3.Session('AKIA', 'secret', region_name='us-west-2').client('sts').get_caller_identity()",
    ),
}


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, "utf-8")
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "config").write_text("[profile prod]\nregion = eu-west-1\n", "utf-8")
    (tmp_path / "aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
        "[prod]\naws_access_key_id = AKIAREAL\naws_secret_access_key = real\n",
        "utf-8",
    )
    return bake(runtime=RUNTIME).copied(tmp_path)


def owner_test(project: Project, python: dict[str, str], setup: str, call: str) -> str:
    """Run a test of the owner's, as somebody who is logged in to AWS, and return what pytest prints."""
    source = f"import boto3\n{setup}\n\n\ndef test_call() -> None:\n    {call}\n"
    (project.path / "tests" / "test_owner.py").write_text(source, "utf-8")
    home = project.path.parent
    logged_in = {
        "AWS_PROFILE": "prod",
        "AWS_CONFIG_FILE": str(home / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "aws" / "credentials"),
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_SQS": "https://sqs.eu-west-1.amazonaws.com",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "PYTHONPATH": str(home / "watch"),
    }
    command = ("uv", "run", "--offline", "pytest", "-q", "tests/test_owner.py")
    return run(*command, cwd=project.path, **{**python, **logged_in}).stdout


def connects(project: Project) -> set[str]:
    path = project.path / "connects"
    return set(path.read_text("utf-8").splitlines()) if path.exists() else set()


@pytest.fixture
def python(project: Project, with_python: Callable[[str], dict[str, str]]) -> dict[str, str]:
    python = with_python(RUNTIME)
    project.run("uv", "sync", "--quiet", **python)
    return python


@pytest.mark.parametrize(("setup", "call"), CALLS.values(), ids=CALLS)
def test_call_ends_at_a_closed_door(project: Project, python: dict[str, str], setup: str, call: str) -> None:
    printed = owner_test(project, python, setup, call)
    assert f'Could not connect to the endpoint URL: "{CLOSED}' in printed
    assert connects(project) == {"('127.0.0.1', 1)", "127.0.0.1"}


def test_profile_of_the_owner_is_not_found(project: Project, python: dict[str, str]) -> None:
    printed = owner_test(project, python, "", "boto3.Session(profile_name='prod').client('sqs')")
    assert "The config profile (prod) could not be found" in printed
    assert connects(project) == set()


def test_moto_can_be_used_once_the_door_is_opened(project: Project, python: dict[str, str]) -> None:
    call = "\n    ".join(
        [
            "with mock_aws(), MonkeyPatch.context() as patch:",
            "    patch.delenv('AWS_ENDPOINT_URL')",
            "    assert boto3.client('sqs').create_queue(QueueName='q')['QueueUrl']",
        ]
    )
    printed = owner_test(project, python, "from moto import mock_aws\nfrom pytest import MonkeyPatch", call)
    assert re.search(r"^1 passed", printed, re.MULTILINE), printed
    assert connects(project) == set()
