# Everything here may be run again at any time: a step that has nothing to do is skipped.
#   PYTHON       the interpreter for the environment (3.11 or later)
#   ARGS         more arguments for `pyrometer up` in `make run`
#   PYTEST_ARGS  more arguments for pytest in `make test`
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
# Most tests wait for a program that they started, so that more of them than CPUs run side by side.
TEST_PROCESSES ?= 2

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SAY := @printf '==> %s\n'
FLAMEGRAPH := pyrometer/flamegraph
# libatomic: for the Node.js inside the Python package that drives the browser.
TEST_PACKAGES := chromium=chromium node=nodejs npm=npm libatomic.so.1=libatomic1

.PHONY: help run test lint check-flamegraph soak constraints clean

help: ## Say what can be made.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

run: $(VENV)/.installed-all ## Start Pyrometer with its demo: http://127.0.0.1:8501
	$(SAY) 'pyrometer up --demo'
	@exec $(BIN)/python -m pyrometer up --demo $(ARGS)

test: lint check-flamegraph ## Check the code and run all tests but the soak tests.
	$(SAY) 'tests'
	@$(BIN)/python -m pytest -q -m 'not soak and not ui and not alone' -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)
	$(SAY) 'tests in a browser, and those that want the machine for themselves'
	@$(BIN)/python -m pytest -q -m '(ui or alone) and not soak' $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## Check style, types and who imports whom.
	$(SAY) 'ruff'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	$(SAY) 'mypy'
	@$(BIN)/mypy --no-error-summary
	$(SAY) 'import contracts'
	@$(BIN)/lint-imports >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

check-flamegraph: $(FLAMEGRAPH)/node_modules/.installed ## Check the flame graph's TypeScript and its committed bundle.
	$(SAY) 'flame graph component'
	@cd $(FLAMEGRAPH) && npm run --silent check

soak: $(VENV)/.installed-dev $(VENV)/.system-packages ## Run the long tests.
	$(SAY) 'soak tests'
	@$(BIN)/python -m pytest -q -m soak $(PYTEST_ARGS)

constraints: ## Choose the newest versions that fit, and write them to constraints.txt.
	$(SAY) 'constraints.txt'
	@bash scripts/constraints.sh $(PYTHON)

clean: ## Remove everything that make made.
	@rm -rf $(VENV) $(FLAMEGRAPH)/node_modules .cache artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache

$(BIN)/python:
	$(SAY) 'virtual environment $(VENV)'
	@bash scripts/venv.sh $(VENV) $(PYTHON)

$(VENV)/.installed-all: $(BIN)/python pyproject.toml constraints.txt
	$(SAY) 'Python packages to run (a few minutes the first time)'
	@$(PIP) install -qq -e '.[all]' -c constraints.txt
	@touch $@

# What is installed for the tests is enough to run, too.
$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(SAY) 'Python packages to run and test (a few minutes the first time)'
	@$(PIP) install -qq -e '.[dev]' -c constraints.txt
	@touch $(VENV)/.installed-all $@

$(VENV)/.system-packages: scripts/system_packages.sh | $(BIN)/python
	$(SAY) 'system packages for the tests'
	@bash scripts/system_packages.sh $(TEST_PACKAGES)
	@touch $@

$(FLAMEGRAPH)/node_modules/.installed: $(FLAMEGRAPH)/package-lock.json $(VENV)/.system-packages
	$(SAY) 'npm packages of the flame graph component'
	@cd $(FLAMEGRAPH) && npm ci --silent --no-audit --no-fund
	@touch $@
