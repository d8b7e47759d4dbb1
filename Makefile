# `make help` lists the targets. Everything is installed into .venv; nothing outside this folder is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An index to take torch from, for example one with CPU builds: make demo TORCH_INDEX=https://...
TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
OUT ?= demo
# Processes that run the tests, one thread each: two threads on a busy core are much slower than one.
JOBS ?= 2

.PHONY: help demo serve test test-slow check docs bench clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "TagTower needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.installed-server: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

demo: $(VENV)/.installed  ## make a small corpus of real clips, train on it, evaluate, label, write a report (OUT=folder)
	$(BIN)/tagtower demo --out $(OUT)

serve: $(VENV)/.installed-server  ## the console, with the model and the tags of the demo: http://127.0.0.1:8765/
	test -e $(OUT)/report.html || $(BIN)/tagtower demo --out $(OUT)
	test -e $(OUT)/home || { $(BIN)/tagtower init $(OUT)/home && $(BIN)/tagtower tags $(OUT)/home import $(OUT)/corpus/tags.txt; }
	$(BIN)/tagtower serve $(OUT)/home --model $(OUT)/model

test: $(VENV)/.installed-dev  ## run the tests (a few minutes; JOBS=processes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow"

test-slow: $(VENV)/.installed-dev  ## run the slow tests, the demo among them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m slow

check: $(VENV)/.installed-dev  ## style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed  ## write docs/reference from the code
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed-bench  ## run every benchmark (hours; TAGTOWER_BENCH_DATA names the folder of real data)
	$(BIN)/python benchmarks/run.py

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
