"""Where answers come from: a person who can be asked again and may paste several lines, or a replay file."""

import os
import select
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from cookiecutter.prompt import read_user_variable, render_variable

# A terminal cuts off a longer line. Linux has room for 4,096 characters, macOS for 1,024, the line break included.
LONGEST_LINE = 1023 if sys.platform == "darwin" else 4095

# Later, cookiecutter changes the working directory.
_HERE = Path.cwd()

# A paste arrives at once; a person needs longer for the next line.
_SECONDS_OF_A_PASTE = 0.1


def prompt() -> FrameType | None:
    """Return the frame in which cookiecutter asks its questions; None if nobody can answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    frame = _caller("prompt_for_config")
    return frame if frame and frame.f_locals.get("no_input") is False else None


def replayed() -> dict[str, Any]:
    """Return the answers of the replay file, from which cookiecutter takes those that it does not ask for."""
    frame = _caller("cookiecutter")
    return dict(frame.f_locals.get("context_from_replayfile", {}).get("cookiecutter", {})) if frame else {}


def folder_exists(slug: str) -> bool:
    """Tell whether the folder of a project exists and cookiecutter would refuse to write into it."""
    frame = _caller("cookiecutter")
    known = frame.f_locals if frame else {}
    return not known.get("overwrite_if_exists", True) and Path(known["output_dir"], slug).exists()


def path_from_here(path: Path) -> str:
    """Return a path for a shell, as seen from where cookiecutter was started."""
    with suppress(ValueError):  # it is on another drive
        path = Path(os.path.relpath(path, _HERE))
    return shlex.quote(path.as_posix())


def _caller(name: str) -> FrameType | None:
    """Return the frame of the function of that name that led here; None if there is none."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code.co_name != name:
        frame = frame.f_back
    return frame


def ask_again(prompt: FrameType, question: str) -> str:
    """Ask a question once more, with its wording and its default. Raises EOFError if the input has ended."""
    known = prompt.f_locals
    default = render_variable(known["env"], known["context"]["cookiecutter"][question], known["cookiecutter_dict"])
    return str(read_user_variable(question, default, known["prompts"], known["prefix"]))


def lines_of(answer: str) -> list[str]:
    """Return the line that was answered, and the lines that were pasted together with it."""
    pasted = b""
    while os.name == "posix" and select.select([sys.stdin], [], [], _SECONDS_OF_A_PASTE)[0]:
        more = os.read(sys.stdin.fileno(), 65_536)
        if not more:
            break
        pasted += more
    return [answer, *pasted.decode("utf-8", "replace").splitlines()]


def is_cut_off(line: str) -> bool:
    """Tell whether the terminal has probably cut off the end of a line."""
    return len(line.encode()) >= LONGEST_LINE


def printable(text: str) -> str:
    """Return a text as the terminal can print it, with one character for each."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.replace("…", "~").encode(encoding, "replace").decode(encoding)
    return text
