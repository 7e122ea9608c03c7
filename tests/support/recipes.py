"""The recipes in docs/recipes/ that change the stack, applied to the files of a project to the letter."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.projects import ROOT, Project

FOLDER = ROOT / "docs" / "recipes"
SECOND_PROCESSOR = FOLDER / "second-processor.md"  # it has steps of other kinds: see test_owner_readme.py
NAMES = sorted(path.stem for path in FOLDER.glob("*.md") if path != SECOND_PROCESSOR)

# All of them in an order that works: the boundary covers the roles that the others add.
ALL = sorted(NAMES, key=lambda name: name == "permissions-boundary")

# The conditions of a step, and the answers for which it is meant.
CONDITIONS = {
    "producers send to the queue": ("source", {"queue"}),
    "messages come from a topic": ("source", {"sns"}),
    "messages come from a bus": ("source", {"eventbridge"}),
    "GitHub deploys": ("ci", {"github"}),
}
WITH_A_TABLE = "there is an `IdempotencyTable`"

# What a step says: a sentence that ends with a colon, and a block of YAML or TOML below it.
STEP = re.compile(r"^(?P<sentence>\S[^\n]*:)\n\n```(?:ya|to)ml\n(?P<block>.*?)^```", re.MULTILINE | re.DOTALL)
SENTENCES = {
    "section": r"[Aa]dd to `(?P<section>Parameters|Conditions|Resources)`:",
    "properties": r"[Aa]dd to the properties of (?P<every>every )?`(?P<resource>[\w:]+)`:",
    "policy": r"[Aa]dd to the policy in `(?P<resource>\w+)`(?: of `(?P<file>[\w.-]+)`)?:",
    "parameters": r"[Aa]dd to the parameters of every environment in `(?P<file>samconfig.toml)`(?:, .+)?:",
    "replace": r"[Ii]n (?P<every>every )?`(?P<resource>[\w:]+)`, replace `(?P<line>.+)` with:",
}
TEMPLATE = "template.yaml"  # where no file is named
FILES = (TEMPLATE, "samconfig.toml", "deploy-role.yaml")


@dataclass(frozen=True)
class Step:
    """One change of a file."""

    kind: str  # one of SENTENCES
    details: Mapping[str, str]
    conditions: tuple[str, ...]
    block: str

    @property
    def file(self) -> str:
        return self.details.get("file", TEMPLATE)

    def is_for(self, answers: Mapping[str, str]) -> bool:
        for condition in self.conditions:
            if condition == WITH_A_TABLE:
                if not answers.get("idempotency_key"):
                    return False
            else:
                question, choices = CONDITIONS[condition]
                if answers[question] not in choices:
                    return False
        return True


@functools.cache
def steps(recipe: str) -> list[Step]:
    """Return the steps of a recipe, in their order."""
    text = (FOLDER / f"{recipe}.md").read_text("utf-8")
    matches = list(STEP.finditer(text))
    blocks = len(re.findall(r"^```(?:ya|to)ml$", text, re.MULTILINE))
    assert len(matches) == blocks, f"{recipe}: a block has no sentence above it"
    found = []
    for step in matches:
        sentence = step["sentence"]
        condition = re.match(r"If (.+?), (?=add|in )", sentence)
        rest = sentence[condition.end() :] if condition else sentence
        for kind, pattern in SENTENCES.items():
            if match := re.fullmatch(pattern, rest):
                details = {key: value for key, value in match.groupdict().items() if value}
                conditions = tuple(condition[1].split(" and ")) if condition else ()
                found.append(Step(kind, details, conditions, step["block"]))
                break
        else:
            raise AssertionError(f"{recipe}: nothing can follow this step: {sentence}")
    return found


def applied(project: Project, *recipes: str) -> dict[str, str]:
    """Return the files that the recipes change, as they are after some of them."""
    paths = [project.path / name for name in FILES]
    files = {path.name: path.read_text("utf-8") for path in paths if path.exists()}
    name = project.answers.get("message_name", "NewMessage")
    for recipe in recipes:
        for step in steps(recipe):
            if step.is_for(project.answers):
                details = {key: value.replace("NewMessage", name) for key, value in step.details.items()}
                block = step.block.replace("NewMessage", name)
                files[step.file] = changed(files[step.file], step.kind, details, block)
    return files


def changed(text: str, kind: str, details: Mapping[str, str], block: str) -> str:
    """Return a file after one step. Its place must be there."""
    if kind == "section":
        heading = f"\n{details['section']}:\n"
        assert text.count(heading) == 1, f"the template has no {details['section']}"
        gap = "\n" if details["section"] == "Resources" else ""
        return text.replace(heading, f"{heading}{block}{gap}")
    if kind == "parameters":
        text, count = re.subn(r"^\[\w+\.deploy\.parameters\.parameter_overrides]\n", rf"\g<0>{block}", text, flags=re.M)
        assert count == len(re.findall(r"^\[\w+\.deploy\.parameters]$", text, re.MULTILINE))
        return text
    wanted = details["resource"]
    names = of_type(text, wanted) if "every" in details else [wanted]
    assert names, f"the template has no {wanted}"
    for name in names:
        before, resource, after = parted(text, name)
        if kind == "replace":
            line = re.compile(rf"^ +{re.escape(details['line'])}(?: +#.*)?\n", re.MULTILINE)
            resource, count = line.subn(lambda _: block, resource)
            assert count == 1, f"{name} has no line {details['line']}"
        elif kind == "policy":
            head, statement, tail = resource.rpartition("Statement:\n")
            assert statement, f"{name} has no policy"
            resource = head + statement + block + tail
        else:
            assert "    Properties:\n" in resource, f"{name} has no properties"
            resource = resource.replace("    Properties:\n", f"    Properties:\n{block}", 1)
        text = before + resource + after
    return text


def of_type(template: str, type_: str) -> list[str]:
    """Return the logical ids of all resources of a type."""
    return re.findall(rf"^  (\w+):[^\n]*\n    Type: {type_}$", template, re.MULTILINE)


def parted(template: str, name: str) -> tuple[str, str, str]:
    """Return the text before a resource, that of the resource, and the text after it."""
    found = re.search(rf"^  {name}:[^\n]*\n    Type: (?:(?:    [^\n]*)?\n|[^\n ][^\n]*\n)+", template, re.MULTILINE)
    assert found, f"the template has no resource {name}"
    return template[: found.start()], found[0], template[found.end() :]
