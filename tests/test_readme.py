"""The claims and commands of the README."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from local_extensions.fields import parse_message
from local_extensions.output.python import definitions
from scripts.picture import picture
from tests.support.projects import CHOICES, QUESTIONS, ROOT, Bake, Project, run

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
(EXAMPLE,) = (text.strip() for text in PYTHON if text.startswith("orderId"))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose first heading is this."""
    table = README.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]


def test_table_has_every_question_and_choice() -> None:
    table = {question.strip("`"): accepts for question, _, accepts in rows("question")}
    assert list(table) == [name for name in QUESTIONS if not name.startswith("_")]
    for name, choices in CHOICES.items():
        assert re.findall(r"`(.*?)`", table[name]) == choices


def test_class_is_the_generated_one() -> None:
    (shown,) = (text for text in PYTHON if "class " in text)
    message = parse_message(EXAMPLE, "NewMessage")
    assert shown == "\n\n\n".join(definitions(message)) + "\n"


def test_entry_point_is_the_generated_one(bake: Bake) -> None:
    app = (bake().path / "lambdas" / "new_message_processor" / "app.py").read_text("utf-8")
    assert app in PYTHON


def test_faults_are_what_is_printed(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if text.startswith("$ uvx cookiecutter . "))
    command, _, output = block.partition("\n")
    words = shlex.split(command.removeprefix("$ uvx "))
    done = run(words[0], str(ROOT), *words[2:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, output)


def test_tree_has_every_generated_file(bake: Bake) -> None:
    (tree,) = (text for _, text in BLOCKS if text.startswith("order-events/"))
    for name in bake().files:
        folders = [f"{folder.as_posix()}/" for folder in Path(name).parents if folder.name]
        names = [Path(name).name, *folders, *(f"{Path(folder).name}/" for folder in folders)]
        assert any(re.search(rf"(?<![\w/.]){re.escape(part)}\s", tree) for part in names), name


@pytest.mark.slow
def test_first_command_works(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if text.startswith("uvx cookiecutter gh:"))
    command, folder, local = block.splitlines()
    done = run("uvx", "--quiet", "cookiecutter", str(ROOT), "--no-input", cwd=tmp_path)
    assert command == "uvx cookiecutter gh:OWNER/REPOSITORY"
    assert done.returncode == 0, done.stdout
    assert (tmp_path / folder.removeprefix("cd ") / "Makefile").is_file()
    assert local == "make local"


def test_command_line_bakes_what_it_says(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if "project_name=" in text)
    words = shlex.split(block.replace("\\\n", " "))
    assert words[:5] == ["uvx", "cookiecutter", ".", "--output-dir", ".."]
    done = run("cookiecutter", str(ROOT), *words[5:], cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "BatchSize: 5" in (tmp_path / "Payments" / "template.yaml").read_text("utf-8")


def test_example_project_is_what_the_template_renders(bake: Bake) -> None:
    rendered = bake(message_fields=EXAMPLE)
    shown = ROOT / "examples" / "order-events"
    tracked = [path for path in Project(shown, {}).files if "__pycache__" not in path and not path.startswith(".venv/")]
    assert tracked == rendered.files, "run `make examples`"
    for name in rendered.files:
        assert (shown / name).read_bytes() == (rendered.path / name).read_bytes(), f"{name}: run `make examples`"


def test_every_picture_is_there() -> None:
    paths = re.findall(r"^!\[.+\]\((.+)\)$", README, re.MULTILINE)
    assert paths == ["docs/demo.svg", "docs/page.png", "docs/page-message.png"]
    for path in paths:
        assert (ROOT / path).is_file()


def test_picture_is_of_a_run() -> None:
    svg = ElementTree.parse(ROOT / "docs" / "demo.svg")
    text = " ".join("".join(svg.getroot().itertext()).replace("\xa0", " ").split())
    assert re.findall("[^ ]+…", text) == [], "a line is longer than the picture is wide"
    for line in (
        "$ sam build",
        "receive 1 of 7: the warehouse is closed; it is retried in 2 s",
        "receive 1 of 7: Expected `str`, got `int` - at `$.orderId`",
        "1 dead letter",
    ):
        assert line in text


def test_picture_can_be_drawn_of_any_text() -> None:
    svg = picture(f"Title\n    $ a <b> & c\n\n    done    x\n{'long ' * 100}")
    assert "a&#160;&lt;b&gt;&#160;&amp;&#160;c" in svg
    assert "…" in svg
