# `make demo` and `make test` work in a fresh clone: each sets up what it needs in .venv first.
# The first that runs and is new enough: Windows has a python3 that only opens its store.
PYTHON ?= $(or $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$python && break; done),python3.11)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
FILES := jlora_cli tests tools benchmarks

.PHONY: demo test check fix picture portability bench gpu clean help

help:           ## what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.train      ## the main job on the embedded base and data, without network
	$(BIN)/jlora demo

test: .venv/.dev        ## the tests, with branch coverage
	$(BIN)/python -m pytest --cov --cov-report=term

check: .venv/.dev       ## format, lint, types and import contracts
	$(BIN)/ruff format --check $(FILES)
	$(BIN)/ruff check $(FILES)
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/.dev         ## repair what format and lint can repair
	$(BIN)/ruff check --fix $(FILES)
	$(BIN)/ruff format $(FILES)

picture: .venv/.train   ## draw docs/demo.svg, the README's picture, anew
	$(BIN)/jlora demo --svg docs/demo.svg

portability: .venv/.train ## stock transformers, old and new, on the tokenizers that jlora writes
	PYTHONPATH=. $(BIN)/python tools/portability.py

# BENCH="--rounds 1 --rows 300" measures less; `python -m benchmarks.neighbours --help` has the rest.
bench: .venv/.train     ## training beside TRL, LLaMA-Factory and the Trainer: hours; docs/benchmarks.md
	PYTHONPATH=. $(BIN)/python -m benchmarks.neighbours $(BENCH)

gpu: .venv/.train       ## speed on an NVIDIA GPU beside the recipe that people ran, in 8 minutes
	$(BIN)/python -m benchmarks.gpu

clean:          ## remove the environment and what was built
	rm -rf .venv dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin-made:
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade "pip>=25.1"
	@touch $@

# torch first and by itself: a GPU build that is there already satisfies the line and stays.
.venv/.train: .venv/bin-made pyproject.toml constraints.txt
	$(PIP) --constraint constraints.txt torch
	$(PIP) --constraint constraints.txt --editable ".[train]"
	@touch $@

.venv/.dev: .venv/.train
	$(PIP) --constraint constraints.txt --group dev
	@touch $@
