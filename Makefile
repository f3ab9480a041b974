# The same verbs for people and machines. Nothing here needs root or a running server.
.PHONY: help setup scan check test bench model lock
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The recipe of the lite model; every choice in it is told in training/EXPERIMENTS.md.
LITE := --arch lite --weights imagenet --crop-px 144 --self-made-share 0.12 \
	--batch-size 32 --epoch-images 9600 --epochs 26 --patience 26 --learning-rate 5e-4 --seed 7

help: ## Show the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 14

setup: $(VENV)/.ready ## Make .venv with the locked dependencies and fakesweep itself

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fakesweep needs Python 3.11 or newer; name one: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

scan: $(VENV)/.ready ## Sweep a folder: make scan DIR=path/to/photos
	@test -n "$(DIR)" || { echo 'name the folder: make scan DIR=path/to/photos' >&2; exit 2; }
	@$(BIN)/fakesweep scan "$(DIR)"; status=$$?; test $$status -le 1 || exit $$status

check: $(VENV)/.ready ## Format check, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.ready ## All tests, with a real Redis and a real PostgreSQL
	$(BIN)/python -m pytest

bench: $(VENV)/.ready ## Measure sweeps beside what else one could use, and the ledger; ten minutes
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.ledger

model: $(VENV)/.ready ## Train the lite model again, for hours; goes on where it was stopped: make model MANIFEST=images.csv
	@test -n "$(MANIFEST)" || { echo 'name the manifest: make model MANIFEST=images.csv' >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-model.lock
	mkdir -p runs
	MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=33554432 GOMP_SPINCOUNT=20000 \
	$(BIN)/fakesweep train --manifest "$(MANIFEST)" --output runs/lite $(LITE) \
		$(if $(wildcard runs/lite/options.json),--resume) 2>&1 | tee -a runs/lite.log

lock: ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --upgrade -o requirements.lock
