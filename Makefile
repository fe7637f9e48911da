# The verbs of this repository. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BENCH := .venv-bench
LOAD := .venv-load

# What a recipe needs of these travels by the environment: on a command line
# every user of the machine could read it.
export SITEASSIST_API_KEY := $(or $(API_KEY),$(SITEASSIST_API_KEY))
export SITEASSIST_TOKEN := $(or $(TOKEN),$(SITEASSIST_TOKEN))
export SITEASSIST_BASE_URL := $(or $(BASE_URL),$(SITEASSIST_BASE_URL))

.DEFAULT_GOAL := help
.PHONY: help contract load test mock generate check-generated languages publish diff release lint lint-spec format lock bench-client bench-mock mutants clean
.DELETE_ON_ERROR:

help: ## list the verbs
	@echo 'Usage: make VERB'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'To hold a server of yours to the contract:'
	@echo '  make contract BASE_URL=https://host/v2 API_KEY=pk_... TOKEN=...'

contract: $(READY) ## hold the embedded mock, or the server at BASE_URL, to the contract
	@$(BIN)/python scripts/contract.py $(ARGS)

load: $(READY) $(LOAD)/.ready ## the same while USERS visitors use it for TIME (10, 60s)
	@$(BIN)/python scripts/load.py $(if $(USERS),--users $(USERS)) $(if $(TIME),--time $(TIME)) $(ARGS)

test: $(READY) $(LOAD)/.ready ## run all tests, with coverage
	@$(BIN)/pytest --numprocesses=auto --cov --cov-report=term $(ARGS)

mock: $(READY) ## run the mock server on http://127.0.0.1:8787/v2
	@$(BIN)/siteassist-mock $(ARGS)

generate: $(READY) ## make generated/ anew from openapi.yaml
	@$(BIN)/python scripts/generate.py

check-generated: $(READY) ## fail if generated/ is not what openapi.yaml makes
	@$(BIN)/python scripts/generate.py --check

publish: $(READY) ## build dist/: openapi.yaml in all its forms, the reference, the packages
	@$(BIN)/python -m scripts.publish $(ARGS)

diff: $(READY) ## say what changes of openapi.yaml break since BASE, a revision or a file (needs Go)
	@$(BIN)/python -m scripts.diff $(if $(BASE),--base='$(BASE)',--since-release)

release: $(READY) ## check everything, build dist/ and tag the version in pyproject.toml
	@$(BIN)/python -m scripts.release $(ARGS)

lint: $(READY) ## check style and types, and openapi.yaml against the OpenAPI standard
	@$(BIN)/python -m siteassist_spec && $(BIN)/openapi-spec-validator openapi.yaml
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright

lint-spec: $(READY) ## check openapi.yaml by the strictest rules of Redocly, Spectral and IBM (needs Node.js)
	@npm ci --silent --no-fund --no-audit
	@npx redocly lint openapi.yaml siteassist.arazzo.yaml
	@npx spectral lint --fail-severity=hint --ruleset=lint/spectral.yaml openapi.yaml
	@npx spectral lint --fail-severity=hint --ruleset=lint/ibm.yaml openapi.yaml
	@npx openapi-typescript openapi.yaml --output reports/types.ts --default-non-nullable=false
	@$(BIN)/python -m scripts.languages.every_field reports/every_field.ts
	@npx tsc --strict --noEmit reports/types.ts reports/every_field.ts

languages: $(READY) ## try clients in other languages on the mock, as far as they are here
	@$(BIN)/python -m scripts.languages $(ARGS)

format: $(READY) ## format the hand-written code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

lock: $(READY) ## compile requirements/*.txt anew
	@$(BIN)/python scripts/lock.py $(ARGS)

bench-client: $(BENCH)/.ready ## compare what the client costs with its peers, in some two minutes
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation .
	@$(BENCH)/bin/python -m bench.client $(ARGS)

bench-mock: $(READY) ## compare the mock server with Prism and a bare app, in some minutes
	@$(BIN)/python -m bench.mock $(ARGS)

mutants: $(READY) ## break the mock in over 100 ways and see which the contract tests find
	@$(BIN)/python -m tests.mutants $(ARGS)

clean: ## remove what can be made again
	rm -rf .venv $(BENCH) $(LOAD) .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* dist reports node_modules

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@echo 'Setting up .venv (once) ...'
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH)/.ready: requirements/bench.txt
	@$(PYTHON) scripts/check_python.py
	@echo 'Setting up $(BENCH) (once) ...'
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bench.txt
	@touch $@

$(LOAD)/.ready: requirements/load.txt pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@echo 'Setting up $(LOAD) (once) ...'
	@$(PYTHON) -m venv --clear $(LOAD)
	@$(LOAD)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/load.txt
	@$(LOAD)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
