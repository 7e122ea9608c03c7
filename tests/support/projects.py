"""A generated project as the tests see it, and how they run commands."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_extensions.questions import choices

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
QUESTIONS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
CHOICES = choices()
DEFAULTS = {name: choices[0] for name, choices in CHOICES.items()}

posix = pytest.mark.skipif(os.name == "nt", reason="needs make and POSIX signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, where Lambda runs")


@dataclass(frozen=True)
class Project:
    """A baked project, the answers it came from (every choice among them), and its files (later runs add caches)."""

    path: Path
    answers: Mapping[str, str]
    files: list[str] = field(init=False)

    def __post_init__(self) -> None:
        found = [path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()]
        object.__setattr__(self, "files", sorted(found))

    def copied(self, folder: Path) -> "Project":
        """Copy the project, without what was built or installed, for a test that changes it."""
        copy = folder / self.path.name
        shutil.copytree(self.path, copy, ignore=shutil.ignore_patterns(".aws-sam", ".venv"))
        return Project(copy, self.answers)

    def run(self, *command: str, **env: str) -> str:
        """Run a command in the project, expect it to succeed, and return what it printed."""
        done = run(*command, cwd=self.path, **env)
        assert done.returncode == 0, f"{' '.join(command)} failed for {dict(self.answers)}:\n{done.stdout}"
        return done.stdout


Bake = Callable[..., Project]


def run(*command: str, cwd: Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its errors are in `stdout`, where they came."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


@functools.cache
def python_of(runtime: str) -> Path | None:
    """A Python of that version, where this machine has one: found by uv, or among those of pyenv."""
    version = runtime.removeprefix("python")
    found = run("uv", "python", "find", "--quiet", "--no-python-downloads", version, cwd=Path.home())
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    paths = [Path(line) for line in found.stdout.splitlines()] if found.returncode == 0 else []
    return next(iter([*paths, *pyenv.glob(f"versions/{version}.*/bin/{runtime}")]), None)
