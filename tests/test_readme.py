"""What the README says is so."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from local_extensions import message_module
from local_extensions.field_types import Message
from local_extensions.message_fields import parse_fields
from scripts.picture import picture
from tests.support.projects import CHOICES, QUESTIONS, ROOT, Bake, Project, run

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
EXAMPLES = [text.strip() for language, text in BLOCKS if language == "python" and "class " not in text]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is that."""
    table = README.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]


def test_the_questions_are_all_there() -> None:
    table = {question.strip("`"): takes for question, _, takes in rows("question")}
    assert list(table) == [name for name in QUESTIONS if not name.startswith("_")]
    for name, choices in CHOICES.items():
        assert re.findall(r"`(.*?)`", table[name]) == choices


def test_every_type_of_the_table_is_read() -> None:
    types = [text.replace("\\|", "|") for row in rows("you write") for text in re.findall(r"`(.*?)`", row[0])]
    assert len(types) == 24
    for text in types:
        assert parse_fields(f"field: {text}")


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_read(text: str) -> None:
    assert parse_fields(text)


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3


def test_the_class_shown_is_the_one_generated() -> None:
    (shown,) = (text for language, text in BLOCKS if language == "python" and "class " in text)
    message = Message("NewMessage", parse_fields(EXAMPLES[0], "NewMessage"))
    assert shown == "\n\n\n".join(message_module.definitions(message)) + "\n"


def test_the_faults_shown_are_what_is_printed(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if text.startswith("$ cookiecutter . "))
    command, _, output = block.partition("\n")
    words = shlex.split(command.removeprefix("$ "))
    done = run(words[0], str(ROOT), *words[2:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, output)


def test_the_tree_is_the_one_generated(bake: Bake) -> None:
    (tree,) = (text for _, text in BLOCKS if text.startswith("order-events/"))
    for name in bake().files:
        folders = [f"{folder.name}/" for folder in Path(name).parents if folder.name]
        assert any(re.search(rf"(?<![\w/.]){re.escape(part)}\s", tree) for part in (Path(name).name, *folders)), name


def test_the_command_line_shown_bakes_what_it_says(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if "project_name=" in text)
    words = shlex.split(block.replace("\\\n", " "))
    assert words[:4] == ["cookiecutter", ".", "--output-dir", ".."]
    done = run("cookiecutter", str(ROOT), *words[4:], cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "BatchSize: 5" in (tmp_path / "Payments" / "template.yaml").read_text("utf-8")


def test_the_example_is_what_the_template_renders(bake: Bake) -> None:
    rendered = bake(message_fields=EXAMPLES[0])
    shown = ROOT / "examples" / "order-events"
    tracked = [path for path in Project(shown, {}).files if "__pycache__" not in path and not path.startswith(".venv/")]
    assert tracked == rendered.files, "run `make examples`"
    for name in rendered.files:
        assert (shown / name).read_bytes() == (rendered.path / name).read_bytes(), f"{name}: run `make examples`"


def test_the_picture_is_there_and_of_a_run() -> None:
    (path,) = re.findall(r"^!\[.*\]\((.*)\)$", README, re.MULTILINE)
    svg = ElementTree.parse(ROOT / path)
    text = " ".join("".join(svg.getroot().itertext()).replace("\xa0", " ").split())
    for line in ("$ sam build", "receive 5 of 5: Expected `str`, got `int` - at `$.orderId`", "1 dead letter"):
        assert line in text


def test_a_picture_is_drawn_of_any_text() -> None:
    svg = picture(f"Title\n    $ a <b> & c\n\n    done    x\n{'long ' * 100}")
    assert "a&#160;&lt;b&gt;&#160;&amp;&#160;c" in svg
    assert "…" in svg
