"""docs/fields.md: every type and example in it can be used, and its errors are what is printed."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.messages import message_of, parsed
from tests.support.projects import ROOT, run

DOC = (ROOT / "docs" / "fields.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
TABLE = DOC.split("\n| you write |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
TYPES = [text.replace("\\|", "|") for row in TABLE for text in re.findall(r"`(.*?)`", re.split(r"(?<!\\)\|", row)[1])]


def test_table_has_every_kind_of_type() -> None:
    assert len(TYPES) == 31


@pytest.mark.parametrize("text", TYPES)
def test_type_of_the_table_is_read(text: str) -> None:
    assert message_of(text if "Shipping" in text else f"field: {text}")


@pytest.mark.parametrize("text", [text.strip() for language, text in BLOCKS if language == "python"])
def test_example_is_read(text: str) -> None:
    assert parsed(text)


def test_sample_is_pasted_as_shown(tmp_path: Path) -> None:
    (command,) = (text for language, text in BLOCKS if language == "sh")
    (tmp_path / "clone").symlink_to(ROOT)
    (tmp_path / "order.json").write_text('{\n  "orderId": "1"\n}\n', "utf-8")
    words = command.replace("uvx cookiecutter .", "cookiecutter clone").replace("--output-dir ..", "--output-dir out")
    done = run("bash", "-c", words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    example = tmp_path / "out" / "order-events" / "contract" / "new_message.json"
    assert example.read_text("utf-8") == '{\n  "orderId": "1"\n}\n'


def test_errors_are_what_is_printed(tmp_path: Path) -> None:
    (block,) = (text for _, text in BLOCKS if text.startswith("$ "))
    command, _, output = block.partition("\n")
    words = shlex.split(command.removeprefix("$ uvx "))
    done = run(words[0], str(ROOT), *words[2:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, output)
