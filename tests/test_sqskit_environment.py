"""The environment of what runs on this machine keeps the user's AWS and proxies away."""

import os

import pytest
from sqskit.environment import environment


@pytest.mark.parametrize(
    ("upper", "lower", "hosts"),
    [
        ("", "", "127.0.0.1"),
        ("a.example", "", "a.example,127.0.0.1"),
        ("a.example, 127.0.0.1", "b.example", "a.example,127.0.0.1,b.example"),
        ("", "*", "*"),
    ],
)
def test_no_proxy_is_used_for_this_machine(monkeypatch: pytest.MonkeyPatch, upper: str, lower: str, hosts: str) -> None:
    monkeypatch.setenv("NO_PROXY", upper)
    monkeypatch.setenv("no_proxy", lower)
    variables = environment()
    assert variables["NO_PROXY"] == variables["no_proxy"] == hosts


def test_settings_of_aws_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_RETRY_MODE", "unknown")
    monkeypatch.setenv("AWS_CONFIG_FILE", "broken")
    variables = environment()
    assert not variables.keys() & {"AWS_PROFILE", "AWS_RETRY_MODE"}
    assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
