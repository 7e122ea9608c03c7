"""Draw docs/demo.svg, the picture in the README, from the output of `make demo`."""

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "demo.svg"
WIDTH = 80  # in characters

# The style of lines that begin like this.
STYLES = {r"\S": "bold", r" +\$": "cyan", r" +done": "green", r" +(failed|dead|receive|CannotDeserialize)": "red"}


def main() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nmake demo ended with exit status {done.returncode}")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(done.stdout.partition("\nWhat next\n")[0].strip()), "utf-8", newline="\n")
    print(f"{PICTURE.relative_to(ROOT)} written")


def picture(text: str) -> str:
    """Return the text as an SVG of a terminal."""
    console = Console(record=True, width=WIDTH, file=StringIO())
    for line in text.splitlines():
        style = next((style for start, style in STYLES.items() if re.match(start, line)), "")
        shown = Text(line.rstrip(), style)
        shown.truncate(WIDTH, overflow="ellipsis")
        console.print(shown)
    return re.sub(r" +\n", "\n", console.export_svg(title="make demo"))


if __name__ == "__main__":
    main()
