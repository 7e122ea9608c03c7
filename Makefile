# The front door. Everything is installed into .venv; nothing is needed but python3, make and git.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lint bench picture examples lock clean

# Generate a project, build it and let it process messages from a queue.
demo: .venv/ready
	@$(BIN)/python -m scripts.demo

# Everything that must hold before a change lands.
test: lint
	$(BIN)/pytest -n 2 -m "not wide"

# The same, and the sweeps that take long.
test-all: lint
	$(BIN)/pytest -n 2

# Our own code; the template is linted as rendered, by the tests.
lint: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Measure the generated project beside what people would use instead.
bench: .venv/bench/ready
	@$(BIN)/python -m benchmarks.bench

# Draw the picture in the README, from a run of the demo.
picture: .venv/ready
	@$(BIN)/python -m scripts.picture

# Render the project that people can look at before they generate one of their own.
examples: .venv/ready
	rm -rf examples
	$(BIN)/cookiecutter . --no-input --default-config --output-dir examples message_fields='$(FIELDS)' > /dev/null

# The first example in the README.
FIELDS := order_id: UUID, items: list[{sku: str[1:32], quantity: int >= 1, note: str | None = None}][1:100]

# Pin what the development group of pyproject.toml brings along.
lock: .venv/ready
	$(BIN)/uv pip compile --quiet --upgrade --group dev --universal --python-version 3.11 \
		--no-annotate --no-header --output-file requirements-dev.txt

clean:
	rm -rf .venv demo

.venv/ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed as $(PYTHON); make PYTHON=... names another one." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	$(BIN)/uv pip install --quiet --python .venv --requirement requirements-dev.txt
	@touch $@

PEERS := benchmarks/powertools/lambdas/requirements.txt
RUNTIME_CLIENT = $(shell grep -oE '^(awslambdaric|simplejson|snapshot-restore-py)==[^ ]+' requirements-dev.txt)

.venv/bench/ready: .venv/ready $(PEERS)
	$(BIN)/uv pip install --quiet --python .venv --target .venv/bench/peers --requirement $(PEERS)
	$(BIN)/uv pip install --quiet --python .venv --target .venv/bench/runtime --no-deps $(RUNTIME_CLIENT)
	@touch $@
