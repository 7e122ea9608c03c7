# Everything is installed into .venv; only python3, make and git are needed.

PYTHON ?= python3
BIN := .venv/bin
ROOMS := "{{cookiecutter.project_slug}}/lambdas/sqs" "{{cookiecutter.project_slug}}/lambdas/shared/delivery.py" "{{cookiecutter.project_slug}}/tools"
SQSKIT := "{{cookiecutter.project_slug}}/tools/sqskit"
GITHUB := .github examples/order-events/.github

.PHONY: help demo test test-all quick lint scan bench picture examples lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/ready ## generate a project, build it, and let it process messages from a queue
	@$(BIN)/python -m scripts.demo

test: lint ## everything that must pass before a change lands
	$(BIN)/pytest -n 2 -m "not wide"

test-all: lint ## the same, and the slow sweeps
	$(BIN)/pytest -n 2

quick: lint ## lint, and the tests that start no other tool: under a minute
	$(BIN)/pytest -n 2 -m "not slow and not wide"

# The rooms of the generated project that contain no Jinja are linted in place, by its own rules.
# jactionlint is a fork of actionlint. Its package contains the program; that of actionlint downloads it from GitHub.
lint: .venv/ready ## check style, format, types and workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/ruff check --config examples/order-events/pyproject.toml --config 'lint.isort.known-first-party = ["shared"]' $(ROOMS)
	$(BIN)/ruff check --config examples/order-events/pyproject.toml --target-version py314 --select UP $(ROOMS)
	$(BIN)/ruff format --check --config examples/order-events/pyproject.toml $(ROOMS)
	$(BIN)/mypy
	$(BIN)/zizmor --quiet --offline --strict-collection $(GITHUB)
	$(BIN)/jactionlint --no-online --shellcheck= --pyflakes= $(foreach each,$(GITHUB),$(each)/workflows/ci.yml $(each)/dependabot.yml)

scan: .venv/ready ## check the stacks with checkov, cfn-lint and Guard
	$(BIN)/pytest -n 2 tests/test_scanners.py

bench: .venv/bench/ready ## measure the generated project beside Powertools
	@$(BIN)/python -m benchmarks.bench

picture: .venv/ready ## draw the pictures in the README from runs of the demo and of the page
	@$(BIN)/python -m scripts.picture
	@$(BIN)/python -m scripts.screenshots

examples: .venv/ready ## render the example project
	rm -rf examples
	$(BIN)/cookiecutter . --no-input --default-config --output-dir examples message_fields='$(FIELDS)' > /dev/null

# The first example in the README
FIELDS := orderId: UUID, items: list[{sku: str[1:32], quantity: int >= 1, note: str | None = None}][1:100]

lock: .venv/ready ## pin everything that the development group of pyproject.toml depends on
	$(BIN)/uv pip compile --quiet --upgrade --group dev --universal --python-version 3.11 \
		--no-annotate --no-header --output-file requirements-dev.txt

clean: ## remove what was installed, and the demo's project
	rm -rf .venv demo

.venv/ready: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is too old or missing; name Python 3.11 or newer with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	$(BIN)/uv pip install --quiet --python .venv --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable $(SQSKIT)
	@touch $@

PEERS := benchmarks/powertools/lambdas/requirements.txt
RUNTIME_CLIENT = $(shell grep -oE '^(awslambdaric|simplejson|snapshot-restore-py)==[^ ]+' requirements-dev.txt)

.venv/bench/ready: .venv/ready $(PEERS)
	$(BIN)/uv pip install --quiet --python .venv --target .venv/bench/peers --requirement $(PEERS)
	$(BIN)/uv pip install --quiet --python .venv --target .venv/bench/runtime --no-deps $(RUNTIME_CLIENT)
	@touch $@
