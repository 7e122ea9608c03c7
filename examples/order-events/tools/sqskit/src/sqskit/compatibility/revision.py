"""The files in contract/ as they are in a git revision."""

import os
import subprocess
from pathlib import Path

from sqskit.errors import UserError

SCHEMAS = ".schema.json"


def schemas(root: Path, revision: str) -> dict[str, bytes]:
    """Return the JSON Schemas that a project's contract/ has in a revision. Raises UserError."""
    commit = commit_of(root, revision)
    listed = git(root, "ls-tree", "-z", "--name-only", commit, "contract/").decode()
    names = [name for name in listed.split("\0") if name.endswith(SCHEMAS)]
    return {name: git(root, "show", f"{commit}:./{name}") for name in names}


def commit_of(root: Path, revision: str) -> str:
    """Return the id of a revision's commit. Raises UserError."""
    git(root, "rev-parse", "--git-dir")
    if commit := known(root, revision):
        return commit
    if known(root, f"origin/{revision}"):
        hint = f"did you mean origin/{revision}?"
    elif git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        hint = "this clone is shallow; fetch more of it with `git fetch --unshallow`"
    else:
        hint = "name a branch, a tag or a commit"
    raise UserError(f"git knows no revision {revision!r} here; {hint}")


def known(root: Path, revision: str) -> str:
    """Return the id of a revision's commit; empty if git does not have it."""
    try:
        options = ["--verify", "--quiet", "--end-of-options"]
        return git(root, "rev-parse", *options, revision + "^{commit}").decode().strip()
    except UserError:
        return ""


def git(root: Path, *arguments: str) -> bytes:
    """Return what git prints. Raises UserError."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
        )
    except FileNotFoundError as error:
        raise UserError("cannot run git; install it first") from error
    if done.returncode == 0:
        return done.stdout
    reason = " ".join(done.stderr.decode(errors="replace").split())
    if "not a git repository" in reason:
        reason = f"{root} is not in a git repository, so there is no earlier contract"
    raise UserError(reason or f"`git {arguments[0]}` failed")
