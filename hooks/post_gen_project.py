"""Says what to do next. Runs in the new project's folder."""

from pathlib import Path

print(f"""
{Path.cwd().name} is ready. What next:

    cd {Path.cwd().name}
    make test                 # its own tests; needs uv
    sam build && sam deploy   # into your AWS account; needs uv and the SAM CLI

README.md in there has the rest.
""")
