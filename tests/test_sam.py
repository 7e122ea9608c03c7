"""The stack: SAM validates it, builds it for its runtime and architecture, and the result is complete."""

import sys
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.conftest import ROOT, Bake, Project, linux, posix, run


def resources(project: Project) -> Any:
    return yaml_parse((project.path / "template.yaml").read_text("utf-8"))["Resources"]


@pytest.mark.parametrize("batch_size", ["1", "11", "10000"])
def test_the_template_holds_the_answers(bake: Bake, batch_size: str) -> None:
    project = bake(batch_size=batch_size, project_name='Zoë\'s: "orders" # 1')
    assert "is a valid SAM Template" in project.run("sam", "validate")

    queue = resources(project)["NewMessageQueue"]["Properties"]
    function = resources(project)["NewMessageProcessorFunction"]["Properties"]
    mapping = function["Events"]["NewMessageQueue"]["Properties"]
    window = mapping.get("MaximumBatchingWindowInSeconds", 0)
    assert mapping["BatchSize"] == int(batch_size)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (window >= 1) == (int(batch_size) > 10)
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"] + window
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert function["LoggingConfig"]["LogFormat"] == "JSON"


def test_github_takes_our_own_workflow() -> None:
    check = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    done = run("uvx", "--quiet", "--from", "check-jsonschema==0.39.0", *check, ".github/workflows/ci.yml", cwd=ROOT)
    assert done.returncode == 0, done.stdout


@posix
def test_the_demo_runs_to_its_end() -> None:
    done = run(sys.executable, "-m", "scripts.demo", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "received 5 times, then a dead letter" in done.stdout


@pytest.mark.wide
@linux
def test_the_benchmark_runs_to_its_end() -> None:
    done = run("make", "bench", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "| built artifact |" in done.stdout
