"""Answers are never rendered, whatever way they come in."""

import json
import re
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.support.projects import QUESTIONS, ROOT, run
from tests.test_ways_in import COOKIECUTTERS

ATTACKS = [
    "{{ cycler.__init__.__globals__.os.system('touch ran') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('touch ran').read() }}",
    "{{ cookiecutter | attr('__class__') | attr('__init__') | attr('__globals__') }}",
    "{{ lipsum['__globals__']['os']['system']('touch ran') }}",
    "{% set x = namespace.__init__.__globals__['__builtins__']['open']('ran', 'w') %}",
    "{# a comment #}",
    "{{ 7 * 7 }}",
    "{{ undefined",
    "{% raw %}",
]


def bake(folder: Path, *answers: str, tool: tuple[str, ...] = ("cookiecutter",)) -> Path:
    """Generate a project with these answers on the command line, and return its folder."""
    done = run(*tool, str(ROOT), "--no-input", "--default-config", *answers, cwd=folder)
    assert done.returncode == 0, done.stdout
    (project,) = folder.iterdir()
    return project


def description(project: Path) -> str:
    """Return the project's name as its stack has it."""
    (line,) = re.findall("^Description: .+", (project / "template.yaml").read_text("utf-8"), re.MULTILINE)
    return str(yaml.safe_load(line)["Description"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_answer_on_the_command_line_is_text(attack: str, tmp_path: Path) -> None:
    sample = json.dumps({"kind": attack})
    project = bake(tmp_path, f"project_name={attack}", "project_slug=p", f"message_fields={sample}")
    assert description(project) == attack
    assert json.loads((project / "contract" / "new_message.json").read_text("utf-8")) == {"kind": attack}


@pytest.mark.parametrize("word", ["No", "on", "null", "TRUE", "y"])
def test_word_of_yaml_stays_text(word: str, tmp_path: Path) -> None:
    project = bake(tmp_path, f"project_slug={word}", "message_name=Null", "source=eventbridge", "queue_type=fifo")
    lines = (project / "template.yaml").read_text("utf-8").splitlines()
    assert f'    Default: "{word}"' in lines
    assert '    Default: "Null"' in lines
    assert any(line.startswith('            MessageGroupId: "Null" #') for line in lines)


@pytest.mark.parametrize(
    "name", ["See https://evil.example/x", "www.evil.example", "mail a@evil.example", "$x^2$ :tada:", "a: b"]
)
def test_project_name_is_no_link_in_the_readme(name: str, tmp_path: Path) -> None:
    project = bake(tmp_path, f"project_name={name}", "project_slug=p")
    heading = (project / "README.md").read_text("utf-8").splitlines()[0]
    assert not re.search(r"[^\\](://|@|\$)|www\.|[^\\]:tada", heading)
    tokens = MarkdownIt().parse(heading)[1].children
    assert [token.content for token in tokens or []] == [name]


def test_fields_show_nothing_live_in_the_readme(tmp_path: Path) -> None:
    fields = """a: "``</td><img src=http://evil.example/x.png>``" | "b", "``` <img src=x>": str = "``` <img>" """
    project = bake(tmp_path, f"message_fields={fields}")
    html = MarkdownIt("gfm-like", {"linkify": False}).render((project / "README.md").read_text("utf-8"))
    assert "<img" not in html
    assert "evil.example" not in html


@pytest.mark.slow
@pytest.mark.parametrize("version", COOKIECUTTERS)
def test_answer_is_text_in_each_version(version: str, tmp_path: Path) -> None:
    project = bake(tmp_path, f"project_name={ATTACKS[0]}", "project_slug=p", tool=tuple(COOKIECUTTERS[version]))
    assert description(project) == ATTACKS[0]
    assert {path.name for path in tmp_path.iterdir()} == {"p"}


def test_answer_of_sam_is_text(tmp_path: Path) -> None:
    context = json.dumps({"project_name": ATTACKS[0], "project_slug": "p"})
    done = run("sam", "init", "--no-input", "--location", str(ROOT), "--extra-context", context, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert description(tmp_path / "p") == ATTACKS[0]
    assert not (tmp_path / "ran").exists()


def test_default_of_the_user_is_text(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"default_context": {"project_name": ATTACKS[0], "project_slug": "p"}}), "utf-8")
    done = run("cookiecutter", str(ROOT), "--no-input", "--config-file", str(config), cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert description(tmp_path / "p") == ATTACKS[0]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "question", [name for name in QUESTIONS if isinstance(QUESTIONS[name], str) and name != "_new_lines"]
)
def test_no_answer_runs(question: str, tmp_path: Path) -> None:
    done = run("cookiecutter", str(ROOT), "--no-input", "--default-config", f"{question}={ATTACKS[0]}", cwd=tmp_path)
    assert "Traceback" not in done.stdout
    assert not list(tmp_path.rglob("ran"))
    assert done.returncode == (question not in {"project_name"} and not question.startswith("__check")), done.stdout
