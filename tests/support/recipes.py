"""The recipes in docs/recipes/, applied to a template to the letter."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.support.projects import ROOT

FOLDER = ROOT / "docs" / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))

# All of them in an order that works: the boundary covers the roles that the others add.
ALL = sorted(NAMES, key=lambda name: name == "permissions-boundary")

# The conditions of a step, and the answers for which it is meant.
CONDITIONS = {
    "producers send to the queue": ("source", {"queue"}),
    "messages come from a topic": ("source", {"sns"}),
    "messages come from a bus": ("source", {"eventbridge"}),
}
WITH_A_TABLE = "there is an `IdempotencyTable`"

# What a step says: a sentence that ends with a colon, and a block of YAML below it.
STEP = re.compile(r"^(?P<sentence>\S[^\n]*:)\n\n```yaml\n(?P<block>.*?)^```", re.MULTILINE | re.DOTALL)
SENTENCES = {
    "section": r"[Aa]dd to `(?P<section>Parameters|Conditions|Resources)`:",
    "properties": r"[Aa]dd to the properties of (?P<every>every )?`(?P<resource>[\w:]+)`(?: \(.+\))?:",
    "policy": r"[Aa]dd to the policy in `(?P<resource>\w+)`:",
    "replace": r"[Ii]n (?P<every>every )?`(?P<resource>[\w:]+)`, replace `(?P<line>.+)` with:",
}


@dataclass(frozen=True)
class Step:
    """One change of template.yaml."""

    kind: str  # one of SENTENCES
    details: Mapping[str, str]
    condition: str | None
    block: str

    def is_for(self, answers: Mapping[str, str]) -> bool:
        if self.condition is None:
            return True
        if self.condition == WITH_A_TABLE:
            return bool(answers.get("idempotency_key"))
        question, choices = CONDITIONS[self.condition]
        return answers[question] in choices


def steps(recipe: str) -> Iterator[Step]:
    """Yield the steps of a recipe, in their order."""
    text = (FOLDER / f"{recipe}.md").read_text("utf-8")
    found_steps = list(STEP.finditer(text))
    assert len(found_steps) == text.count("```yaml"), f"{recipe}: a block has no sentence above it"
    for step in found_steps:
        sentence = step["sentence"]
        condition = re.match(r"If (.+?), (?=add|in )", sentence)
        rest = sentence[condition.end() :] if condition else sentence
        for kind, pattern in SENTENCES.items():
            if found := re.fullmatch(pattern, rest):
                details = {key: value for key, value in found.groupdict().items() if value}
                yield Step(kind, details, condition[1] if condition else None, step["block"])
                break
        else:
            raise AssertionError(f"{recipe}: nothing can follow this step: {sentence}")


def applied(recipe: str, template: str, answers: Mapping[str, str]) -> str:
    """Return the template of a project after a recipe."""
    name = answers.get("message_name", "NewMessage")
    for step in steps(recipe):
        if step.is_for(answers):
            details = {key: value.replace("NewMessage", name) for key, value in step.details.items()}
            template = changed(template, step.kind, details, step.block.replace("NewMessage", name))
    return template


def changed(template: str, kind: str, details: Mapping[str, str], block: str) -> str:
    """Return a template after one step. Its place must be there."""
    if kind == "section":
        heading = f"\n{details['section']}:\n"
        assert template.count(heading) == 1, f"the template has no {details['section']}"
        gap = "\n" if details["section"] == "Resources" else ""
        return template.replace(heading, f"{heading}{block}{gap}")
    wanted = details["resource"]
    names = of_type(template, wanted) if "every" in details else [wanted]
    assert names, f"the template has no {wanted}"
    for name in names:
        before, resource, after = parted(template, name)
        if kind == "replace":
            line = re.compile(rf"^ +{re.escape(details['line'])}(?: +#.*)?\n", re.MULTILINE)
            resource, count = line.subn(lambda _: block, resource)
            assert count == 1, f"{name} has no line {details['line']}"
        elif kind == "policy":
            head, statement, tail = resource.rpartition("Statement:\n")
            assert statement, f"{name} has no policy"
            resource = head + statement + block + tail
        else:
            if "    Properties:\n" not in resource:
                resource = f"{resource.rstrip()}\n    Properties:\n\n"
            resource = resource.replace("    Properties:\n", f"    Properties:\n{block}", 1)
        template = before + resource + after
    return template


def of_type(template: str, type_: str) -> list[str]:
    """Return the logical ids of all resources of a type."""
    return re.findall(rf"^  (\w+):[^\n]*\n    Type: {type_}$", template, re.MULTILINE)


def parted(template: str, name: str) -> tuple[str, str, str]:
    """Return the text before a resource, that of the resource, and the text after it."""
    found = re.search(rf"^  {name}:[^\n]*\n    Type: (?:(?:    [^\n]*)?\n|[^\n ][^\n]*\n)+", template, re.MULTILINE)
    assert found, f"the template has no resource {name}"
    return template[: found.start()], found[0], template[found.end() :]
