# `make run` and `make test` need nothing but make, a Python 3 and a package registry: the rest they bring.
# They are safe to repeat; what is up to date is not made again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test check lint types contract bot-check unit e2e setup web screenshots bench chaos clean help

BEGUN := $(shell date +%s.%N)
TOOLS := .tools
# uv from the path, or our own copy; an interpreter uv does not look for by itself (pyenv's) before one it would fetch.
UV := $(shell command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1 && command -v uv || echo $(TOOLS)/uv/bin/uv)
PYENV_PYTHON := $(shell ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[23]*/bin/python 2>/dev/null | sort -V | head -1)
export UV_PYTHON ?= $(shell $(UV) python find --no-python-downloads 3.12 2>/dev/null || echo $(or $(PYENV_PYTHON),3.12))
export RASA_TELEMETRY_ENABLED := false
IN := $(UV) run --frozen --no-sync
SYNCED := .venv/.synced
BUILT := bot/edge/static/dist/.built
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)

help:  ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 20

run: setup web  ## set everything up, start it, print the addresses; Ctrl-C stops it
	@AFTERWORD_BEGUN=$(BEGUN) $(IN) afterword up

test: setup web check unit e2e  ## set up what is missing and run every check

setup: $(SYNCED)

web: $(BUILT)

$(TOOLS)/uv/bin/uv:
	@echo "… Bringing uv (it is not on this machine)"
	@python3 -m venv $(TOOLS)/uv 2>/dev/null || { echo "make: python3 with its venv module is needed to bring uv: install it (Debian: apt install python3-venv), or install uv yourself" >&2; exit 1; }
	@$(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv

$(SYNCED): pyproject.toml uv.lock $(filter $(TOOLS)/%,$(UV))
	@echo "… Installing the locked environment"
	@$(UV) sync --frozen --quiet || { echo "make: the environment could not be installed; is the package registry reachable?" >&2; exit 1; }
	@touch $@

$(BUILT): $(WEB_SOURCES) | $(SYNCED)
	@echo "… Building the web chat widget and the desk's script"
	@if ! command -v npm >/dev/null 2>&1 || [ "$$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -lt 20 ]; then \
	  $(UV) sync --frozen --quiet --group node; export PATH="$(CURDIR)/.venv/bin:$$PATH"; fi; \
	cd web && npm ci --no-audit --no-fund --silent && npm run --silent build
	@touch $@

check: lint types contract bot-check  ## style, types, the import contract, the bot's data

lint:
	$(IN) ruff check .
	$(IN) ruff format --check .

types:
	$(IN) mypy

contract:
	$(IN) lint-imports

bot-check: setup  ## validate the bot's data, train it, and test its stories and its understanding
	$(IN) afterword train
	$(IN) rasa test core --stories tests/stories --fail-on-prediction-errors --out var/results --model models/afterword.tar.gz
	$(IN) afterword check-understanding

unit: setup web
	$(IN) pytest -m "not e2e and not browser"

e2e: setup web
	$(IN) pytest -m "e2e or browser"

screenshots: setup web  ## take the pictures of docs/ anew
	$(IN) python -m tests.e2e.screenshots

bench: setup  ## measure turn times (STOCK=1 beside a stock Rasa bot)
	$(IN) python -m benchmarks.turns $(if $(STOCK),--stock)

clean:  ## forget what was built; the database in var/ stays
	rm -rf .venv $(TOOLS) web/node_modules bot/edge/static/dist models/*.tar.gz models/*.made-from .rasa
