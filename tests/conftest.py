"""The environment of the tests, in which nothing reaches a real AWS account, and their shared fixtures."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.support.projects import DEFAULTS, QUESTIONS, ROOT, Bake, Project, python_of

sys.dont_write_bytecode = True  # what tests import of the template would leave files in it, to be baked


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tools of this environment first on PATH, no AWS account, no cookiecutter settings of the user's."""
    config = tmp_path_factory.mktemp("cookiecutter") / "config.yaml"
    config.write_text(f"replay_dir: {config.parent / 'replay'}\ncookiecutters_dir: {config.parent / 'clones'}\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "MAKEFLAGS", "MAKELEVEL", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(config.parent / "bytecode"))  # compiled once, and not into projects
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("COOKIECUTTER_CONFIG", str(config))
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("SAM_CLI_TELEMETRY", "0")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("MYPY_CACHE_DIR", str(config.parent / "mypy"))  # what is not the project's is read once
        yield


@pytest.fixture(scope="session")
def with_python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """The variables with which a runtime's Python is used: by uv, in one environment for all projects, and by SAM."""
    environments = tmp_path_factory.mktemp("environments")

    def with_python(runtime: str) -> dict[str, str]:
        python = python_of(runtime)
        if python is None:
            pytest.skip(f"there is no {runtime} on this machine")
        first, rest = os.environ["PATH"].split(os.pathsep, 1)  # the tools of this environment come first
        return {
            "UV_PYTHON": str(python),
            "UV_PROJECT_ENVIRONMENT": str(environments / runtime),
            "PATH": os.pathsep.join([first, str(python.parent), rest]),
        }

    return with_python


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Bake:
    """Bake the template with the answers given, the others by default. The same answers are baked once."""
    baked: dict[tuple[tuple[str, str], ...], Project] = {}

    def bake(**answers: str) -> Project:
        assert answers.keys() <= QUESTIONS.keys(), "no such question"
        answers = {**DEFAULTS, **answers}
        key = tuple(sorted(answers.items()))
        if key not in baked:
            result = cookies_session.bake(extra_context=answers, template=str(ROOT))
            assert result.exception is None, f"{answers}: {result.exception!r}"
            baked[key] = Project(result.project_path, answers)
        return baked[key]

    return bake


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an embedded AWS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
