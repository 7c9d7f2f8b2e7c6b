# make run    starts the agent in the foreground with a home in ./home (made on first use)
# make test   lint, types and the whole test suite
# Both need nothing but Python 3.11+, make and the package index.

PYTHON ?= python3
VENV   ?= .venv
HOME_DIR ?= home
BIN    := $(VENV)/bin

.PHONY: run test lint types unit e2e crash wheel clean

run: $(VENV)/.installed
	@test -d $(HOME_DIR)/conf || $(BIN)/iadmin init $(HOME_DIR)
	@exec $(BIN)/integration-agent --home $(HOME_DIR)

test: lint types unit

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test-installed
	$(BIN)/mypy

unit: $(VENV)/.test-installed
	sh tests/all.sh $(BIN)/python

e2e: $(VENV)/.test-installed
	$(BIN)/python -m pytest tests/e2e

# The real agent killed at random for ten minutes under load, and every fault of its disk. As root with strace all of it
# runs. The seed is printed; repeat it with: make crash CRASH_SEED=7 CRASH_SECONDS=60
crash: export CRASH_SECONDS ?= 600
crash: $(VENV)/.test-installed
	nice $(BIN)/python -m pytest -s tests/e2e/test_crash.py tests/e2e/test_faults.py tests/e2e/test_bad_services.py

# The wheel in a clean environment: what somebody gets who installs it elsewhere.
wheel: $(VENV)/.installed
	sh tests/wheel.sh $(PYTHON)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The agent needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=/path/to/python3.11 run")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.test-installed: setup.cfg pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
