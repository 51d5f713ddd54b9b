# `make` lists the targets. Environments are made in .envs/ on first use, from the files in locks/: one for the
# proposer, one for the evaluator, and one for each physics code.

SCAN ?= examples/simsusy_stau.yaml
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
export PYTHON ?= $(shell command -v python3.11 || command -v python3)
# CPU builds of torch. If this index cannot be reached, torch comes from pip's usual index.
export TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

PROPOSER := .envs/proposer/bin
DEV := .envs/dev/bin
# Physics environments with their own tests: the small ones are part of the fast tests, the others only of the slow ones.
PHYSICS := simsusy camb
SLOW_PHYSICS := flavio eos hazma classy dask slha

.DEFAULT_GOAL := help
.PHONY: help scan up down test test-slow soak test-containers lint types contract contract-check bench bench-search locks clean \
        environments physics-environments slow-environments

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

scan: ## scan SCAN=FILE with both sides on this machine, in RUN=FOLDER; the same command again goes on
	@tools/environment.sh proposer
	@environment=$$($(PROPOSER)/python -m scanspec environment '$(SCAN)') && \
	tools/environment.sh "$$environment" && \
	exec $(PROPOSER)/lodescan run '$(SCAN)' --workers $(WORKERS) $(if $(RUN),--run '$(RUN)')

up: ## scan SCAN=FILE in two containers
	@tools/up.sh '$(SCAN)'

down: ## stop the containers
	@docker compose down

test: environments physics-environments manifests ## the fast tests, each in its environment
	@tools/test.sh 'not slow and not soak and not containers' $(PHYSICS)

test-slow: environments physics-environments slow-environments browser ## the slow tests: kills, long silences, real scans
	@tools/test.sh 'slow and not soak and not containers' $(PHYSICS) $(SLOW_PHYSICS)

soak: environments ## tests of ten minutes: a point that takes so long, and a million points through 16 evaluators
	@$(PROPOSER)/python -m pytest -q -m soak tests/pair

test-newer: ## test the evaluator and the proposer's lock with a newer Python (NEWER=3.13), if this machine has it
	@tools/newer-python.sh '$(or $(NEWER),3.13)'
.PHONY: test-newer

test-containers: environments ## test images and compose; needs a container engine
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

lint: dev ## check the style, and the imports between rooms
	@$(DEV)/ruff check --output-format concise --quiet .
	@$(DEV)/ruff format --check .
	@$(DEV)/python tools/positional.py
	@PYTHONPATH=.:proto $(DEV)/lint-imports --no-cache

types: manifests environments ## check types, those of each side in its own environment
	@tools/types.sh

schema: ## write docs/scan.schema.json from the keys of scan files
	@$(PROPOSER)/python -m scanspec schema >docs/scan.schema.json
.PHONY: schema

docs: environments ## make the documentation as a site in site/
	@tools/environment.sh docs
	@tools/docs.sh
.PHONY: docs

contract: dev ## generate the code in proto/ from the contract
	@tools/contract.sh proto

contract-check: dev ## check that this code is up to date, and that the contract is compatible with the released one
	@tools/contract-check.sh

bench: environments ## measure what lodescan costs in addition to the physics
	@$(PROPOSER)/python -m benchmarks

bench-search: environments ## compare with other scanners; RIVALS=, PROBLEMS=, SEEDS=, UNTIL=good limit it
	@$(PROPOSER)/python -m benchmarks.rivals --rivals '$(RIVALS)' --problems '$(PROBLEMS)' --seeds '$(SEEDS)' \
	    --until '$(or $(UNTIL),map)'
	@$(if $(strip $(RIVALS)$(PROBLEMS)),:,$(MAKE) --no-print-directory bench-physics)

bench-physics: environments ## scans of real codes, and other scanners on one of them; METHODS=, SCANS=, SEEDS= limit it
	@for name in simsusy hazma camb; do tools/environment.sh $$name || exit 1; done
	@$(PROPOSER)/python -m benchmarks.rivals.physics --methods '$(METHODS)' --scans '$(SCANS)' --seeds '$(SEEDS)'

bench-parts: environments ## measure what each part of LODE is worth
	@$(PROPOSER)/python -m benchmarks.search.parts
.PHONY: bench-physics bench-parts

bench-idle: environments ## measure how long workers are idle; SLEEP=, MODES=, GOOD= limit it
	@$(PROPOSER)/python -m benchmarks.idle --seconds '$(or $(SLEEP),1 0.05 0.005)' \
	    --modes '$(or $(MODES),lag0 lag1 lag2 eager)' --good '$(or $(GOOD),1000)'
.PHONY: bench-idle

bench-pool: environments ## measure speed-up, idle share and cost with 1 to 16 evaluators, in 6 minutes; SLEEP=, REPLICAS= limit it
	@$(PROPOSER)/python -m benchmarks.pool --seconds $(or $(SLEEP),1 0.1 0.01) --replicas $(or $(REPLICAS),1 2 4 8 16)
.PHONY: bench-pool

bench-slha: ## compare reading of SLHA files with pyslha and xslha
	@tools/environment.sh slha
	@.envs/slha/bin/python -m benchmarks.slha
.PHONY: bench-slha

locks: ## make the lock files again
	@tools/locks.sh

clean: ## remove environments and caches; never runs/
	@rm -rf .envs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
