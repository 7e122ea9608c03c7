"""The workflows, the pinned versions, the demo and the benchmark of this repository."""

import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.projects import ROOT, TEMPLATE, linux, posix, run


def test_workflows_here_and_in_the_template_pin_the_same_actions() -> None:
    pins: dict[str, set[str]] = {}
    for folder in (ROOT, TEMPLATE):
        for workflow in (folder / ".github" / "workflows").iterdir():
            for line in workflow.read_text("utf-8").splitlines():
                if "uses:" in line:
                    action = re.fullmatch(r" *(?:- )?uses: ([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
                    assert action, f"write `uses: action@commit # version`: {line.strip()}"
                    pins.setdefault(action[1], set()).add(action[2])
    assert {"actions/checkout", "actions/setup-python", "astral-sh/setup-uv"} <= set(pins)
    assert [action for action, versions in pins.items() if len(versions) > 1] == []


def test_lock_has_the_versions_of_the_development_group() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    wanted = {(each.name, each.specifier) for each in map(Requirement, group)}
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    assert wanted <= {(each.name, each.specifier) for each in map(Requirement, lines)}, "run `make lock`"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "file"), [("github-workflows", "workflows/ci.yml"), ("dependabot", "dependabot.yml")])
def test_github_accepts_our_own_workflow(kind: str, file: str) -> None:
    check = ("check-jsonschema", "--builtin-schema", f"vendor.{kind}", f".github/{file}")
    done = run("uvx", "--quiet", "--from", "check-jsonschema==0.39.0", *check, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@posix
def test_demo_runs_to_its_end() -> None:
    done = run(sys.executable, "-m", "scripts.demo", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "receive 1 of 7: the warehouse is closed; it is retried in 2 s" in done.stdout
    assert "CannotDeserialize: Expected `str`, got `int` - at `$.orderId`" in done.stdout
    assert (ROOT / "demo" / "replay").is_dir(), "the answers are kept away from the user's replay files"


@pytest.mark.wide
@linux
def test_benchmark_runs_to_its_end() -> None:
    done = run("make", "bench", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "| built artifact |" in done.stdout
