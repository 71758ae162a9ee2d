# `make run` and `make test` need nothing but make, a Python 3 and a package registry: the rest they bring.
# They are safe to repeat; what is up to date is not made again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test tests check lint types contract train setup web screenshots bench bench-load chaos clean help

BEGUN := $(shell date +%s.%N)
TOOLS := .tools
# uv from the path, or our own copy; an interpreter uv does not look for by itself (pyenv's) before one it would fetch.
UV := $(shell command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1 && command -v uv || echo $(TOOLS)/uv/bin/uv)
PYENV_PYTHON := $(shell ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[23]*/bin/python 2>/dev/null | sort -V | head -1)
export UV_PYTHON ?= $(shell $(UV) python find --no-python-downloads 3.12 2>/dev/null || echo $(or $(PYENV_PYTHON),3.12))
export RASA_TELEMETRY_ENABLED := false
IN := $(UV) run --frozen --no-sync
# Node 20 or newer from the path; where there is none, it is installed into the environment from the package registry.
NODE := $(shell command -v npm >/dev/null 2>&1 && [ "$$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')" -ge 20 ] 2>/dev/null && echo yes)
GROUPS := $(if $(NODE),,--group node)
NPM := cd web && PATH="$(if $(NODE),,$(CURDIR)/.venv/bin:)$$PATH" npm
SYNCED := .venv/.synced
BUILT := bot/edge/static/dist/.built
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)

help:  ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 20

run: setup web  ## set everything up, start it, print the addresses; Ctrl-C stops it
	@AFTERWORD_BEGUN=$(BEGUN) $(IN) afterword up

test: setup web check tests  ## set up what is missing and run every check

setup: $(SYNCED)

web: $(BUILT)

$(TOOLS)/uv/bin/uv:
	@echo "… Bringing uv (it is not on this machine)"
	@python3 -m venv $(TOOLS)/uv 2>/dev/null || { echo "make: python3 with its venv module is needed to bring uv: install it (Debian: apt install python3-venv), or install uv yourself" >&2; exit 1; }
	@$(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv

$(SYNCED): pyproject.toml uv.lock $(filter $(TOOLS)/%,$(UV))
	@echo "… Installing the locked environment"
	@$(UV) sync --frozen --quiet $(GROUPS) || { echo "make: the environment could not be installed; is the package registry reachable?" >&2; exit 1; }
	@touch $@

$(BUILT): $(WEB_SOURCES) | $(SYNCED)
	@echo "… Building the web chat widget and the desk's script"
	@$(NPM) ci --no-audit --no-fund --silent
	@$(NPM) run --silent build
	@touch $@

check: lint types contract  ## style, types, the import contract

lint: setup
	$(IN) ruff check .
	$(IN) ruff format --check .

types: setup
	$(IN) mypy

contract: setup
	$(IN) lint-imports

train: setup  ## train the bot if what it is made from changed
	$(IN) afterword train

tests: setup web train  ## every test; the bot is validated, trained and tested by tests/nlu/test_trained_bot.py
	$(NPM) test --silent
	$(IN) pytest

screenshots: setup web  ## take the pictures of docs/ anew
	$(IN) python -m tests.e2e.screenshots

bench: setup  ## measure turn times (STOCK=1 beside a stock Rasa bot)
	$(IN) python -m benchmarks.turns $(if $(STOCK),--stock)

bench-load: setup  ## measure turns, due tasks, a burst of webhooks, memory (STOCK=1 beside stock Rasa)
	$(IN) python -m benchmarks.load $(if $(STOCK),--stock)

chaos: setup  ## kill processes at random for half an hour, on both databases, and see that nothing was lost
	$(IN) python -m tests.chaos

clean:  ## forget what was built; the database in var/ stays
	rm -rf .venv $(TOOLS) web/node_modules bot/edge/static/dist models/*.tar.gz models/*.made-from .rasa
