# make run    starts the agent in the foreground with a home in ./home (made on first use)
# make test   lint, types and the whole test suite
# Both need nothing but Python 3.11+, make and the package index.

PYTHON ?= python3
VENV   ?= .venv
HOME_DIR ?= home
BIN    := $(VENV)/bin

.PHONY: run test lint types unit e2e crash wheel bench bench-readme bench-curves clean

run: $(VENV)/.installed
	@test -d $(HOME_DIR)/conf || { $(BIN)/iadmin init $(HOME_DIR) > /dev/null && \
	  printf '%s\n' "A new agent home is in $(HOME_DIR). The agent starts now; Ctrl-C stops it. In another terminal:" \
	    "  $(BIN)/iadmin --home $(HOME_DIR) status" \
	    "  $(BIN)/iadmin --home $(HOME_DIR) event send sample-plan FILE" \
	    "  $(BIN)/iadmin --home $(HOME_DIR) event show" ""; }
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

# How fast it is, beside other programs (docs/performance.rst). wrk, nginx and node are the system's; what else is needed
# comes into .bench. BENCH="--quick", BENCH="--only uvicorn" are passed on.
bench: $(VENV)/.installed .bench/.installed
	$(BIN)/python -m bench $(BENCH)

# The figures of the last make bench into the README.
bench-readme: $(VENV)/.installed
	$(BIN)/python -m bench --readme

# The curves of docs/performance.rst: 1 to 512 connections, 250 B to 1 MiB, up to a million events, up to 50 services.
bench-curves: $(VENV)/.installed
	$(BIN)/python -m bench.scaling

.bench/.installed: bench/peers/requirements.txt bench/peers/package.json
	mkdir -p .bench/node
	-$(PYTHON) -m venv .bench/venv && .bench/venv/bin/pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
	-cp bench/peers/package.json .bench/node/ && cd .bench/node && npm install --no-audit --no-fund --loglevel=error
	touch $@

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
	rm -rf $(VENV) .bench build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
