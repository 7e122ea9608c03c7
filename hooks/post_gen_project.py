"""Print the next steps. Cookiecutter runs this in the new project's folder."""

import json
from contextlib import suppress
from pathlib import Path

# Without `ci`, these folders have no file. The name of a folder cannot depend on an answer.
with suppress(OSError):
    Path(".github/workflows").rmdir()
    Path(".github").rmdir()

# Without an idempotency key, nothing uses this module. An owner may do so later, and `cookiecutter -f -s` keeps that.
MODULES = [path for path in Path("lambdas").rglob("*.py") if path.parent.name != "sqs"]
if not any(b"sqs.idempotency" in path.read_bytes() for path in MODULES):
    Path("lambdas/sqs/idempotency.py").unlink(missing_ok=True)

FOLDER = json.loads(r'''{{ cookiecutter | folder | json }}''')  # fmt: skip
BUILDER = "{{ 'uv' if cookiecutter.sam_builder == 'uv' else cookiecutter.runtime ~ ' with pip' }}"

print(f"""
{Path.cwd().name} is ready. Next steps:

    cd {FOLDER}
    make local                # run the stack on this machine, until you press Ctrl-C; needs uv
    make test                 # run its tests
    sam build && sam deploy   # deploy it to your AWS account; needs the SAM CLI and {BUILDER}

Its README.md explains the rest.
""")
