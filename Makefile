# lodescan: `make` says what there is. Environments are made on first use, in
# .envs/, from the files in locks/: one for the proposer, one for the evaluator.

SCAN ?= examples/simsusy_stau.yaml
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
export PYTHON ?= $(shell command -v python3.11 || command -v python3)
# CPU builds of torch; where this is out of reach, torch comes from where pip looks.
export TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

PROPOSER := .envs/proposer/bin
DEV := .envs/dev/bin
# Evaluators with tests of their own: small ones, which the fast tests have too, and those of the slow tests alone.
PHYSICS := simsusy camb
SLOW_PHYSICS := flavio eos hazma classy dask slha

.DEFAULT_GOAL := help
.PHONY: help scan up down test test-slow soak test-containers lint types contract contract-check bench bench-search locks clean \
        environments physics-environments slow-environments

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

scan: ## scan SCAN=FILE with both sides on this machine; the same again goes on; RUN=FOLDER
	@tools/environment.sh proposer
	@environment=$$($(PROPOSER)/python -m scanspec environment '$(SCAN)') && \
	tools/environment.sh "$$environment" && \
	exec $(PROPOSER)/lodescan run '$(SCAN)' --workers $(WORKERS) $(if $(RUN),--run '$(RUN)')

up: ## the same in two containers
	@tools/up.sh '$(SCAN)'

down: ## stop the containers
	@docker compose down

test: environments physics-environments manifests ## fast tests, each in its environment
	@tools/test.sh 'not slow and not soak and not containers' $(PHYSICS)

test-slow: environments physics-environments slow-environments browser ## slow tests: kills, long silences, real scans
	@tools/test.sh 'slow and not soak and not containers' $(PHYSICS) $(SLOW_PHYSICS)

soak: environments ## what takes ten minutes: a point that is silent for so long, a million points through 16 evaluators
	@$(PROPOSER)/python -m pytest -q -m soak tests/pair

test-newer: ## the evaluator on a newer Python (NEWER=3.13), where this machine has it, and the proposer's lock
	@tools/newer-python.sh '$(or $(NEWER),3.13)'
.PHONY: test-newer

test-containers: environments ## images and compose; needs a container engine
	@$(PROPOSER)/python -m pytest -m containers --timeout 1800 tests/containers

environments:
	@tools/environment.sh proposer test browser exports
	@tools/environment.sh evaluator test

physics-environments:
	@for name in $(PHYSICS); do tools/environment.sh $$name test || exit 1; done

slow-environments:
	@tools/environment.sh readers
	@for name in $(SLOW_PHYSICS); do tools/environment.sh $$name test || exit 1; done

browser:
	@tools/browser.sh
.PHONY: browser

dev:
	@tools/environment.sh dev
.PHONY: dev

manifests:
	@tools/environment.sh dev test
.PHONY: manifests

lint: dev ## style, imports between the two sides
	@$(DEV)/ruff check --output-format concise --quiet .
	@$(DEV)/ruff format --check .
	@$(DEV)/python tools/positional.py
	@PYTHONPATH=.:proto $(DEV)/lint-imports --no-cache

types: manifests environments ## types, each side in its own environment
	@tools/types.sh

schema: ## docs/scan.schema.json, made from the keys of scan files
	@$(PROPOSER)/python -m scanspec schema >docs/scan.schema.json
.PHONY: schema

docs: environments ## the documentation as a site, in site/
	@tools/environment.sh docs
	@tools/docs.sh
.PHONY: docs

contract: dev ## generate the code in proto/ from the contract
	@tools/contract.sh proto

contract-check: dev ## is that code fresh, and does the contract keep what it promised?
	@tools/contract-check.sh

bench: environments ## the benchmarks
	@$(PROPOSER)/python -m benchmarks

bench-search: environments ## other scanners on the same problems; RIVALS=, PROBLEMS=, SEEDS=, UNTIL=good bound it
	@$(PROPOSER)/python -m benchmarks.rivals --rivals '$(RIVALS)' --problems '$(PROBLEMS)' --seeds '$(SEEDS)' \
	    --until '$(or $(UNTIL),map)'
	@$(if $(strip $(RIVALS)$(PROBLEMS)),:,$(MAKE) --no-print-directory bench-physics)

bench-physics: environments ## real scans of codes, and rivals on one of them; METHODS=, SCANS=, SEEDS= bound it
	@for name in simsusy hazma camb; do tools/environment.sh $$name || exit 1; done
	@$(PROPOSER)/python -m benchmarks.rivals.physics --methods '$(METHODS)' --scans '$(SCANS)' --seeds '$(SEEDS)'

bench-parts: environments ## what each part of LODE buys
	@$(PROPOSER)/python -m benchmarks.search.parts
.PHONY: bench-physics bench-parts

bench-idle: environments ## how long workers wait while the proposer thinks; SLEEP=, MODES=, GOOD= bound it
	@$(PROPOSER)/python -m benchmarks.idle --seconds '$(or $(SLEEP),1 0.05 0.005)' \
	    --modes '$(or $(MODES),lag0 lag1 lag2 eager)' --good '$(or $(GOOD),1000)'
.PHONY: bench-idle

bench-pool: environments ## points through 1 to 16 evaluators: speed-up, idle share, cost; SLEEP=, REPLICAS= bound it
	@$(PROPOSER)/python -m benchmarks.pool --seconds $(or $(SLEEP),1 0.1 0.01) --replicas $(or $(REPLICAS),1 2 4 8 16)
.PHONY: bench-pool

bench-slha: ## reading SLHA files, against pyslha and xslha
	@tools/environment.sh slha
	@.envs/slha/bin/python -m benchmarks.slha
.PHONY: bench-slha

locks: ## make the lock files anew
	@tools/locks.sh

clean: ## remove environments and caches; never runs/
	@rm -rf .envs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
