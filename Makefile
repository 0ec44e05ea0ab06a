# Two commands do everything on a machine that has only Python 3.11 and make:
#   make up     installs cloudlet into .venv, starts the cloud, prints its endpoints
#   make test   runs the whole suite
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := locks/dev.txt
WORKERS ?= 2
KILLS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help up down status test check lint types layers tidy docs lock bench interop suites interop-smoke soak clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cloudlet needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml $(LOCK)
	$(PIP) install --constraint $(LOCK) --editable .
	@$(BIN)/python -m compileall -q src/cloudlet
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --constraint $(LOCK) --editable '.[dev]'
	@touch $@

up: $(VENV)/.installed  ## install into .venv, start the cloud, print its endpoints
	@$(BIN)/cloudlet status 2>/dev/null || $(BIN)/cloudlet up -d

down: $(VENV)/.installed  ## stop the cloud
	@$(BIN)/cloudlet down

status: $(VENV)/.installed  ## what runs, and where it listens
	@$(BIN)/cloudlet status

test: $(VENV)/.installed-dev  ## the whole suite
	$(BIN)/python -m pytest -n $(WORKERS) --ledger=check

check: lint types layers test  ## what CI checks before it runs the kill loops

lint: $(VENV)/.installed-dev  ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev  ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.installed-dev  ## dependencies run one way
	$(BIN)/lint-imports

tidy: $(VENV)/.installed-dev  ## the style as tests
	$(BIN)/python -m pytest -q tests/tidy

docs: $(VENV)/.installed-dev  ## write the generated pages and the conformance ledger anew
	$(BIN)/python -m pytest -q -n $(WORKERS) --ledger=write
	$(BIN)/python -m pytest -q -m interop tests/interop/test_kafka*.py --ledger=add
	$(BIN)/python -m tools.pages

lock: $(VENV)/.installed-dev  ## pin what is installed now
	$(BIN)/python -m tools.lock > $(LOCK)

bench: $(VENV)/.installed-dev  ## compare with other local clouds, Apache Kafka, etcd and ZooKeeper; writes docs/bench.md
	$(BIN)/python -m bench.gateway
	$(BIN)/python -m bench.kafka
	$(BIN)/python -m bench.etcd
	$(BIN)/python -m bench.zookeeper
	$(BIN)/python -m bench.coord_scale

interop: $(VENV)/.installed-dev  ## clients of other languages; says what is missing
	$(BIN)/python -m pytest -m interop tests/interop tests/contract

suites: $(VENV)/.installed-dev  ## public test-suites against a cloud of this source; needs the package registry
	$(BIN)/python -m tools.suites

interop-smoke: $(VENV)/.installed-dev  ## one client per language, where the language is installed
	$(BIN)/python -m pytest -m interop tests/interop/test_sdks.py

soak: $(VENV)/.installed-dev  ## kill loops and long runs: KILLS=1000
	$(BIN)/python -m pytest -n $(WORKERS) -m kills --kills $(KILLS) tests

clean:           ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
