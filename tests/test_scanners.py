"""Scanners for security on the stacks: every finding is accepted with a reason, or fixed.

checkov, and Guard with the rules of AWS Control Tower, are installed for this test alone.
"""

import itertools
import json
import platform
import re
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from sqskit.template import transformed

from tests.support import guard_registry
from tests.support.projects import CHOICES, Bake, linux, run
from tests.support.recipes import applied

CHECKOV = "checkov==3.3.30"
GUARD = "cdklabs-cdk-validator-cfnguard==0.0.62"  # has the program and the rules of Control Tower

ACCEPTED = tomllib.loads(Path(__file__).with_name("accepted_findings.toml").read_text("utf-8"))["finding"]
STATES = {"plain": [], "with a key": ["customer-managed-key"]}
ANSWERS = [
    dict(zip(("source", "queue_type", "idempotency_key"), row, strict=True))
    for row in itertools.product(CHOICES["source"], CHOICES["queue_type"], ["", "orderId"])
]

Finding = tuple[str, str, str]  # the rule, the type of the resource, and the state of the stack


@pytest.fixture(scope="module")
def stacks(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder of stacks, as SAM makes them, for each state."""
    folders = {}
    for state, recipes in STATES.items():
        folders[state] = tmp_path_factory.mktemp(state.replace(" ", "-"))
        for answers in ANSWERS:
            template = applied(bake(**answers), *recipes)["template.yaml"]
            name = "-".join(filter(None, answers.values()))
            (folders[state] / f"{name}.json").write_text(json.dumps(transformed(template), indent=1), "utf-8")
    return folders


def accepted(rules: str) -> set[Finding]:
    """Return the accepted findings of the rules whose names match."""
    return {
        (each["rule"], type_, state)
        for each in ACCEPTED
        if re.fullmatch(rules, each["rule"])
        for type_ in each["types"]
        for state in each["stacks"]
    }


def loaded(stacks: dict[str, Path]) -> Iterator[tuple[str, Path, Any]]:
    """Yield the state, the file and the template of each stack."""
    for state, folder in stacks.items():
        for path in sorted(folder.iterdir()):
            yield state, path, json.loads(path.read_text("utf-8"))


def test_every_accepted_finding_has_a_reason_and_is_named_once() -> None:
    names = [(each["rule"], type_) for each in ACCEPTED for type_ in each["types"]]
    assert len(names) == len(set(names))
    for each in ACCEPTED:
        assert each.keys() == {"rule", "types", "stacks", "reason"}
        assert set(each["stacks"]) <= set(STATES)
        assert each["reason"].endswith(".")


@pytest.mark.slow
def test_guard_rules_registry_finds_only_what_is_accepted(stacks: dict[str, Path]) -> None:
    found = {
        (rule, type_, state)
        for state, _, template in loaded(stacks)
        for rule, type_ in guard_registry.findings(template)
    }
    assert found == accepted("|".join(name for name, *_ in guard_registry.RULES))


@pytest.mark.wide
def test_cfn_lint_finds_nothing(stacks: dict[str, Path]) -> None:
    for _, path, template in loaded(stacks):
        matches = cfnlint.api.lint(json.dumps(template), regions=["us-east-1", "eu-central-1"])
        assert [f"{path.name}: {match}" for match in matches] == []


@pytest.mark.wide
def test_checkov_finds_only_what_is_accepted(stacks: dict[str, Path]) -> None:
    found: set[Finding] = set()
    for state, folder in stacks.items():
        report = folder.parent / f"{folder.name}-report"
        options = ("--framework", "cloudformation", "--quiet", "--compact", "--soft-fail", "--skip-download")
        output = ("--output", "json", "--output-file-path", str(report))
        done = run("uvx", "--quiet", "--from", CHECKOV, "checkov", "--directory", ".", *options, *output, cwd=folder)
        assert done.returncode == 0, done.stdout
        results = json.loads((report / "results_json.json").read_text("utf-8"))
        assert results["summary"]["parsing_errors"] == 0
        assert results["summary"]["passed"] > 100
        for check in results["results"]["failed_checks"]:
            found.add((check["check_id"], check["resource"].split(".")[0], state))
    assert found == accepted(r"CKV2?_AWS_\d+")


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the package that has Guard and its rules."""
    folder = tmp_path_factory.mktemp("guard")
    done = run("uv", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), GUARD, cwd=folder)
    assert done.returncode == 0, done.stdout
    (archive,) = folder.glob("cdklabs/*/_jsii/*.tgz")
    with tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
    return folder / "package"


@linux
@pytest.mark.wide
def test_control_tower_finds_only_what_is_accepted(stacks: dict[str, Path], guard: Path) -> None:
    machine = "aarch64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    program = guard / "bin" / "ubuntu" / machine / "cfn-guard"
    program.chmod(0o755)
    rules = guard / "rules" / "control-tower" / "cfn-guard"
    ours = ("cloudwatch", "dynamodb", "identityandaccessmanagement", "keymanagementservice", "lambda", "sqs")
    folders = [str(rules / name) for name in ours]
    found: set[Finding] = set()
    for state, path, template in loaded(stacks):
        options = ("--structured", "--output-format", "json", "--show-summary", "none")
        done = run(str(program), "validate", "--data", str(path), "--rules", *folders, *options, cwd=path.parent)
        assert done.returncode in (0, 19), done.stdout  # 19: a rule found something
        (report,) = json.loads(done.stdout)
        assert report["compliant"], "no rule was checked"
        for rule in report["not_compliant"]:
            text = json.dumps(rule)
            (control,) = set(re.findall(r"\[(CT\.\w+\.PR\.\d+)\]", text))
            for name in set(re.findall(r"/Resources/(\w+)", text)):
                found.add((control, template["Resources"][name]["Type"], state))
    assert found == accepted(r"CT\..+")
