# `make` lists the targets. Setup runs automatically, once and whenever pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?=
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed  ## create .venv with all dependencies

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]'
	touch $(VENV)/.tables $@

# Only what tables and figures need; an existing full setup counts as well. pip shows the progress of
# its installing since 25.1. Python compiles the few modules that are imported, pip would compile all.
$(VENV)/.tables: pyproject.toml | $(VENV)/bin/python
	@echo "Installing DatNet and what tables need into $(VENV): some GB, most of it torch. This takes minutes."
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --editable '.[figures]'
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: DatNet needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

.PHONY: test
test: setup  ## run the whole test suite, in parallel
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

.PHONY: test-lowest
test-lowest:  ## run the tests with the lowest versions that pyproject.toml allows: ARGS="tests/networks ..."
	$(MAKE) test VENV=.venv-lowest PIP_CONSTRAINT=tests/lowest.txt

.PHONY: lint
lint: setup  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: train
train: setup  ## train a network: make train ARGS="model=datnet_full data=coco_wikiart ..."
	$(BIN)/datnet train $(ARGS)

.PHONY: evaluate
evaluate: setup  ## evaluate networks: make evaluate ARGS="runs/datnet_full/seed_1/network.safetensors"
	$(BIN)/datnet evaluate $(ARGS)

.PHONY: sweep-ablation
sweep-ablation: setup  ## train the three variants of the ablation with three seeds: ARGS="trainer=gpu ..."
	$(BIN)/datnet train -m experiment=ablation $(ARGS)

.PHONY: reproduce-table1
reproduce-table1: $(VENV)/.tables  ## make Table 1 (all networks) and compare it with the paper: SCALE=sample|pretrained|paper
	$(BIN)/python -m experiments.table1 $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: reproduce-table2
reproduce-table2: $(VENV)/.tables  ## make Table 2 (size, time, memory) and compare it with the paper: ARGS="--device cuda --sizes ..."
	$(BIN)/python -m experiments.table2 $(ARGS)

.PHONY: reproduce-table3
reproduce-table3: $(VENV)/.tables  ## make Table 3 (ablation) and compare it with the paper: SCALE=sample|pretrained|paper
	$(BIN)/python -m experiments.table3 $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: figure5 figure6 figure7
figure5: $(VENV)/.tables  ## make Figure 5, results of all networks, as PNG and PDF: SCALE=
figure6: $(VENV)/.tables  ## make Figure 6, edges kept by each network: SCALE=
figure7: $(VENV)/.tables  ## make Figure 7, results of each variant of the ablation: SCALE=
figure5 figure6 figure7:
	$(BIN)/python -m experiments.figures --figure $(@:figure%=%) $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: tradeoff
tradeoff: $(VENV)/.tables  ## plot SSIM against style distance for each network and alpha: SCALE=
	$(BIN)/python -m experiments.tradeoff $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: gallery
gallery: $(VENV)/.tables  ## make the pictures of README: ARGS="--checkpoint NETWORK"
	$(BIN)/python -m experiments.gallery $(ARGS)

.PHONY: demo
demo: $(VENV)/.tables  ## train for some minutes, then stylize a photograph: demo.png
	$(BIN)/python -m experiments.demo

.PHONY: clean
clean:  ## remove caches and .venv; keep runs, sweeps and evaluations
	rm -rf $(VENV) .venv-lowest build dist .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
