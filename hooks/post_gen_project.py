"""Says what to do next. Runs in the new project's folder."""

from contextlib import suppress
from pathlib import Path

# Without `ci` there is no file in them; a folder's own name cannot depend on an answer.
with suppress(OSError):
    Path(".github/workflows").rmdir()
    Path(".github").rmdir()

BUILDER = "{{ 'uv' if cookiecutter.sam_builder == 'uv' else cookiecutter.runtime ~ ' with pip' }}"

print(f"""
{Path.cwd().name} is ready. What next:

    cd {Path.cwd().name}
    make test                 # its own tests; needs uv
    sam build && sam deploy   # into your AWS account; needs the SAM CLI and {BUILDER}

README.md in there has the rest.
""")
