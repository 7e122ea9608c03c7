"""The extension that cookiecutter.json names: the filters of the template as it is on the disk now.

`cruft update` renders two versions of the template in one process, from the same folder: the one that a project came
from, and the latest. Python would render the second one with the modules of the first.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

_ROOT = Path(__file__).parents[1]
_PACKAGE = "local_extensions"


def version() -> dict[str, str]:
    """Return the text of every file that the filters are made of, by its path."""
    files = [_ROOT / "cookiecutter.json", *sorted((_ROOT / _PACKAGE).rglob("*.py"))]
    return {str(file): file.read_text(encoding="utf-8") for file in files}


class TemplateFilters(Extension):
    """The extension itself."""

    def __new__(cls, environment: Environment) -> Any:
        package = sys.modules[_PACKAGE]
        if getattr(package, "VERSION", None) != version():  # the first version of the template had none
            for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
                del sys.modules[name]
            importlib.invalidate_caches()
            package = importlib.import_module(_PACKAGE)
        return package.TemplateFilters(environment)
