# The targets of this repository. `make` without a target lists them.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BENCH := .venv-bench
LOAD := .venv-load
DOCS := .venv-docs
NODE := tools/node
NODE_BIN := $(NODE)/node_modules/.bin

# Values from the user must not be evaluated: make would expand $(shell ...) in them, and
# a shell $(...). So make uses them unexpanded, and recipes read them from the environment,
# in quotes. This also hides them from other users of the machine.
GIVEN := PYTHON ARGS BASE BASE_URL API_KEY TOKEN USERS TIME MOCK_ARGS
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)
export SITEASSIST_API_KEY := $(if $(API_KEY),$(API_KEY),$(value SITEASSIST_API_KEY))
export SITEASSIST_TOKEN := $(if $(TOKEN),$(TOKEN),$(value SITEASSIST_TOKEN))
export SITEASSIST_BASE_URL := $(if $(BASE_URL),$(BASE_URL),$(value SITEASSIST_BASE_URL))

# Appends the arguments in ARGS.
RUN = $(BIN)/python scripts/with_args.py

.DEFAULT_GOAL := help
.PHONY: help contract load test mock docs generate check-generated languages consumers publish diff release lint lint-spec format lock bench-client bench-mock mutants hostile internal-errors endurance exercises clean
.DELETE_ON_ERROR:

help: ## list the targets
	@echo 'Usage: make TARGET'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'To test your own server against the contract:'
	@echo '  make contract BASE_URL=https://host/v2 API_KEY=pk_... TOKEN=...'

contract: $(READY) ## test the embedded mock, or the server at BASE_URL, against the contract
	@$(RUN) python scripts/contract.py

load: $(READY) $(LOAD)/.ready ## run the contract checks under the load of USERS visitors for TIME (defaults: 10, 60s)
	@$(RUN) python scripts/load.py $${USERS:+--users "$$USERS"} $${TIME:+--time "$$TIME"}

test: $(READY) $(LOAD)/.ready $(BENCH)/.ready ## run the tests, with coverage; ARGS=--exhaustive: whole sweeps
	@$(RUN) pytest --numprocesses=auto --dist=worksteal --cov --cov-report=term

mock: $(READY) ## run the mock server on http://127.0.0.1:8787/v2
	@$(RUN) siteassist-mock

docs: $(DOCS)/.ready ## build the website of the documentation in site/
	@$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --jobs=auto --conf-dir=docs . site
	@echo 'Open site/README.html in a browser.'

generate: $(READY) ## generate generated/ from openapi.yaml, and pages of docs/reference
	@$(BIN)/python scripts/generate.py
	@$(BIN)/python -m scripts.pages

check-generated: $(READY) ## fail if generated/ or a generated page is out of date
	@$(BIN)/python scripts/generate.py --check
	@$(BIN)/python -m scripts.pages --check

publish: $(READY) ## build dist/: all forms of openapi.yaml, the reference, the packages
	@$(RUN) python -m scripts.publish

diff: $(READY) ## list breaking changes to openapi.yaml since BASE, a revision or a file (needs Go)
	@if [ -n "$$BASE" ]; then set -- --base="$$BASE"; else set -- --since-release; fi; \
	$(RUN) python -m scripts.diff "$$@"

release: $(READY) ## check everything, build dist/ and tag the version in pyproject.toml
	@$(RUN) python -m scripts.release

lint: $(READY) ## check style and types, and openapi.yaml against the OpenAPI standard
	@$(BIN)/python -m siteassist_spec && $(BIN)/openapi-spec-validator openapi.yaml
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright

lint-spec: $(READY) ## check openapi.yaml with the strictest rules of Redocly, Spectral and IBM (needs Node.js)
	@npm ci --prefix=$(NODE) --silent --no-fund --no-audit
	@$(NODE_BIN)/redocly lint --config=$(NODE)/lint/redocly.yaml openapi.yaml siteassist.arazzo.yaml
	@$(NODE_BIN)/spectral lint --fail-severity=hint --ruleset=$(NODE)/lint/spectral.yaml openapi.yaml
	@$(NODE_BIN)/spectral lint --fail-severity=hint --ruleset=$(NODE)/lint/ibm.yaml openapi.yaml
	@$(NODE_BIN)/openapi-typescript openapi.yaml --output reports/types.ts --default-non-nullable=false
	@$(BIN)/python -m scripts.languages.every_field reports/every_field.ts
	@$(NODE_BIN)/tsc --strict --noEmit reports/types.ts reports/every_field.ts

languages: $(READY) ## test clients in other languages against the mock, if their tools are installed
	@$(RUN) python -m scripts.languages

consumers: $(READY) ## try the tools that the published forms are for, if they are installed
	@$(RUN) python -m scripts.consumers

format: $(READY) ## format the hand-written code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

lock: $(READY) ## compile requirements/*.txt; ARGS=--check reports outdated pins
	@$(RUN) python scripts/lock.py

bench-client: $(BENCH)/.ready ## compare the performance of the client with its peers, in about two minutes
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation .
	@$(BENCH)/bin/python scripts/with_args.py python -m bench.client

bench-mock: $(READY) ## compare the mock server with Prism and a minimal app, in a few minutes
	@$(RUN) python -m bench.mock

mutants: $(READY) ## run the contract tests on all mutants of the mock, and show which are detected
	@$(RUN) python -m tests.faults

hostile: $(READY) ## run the contract tests on servers that misbehave, and check how each run ends
	@$(RUN) python -m tests.hostile

internal-errors: $(READY) ## inject errors into the contract tests, and check how each is reported
	@$(RUN) python -m tests.internal_errors

endurance: $(READY) ## send 100,000 requests to the mock with each database, kill it, and check its data
	@$(RUN) python -m tests.endurance

exercises: $(READY) ## change the API in a copy of the repository, and check that everything derived follows
	@$(RUN) python -m scripts.exercises

clean: ## remove environments, caches, dist/ and reports/
	rm -rf .venv $(BENCH) $(LOAD) $(DOCS) .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* dist reports site $(NODE)/node_modules

SETUP = "$$PYTHON" -m scripts.environment
MADE_FROM := pyproject.toml scripts/environment.py scripts/lock.py scripts/lock_check.py

$(READY): requirements/dev.txt $(MADE_FROM)
	@$(SETUP) .venv requirements/dev.txt --editable

$(BENCH)/.ready: requirements/bench.txt $(MADE_FROM)
	@$(SETUP) $(BENCH) requirements/bench.txt

$(LOAD)/.ready: requirements/load.txt $(MADE_FROM)
	@$(SETUP) $(LOAD) requirements/load.txt --editable

$(DOCS)/.ready: requirements/docs.txt $(MADE_FROM)
	@$(SETUP) $(DOCS) requirements/docs.txt
