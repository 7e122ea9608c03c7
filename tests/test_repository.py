"""The workflow, the demo and the benchmark of this repository."""

import sys

import pytest

from tests.support.projects import ROOT, linux, posix, run


@pytest.mark.slow
def test_github_accepts_our_own_workflow() -> None:
    check = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    done = run("uvx", "--quiet", "--from", "check-jsonschema==0.39.0", *check, ".github/workflows/ci.yml", cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@posix
def test_demo_runs_to_its_end() -> None:
    done = run(sys.executable, "-m", "scripts.demo", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "a dead letter at once, with its reason" in done.stdout
    assert (ROOT / "demo" / "replay").is_dir(), "the answers are kept away from the user's replay files"


@pytest.mark.wide
@linux
def test_benchmark_runs_to_its_end() -> None:
    done = run("make", "bench", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "| built artifact |" in done.stdout
