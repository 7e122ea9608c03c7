"""The project that the demo and the pictures show, with a `handle` of its own."""

import json
import subprocess
import sys
from pathlib import Path

from scripts.machine import ARCHITECTURE, RUNTIME

ROOT = Path(__file__).parents[1]


def generated(folder: Path, imports: str, handle: str, *answers: str) -> Path:
    """Generate a project for this machine in a folder, replace its `handle`, and return its path.

    imports: lines below those of the message. The answers go to no replay file of the user's.
    """
    config = folder / "cookiecutter.yaml"
    config.write_text(f"replay_dir: {json.dumps(str(folder / 'replay'))}\n", "utf-8")
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(folder)]
    command = ["cookiecutter", str(ROOT), *options, f"runtime={RUNTIME}", f"architecture={ARCHITECTURE}", *answers]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    project = folder / "order-events"
    module = project / "lambdas" / "shared" / "new_message.py"
    source, _, _ = module.read_text("utf-8").partition("def handle(")
    module.write_text(source.replace("import msgspec\n", f"import msgspec\n\n{imports}", 1) + handle, "utf-8")
    return project
