"""The libraries that run in Lambda are the ones that are tested here."""

import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def test_lambda_gets_the_versions_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (ROOT / "lambdas" / "requirements.txt").read_text("utf-8").splitlines()
    shipped = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [each for each in shipped if each.marker is None or each.marker.evaluate()]

    names = {Requirement(text).name for text in project["dependencies"]}
    assert names <= {each.name for each in shipped}, "run `make requirements`"
    tested = [f"{each.name}=={version(each.name)}" for each in here]
    assert [f"{each.name}{each.specifier}" for each in here] == tested, "run `make requirements`"
