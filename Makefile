# `make` alone lists the targets. All of them work in .venv, which is made from requirements.lock.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := $(VENV)/locked
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-deep lint check format bench bench-peers bench-compare notebooks venv lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## replay a made-up cluster's traffic through a policy change; results in demo-output/
	$(BIN)/flowverdict demo --out demo-output

test: $(READY)  ## run the tests, but for the long ones
	$(BIN)/pytest -q -n auto -m "not deep"

test-deep: $(READY)  ## run every test, with many more drawn examples
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest -q -n auto
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(VENV)/checked $(BIN)/pytest -q tests/property tests/unit/test_reference.py tests/unit/analyses

lint: $(READY)  ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test  ## what CI runs: lint, then test

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## time the simulator and write the table in bench/README.md
	$(BIN)/python bench/run.py

bench-peers: $(READY)  ## install what the benchmarks compare with; dpdk-test-acl is Debian's dpdk-dev
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-peers.lock

BASE ?= HEAD
bench-compare: $(READY)  ## time the working tree beside another revision: make bench-compare BASE=main~3
	$(BIN)/python bench/compare.py $(BASE) $(COMPARE)

notebooks: $(READY)  ## run every notebook from top to bottom
	$(BIN)/python notebooks/run.py

venv: $(READY)  ## make .venv, or bring it up to date

# Stamps are written last, so a broken install is started afresh. A new lock means a new .venv;
# a new pyproject.toml only renews the link to the source, and `pip check` tells if the lock has fallen behind.
$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "flowverdict needs Python 3.11 or newer; name one with: make PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Python cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@$(PIP) check --quiet || { echo "requirements.lock does not fit pyproject.toml; run: make lock" >&2; exit 1; }
	@touch $@

# After a change of the dependencies in pyproject.toml; needs `uv`. It keeps the versions already in the lock:
# `make lock UPGRADE=--upgrade` moves them all.
UV ?= uv
LOCK := pip compile --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
lock:  ## write requirements.lock, and that of the benchmarks' peers, anew from pyproject.toml (needs uv)
	$(UV) $(LOCK) $(UPGRADE) --extra dev -o requirements.lock pyproject.toml
	$(UV) $(LOCK) $(UPGRADE) --group peers -o requirements-peers.lock
	@! grep -n '://' requirements.lock requirements-peers.lock || { echo "a lock names a host" >&2; exit 1; }

clean:  ## remove .venv and all that was made
	rm -rf $(VENV) demo-output dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
