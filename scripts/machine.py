"""This machine, in the choices of cookiecutter.json, and its browser."""

import json
import platform
import shutil
import sys
from pathlib import Path

_QUESTIONS = json.loads((Path(__file__).parents[1] / "cookiecutter.json").read_text("utf-8"))
_THIS_PYTHON = "python{}.{}".format(*sys.version_info)
_IS_ARM = platform.machine().lower() in {"arm64", "aarch64"}

# The Lambda runtime of this Python, or else the default one.
RUNTIME: str = _THIS_PYTHON if _THIS_PYTHON in _QUESTIONS["runtime"] else _QUESTIONS["runtime"][0]
ARCHITECTURE = "arm64" if _IS_ARM else "x86_64"

# Chromium, or Chrome, and where it is installed.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER: str | None = next(filter(None, map(shutil.which, BROWSERS)), None)
