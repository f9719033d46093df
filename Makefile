SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODES ?= 3
TEST_PROCESSES ?= 2
STAMP := $(VENV)/.set-up
PIP := PYTHONWARNINGS=ignore PIP_CONSTRAINT=constraints.txt $(BIN)/pip

.DEFAULT_GOAL := help

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create the virtual environment with pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV); this takes a few minutes the first time."
	$(PYTHON) -m venv $(VENV) && $(PIP) install --quiet --upgrade pip setuptools
	$(PIP) install --quiet torch
	$(PIP) install --quiet --editable '.[node,plot,postgres]' --group dev
	@touch $@

demo: setup ## Bring a federation up, show the main job, take it down
	$(BIN)/python -m federated_router.cli demo

test: setup ## Run the default test suite in TEST_PROCESSES processes
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

##@ A local federation
up: setup ## Start router, NODES nodes and coordinator on loopback
	$(BIN)/python -m federated_router.cli local up --nodes $(NODES)

down: ## Stop them and leave nothing behind
	$(BIN)/python -m federated_router.cli local down

certs: setup ## Make a certificate authority and one certificate per daemon and client
	$(BIN)/python -m federated_router.cli pki local --directory build/pki

##@ Development
proto: setup ## Regenerate the code of protos/
	$(BIN)/python -m tests.support.generate_protos

fmt: setup ## Format code
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup ## Check style, contracts and import rules
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/buf lint && $(BIN)/lint-imports

type: setup ## Check types
	$(BIN)/mypy federated_router node coordinator tests

check: lint type test ## Everything that CI runs

test-fault: setup ## Kill, freeze and cut real processes
	$(BIN)/python -m pytest -m fault --timeout 600

test-gpu: setup ## Check engine, private rows, device maps and speed on a GPU, if any
	@$(BIN)/python -m tests.gpu

simulate: setup ## Play rounds of 100 members under a virtual clock
	$(BIN)/python -m coordinator.simulation --members 100 --rounds 1 --plot build/plots

evaluate: setup ## Measure decisions on real inputs; DATA=directory, ONLY=name
	$(BIN)/python -m tests.evaluate --data $(DATA) $(if $(ONLY),--only $(ONLY))

bench: setup ## Measure; ONLY=name for one benchmark
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

clean: ## Remove everything that was built
	rm -rf build $(VENV)

.PHONY: help setup demo test up down certs proto fmt lint type check test-fault test-gpu simulate evaluate bench clean
