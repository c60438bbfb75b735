# `make help` lists the targets. ARGS goes to the program behind a target: make test ARGS="-k dunning -x"

PYTHON_BIN := .venv/bin/python
SAMPLE := docs/sample/agency-portal.jsonl
SOURCE := shared scheduler workers ops
# A test process per core, each with servers of its own; handed out a few at a time, so that the order is kept.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --maxschedchunk 4

# The payment providers' published API descriptions, if they are beside the checkout: the gateway tests check against them.
ifneq ($(wildcard ../shared/contracts),)
export DUECYCLE_CONTRACTS ?= $(abspath ../shared/contracts)
endif

.DEFAULT_GOAL := help
.PHONY: help setup servers demo test test-localstripe node-modules test-node test-next cluster scale env bench drill-quorum drill-failover drill-giant drill-hostile lint format types contracts pages docs check lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create .venv with the locked dependencies
	@deploy/setup.sh

demo: setup ## simulate a summer of recurring billing and write the results to demo/
	@.venv/bin/duecycle simulate $(SAMPLE) --until 2026-09-05 --out demo --force
	@echo
	@echo "Results:"
	@echo "  demo/report.html    the whole run as one page; open it in a browser"
	@echo "  demo/mails/         every mail that was sent, as .eml files"
	@echo "  demo/*.jsonl        orders, invoices, charges, notices, cycles, events and rejected lines"
	@echo "  $(SAMPLE)    the change messages that made it happen"

servers: ## install RabbitMQ and promtool for the tests and the local cluster (Debian packages, as root)
	@deploy/setup.sh test

test: servers ## run all tests, fast ones first
	@$(PYTHON_BIN) -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-localstripe: setup ## test the Stripe adapter against localstripe
	@[ -x .venv-localstripe/bin/python ] || $(PYTHON_BIN) -m venv .venv-localstripe
	@.venv-localstripe/bin/python -m pip install --quiet localstripe==1.15.10
	@DUECYCLE_LOCALSTRIPE=$(abspath .venv-localstripe/bin/python) $(PYTHON_BIN) -m pytest tests/gateways/test_localstripe.py $(ARGS)

node-modules: ## install amqplib into .node/, for test-node
	@[ -d .node/node_modules/amqplib ] || npm install --silent --no-audit --no-fund --prefix .node amqplib@2.3.1

test-node: servers node-modules ## test that a Node.js consumer receives every event
	@$(PYTHON_BIN) -m pytest tests/integrating $(ARGS)

test-next: ## run the tests on RabbitMQ 4, PostgreSQL 17 and Python 3.13, installed in a folder (as root)
	@deploy/next.sh $(ARGS)

cluster: servers ## run a whole cluster on this machine, with a backlog to process; Ctrl-C stops it
	@$(PYTHON_BIN) -m ops.cluster up --folder cluster $(ARGS)

scale: setup ## change the number of processes of a pool: make scale POOL=charges TO=3
	@$(PYTHON_BIN) -m ops.cluster scale --folder cluster $(POOL) $(TO)

env: setup ## write random passwords for docker compose to .env and secrets/
	@deploy/env.sh

bench: servers ## measure cycles per second against hand-written SQL and a naive writer
	@$(PYTHON_BIN) -m ops.bench $(ARGS)

drill-quorum: servers ## kill the queue leader of a three-node RabbitMQ under load, twice
	@$(PYTHON_BIN) -m ops.drills quorum

drill-failover: servers ## kill the PostgreSQL primary under load and promote its standby
	@$(PYTHON_BIN) -m ops.drills failover

drill-giant: servers ## measure a small agency's wait beside one with 100,000 due cycles
	@$(PYTHON_BIN) -m ops.drills giant

drill-hostile: servers ## run slow and hostile peers, and measure what others notice
	@$(PYTHON_BIN) -m ops.drills hostile

lint: setup ## check the style with ruff
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .

format: setup ## format and fix the code with ruff
	@$(PYTHON_BIN) -m ruff check --fix .
	@$(PYTHON_BIN) -m ruff format .

types: setup ## check types with mypy
	@$(PYTHON_BIN) -m mypy

contracts: setup ## check that the published schemas match the code
	@$(PYTHON_BIN) -m shared.contracts.generate --check

pages: setup ## write the generated pages of docs/
	@$(PYTHON_BIN) -m ops.pages

docs: setup ## build the documentation site in site/, with a strict check of links
	@[ -x .venv-docs/bin/python ] || $(PYTHON_BIN) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/docs/requirements.lock
	@.venv-docs/bin/python deploy/docs/stage.py build/pages
	@.venv-docs/bin/python -m sphinx -W --keep-going --quiet -E -c deploy/docs build/pages site
	@echo "Open site/index.html"

check: ## run everything that CI checks: tests, lint, types, contracts
	@.ci/run

lock: ## pin the dependencies of pyproject.toml in requirements*.lock (ARGS=--upgrade for the newest)
	@deploy/setup.sh venv
	@deploy/lock.sh $(ARGS)

clean: ## remove the files of runs and tests; .venv is kept
	@rm -rf demo cluster build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find $(SOURCE) tests -type d -name __pycache__ -prune -exec rm -rf {} +
