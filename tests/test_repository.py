"""What the repository runs itself: its workflow, the demo, the benchmark."""

import sys

import pytest

from tests.support.projects import ROOT, linux, posix, run


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
