# `make` lists the targets. Set-up happens by itself, once, and again when pyproject.toml changes.
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
setup: $(VENV)/.installed  ## make .venv with everything that is needed

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]'
	touch $(VENV)/.tables $@

# What tables and figures need, and no more: a set-up that is there already does as well.
$(VENV)/.tables: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[figures]'
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: DatNet needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

.PHONY: test
test: setup  ## run the whole test suite, a process for each core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

.PHONY: test-lowest
test-lowest:  ## the same with the lowest versions that pyproject.toml admits: ARGS="tests/networks ..."
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
evaluate: setup  ## measure networks: make evaluate ARGS="runs/datnet_full/seed_1/network.safetensors"
	$(BIN)/datnet evaluate $(ARGS)

.PHONY: sweep-ablation
sweep-ablation: setup  ## train the three ablation variants with three seeds: ARGS="trainer=gpu ..."
	$(BIN)/datnet train -m experiment=ablation $(ARGS)

.PHONY: reproduce-table1
reproduce-table1: $(VENV)/.tables  ## Table 1, all networks, beside the paper's: SCALE=sample|pretrained|paper
	$(BIN)/python -m experiments.table1 $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: reproduce-table2
reproduce-table2: $(VENV)/.tables  ## Table 2, size, time and memory, beside the paper's: ARGS="--device cuda --sizes ..."
	$(BIN)/python -m experiments.table2 $(ARGS)

.PHONY: reproduce-table3
reproduce-table3: $(VENV)/.tables  ## Table 3, the ablation, beside the paper's: SCALE=sample|pretrained|paper
	$(BIN)/python -m experiments.table3 $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: figure5 figure6 figure7
figure5: $(VENV)/.tables  ## what every network paints, as PNG and PDF: SCALE=
figure6: $(VENV)/.tables  ## the edges that every network keeps: SCALE=
figure7: $(VENV)/.tables  ## what each step of the ablation paints: SCALE=
figure5 figure6 figure7:
	$(BIN)/python -m experiments.figures --figure $(@:figure%=%) $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: tradeoff
tradeoff: $(VENV)/.tables  ## plot SSIM against style distance for every network and alpha: SCALE=
	$(BIN)/python -m experiments.tradeoff $(if $(SCALE),--scale $(SCALE)) $(ARGS)

.PHONY: gallery
gallery: $(VENV)/.tables  ## the pictures of README: ARGS="--checkpoint NETWORK"
	$(BIN)/python -m experiments.gallery $(ARGS)

.PHONY: demo
demo: $(VENV)/.tables  ## train for some minutes, then paint a photograph: demo.png
	$(BIN)/python -m experiments.demo

.PHONY: clean
clean:  ## remove caches and .venv; runs, sweeps and evaluations stay
	rm -rf $(VENV) .venv-lowest build dist .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
