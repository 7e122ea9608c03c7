"""What is tested here is what runs in Lambda."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_lambda_gets_the_versions_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = (ROOT / "lambdas" / "requirements.txt").read_text("utf-8").splitlines()
    assert sorted(requirements) == sorted(project["dependencies"])
