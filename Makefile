# `make help` lists the targets. ARGS goes to the program behind a target: make test ARGS="-k dunning -x"

PYTHON_BIN := .venv/bin/python
SAMPLE := docs/sample/agency-portal.jsonl
SOURCE := shared scheduler workers ops
# A test process per core, each with servers of its own; handed out a few at a time, so that the order is kept.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --maxschedchunk 4

# The payment providers' published API descriptions, if they lie beside the checkout: the gateway tests check against them.
ifneq ($(wildcard ../shared/contracts),)
export DUECYCLE_CONTRACTS ?= $(abspath ../shared/contracts)
endif

.DEFAULT_GOAL := help
.PHONY: help setup servers demo test test-localstripe node-modules test-node test-next cluster scale env bench drill-quorum drill-failover drill-giant drill-hostile lint format types contracts pages docs check lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with the locked dependencies (again only after they changed)
	@deploy/setup.sh

demo: setup ## a summer of recurring billing on a private database, into demo/
	@.venv/bin/duecycle simulate $(SAMPLE) --until 2026-09-05 --out demo --force
	@echo
	@echo "Where to look:"
	@echo "  demo/report.html    the whole run as one page; open it in a browser"
	@echo "  demo/mails/         every mail that was sent, as .eml files"
	@echo "  demo/*.jsonl        orders, invoices, charges, notices, cycles, events and rejected lines"
	@echo "  $(SAMPLE)    the change messages that made it happen"

servers: ## RabbitMQ and promtool, for the tests and the local cluster (Debian packages, as root)
	@deploy/setup.sh test

test: servers ## the tests, fast ones first
	@$(PYTHON_BIN) -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-localstripe: setup ## the Stripe adapter against localstripe, in an environment of its own
	@[ -x .venv-localstripe/bin/python ] || $(PYTHON_BIN) -m venv .venv-localstripe
	@.venv-localstripe/bin/python -m pip install --quiet localstripe==1.15.10
	@DUECYCLE_LOCALSTRIPE=$(abspath .venv-localstripe/bin/python) $(PYTHON_BIN) -m pytest tests/gateways/test_localstripe.py $(ARGS)

node-modules: ## what test-node needs: amqplib into .node/
	@[ -d .node/node_modules/amqplib ] || npm install --silent --no-audit --no-fund --prefix .node amqplib@2.3.1

test-node: servers node-modules ## a program in another language receives every answer (node, amqplib into .node/)
	@$(PYTHON_BIN) -m pytest tests/integrating $(ARGS)

test-next: ## the tests on RabbitMQ 4, PostgreSQL 17 and Python 3.13, in a folder beside the system (as root)
	@deploy/next.sh $(ARGS)

cluster: servers ## a whole cluster on this machine, with a backlog to work off; Ctrl-C ends it
	@$(PYTHON_BIN) -m ops.cluster up --folder cluster $(ARGS)

scale: setup ## in another terminal: make scale POOL=charges TO=3
	@$(PYTHON_BIN) -m ops.cluster scale --folder cluster $(POOL) $(TO)

env: setup ## random passwords for docker compose, into .env and secrets/
	@deploy/env.sh

bench: servers ## cycles per second against hand-written SQL and against a naive writer
	@$(PYTHON_BIN) -m ops.bench $(ARGS)

drill-quorum: servers ## three RabbitMQ nodes lose the leader of their queues, twice, under load
	@$(PYTHON_BIN) -m ops.drills quorum

drill-failover: servers ## PostgreSQL's primary is lost under load and a synchronous standby promoted
	@$(PYTHON_BIN) -m ops.drills failover

drill-giant: servers ## a small agency beside one with 100,000 due cycles
	@$(PYTHON_BIN) -m ops.drills giant

drill-hostile: servers ## slow and hostile peers, one kind after the other, and what everybody else notices
	@$(PYTHON_BIN) -m ops.drills hostile

lint: setup ## style, by ruff; changes nothing
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .

format: setup ## let ruff repair what it can
	@$(PYTHON_BIN) -m ruff check --fix .
	@$(PYTHON_BIN) -m ruff format .

types: setup ## types, by mypy
	@$(PYTHON_BIN) -m mypy

contracts: setup ## the published schemas say what the code accepts
	@$(PYTHON_BIN) -m shared.contracts.generate --check

pages: setup ## write the pages of docs/ that come from the code or from a run
	@$(PYTHON_BIN) -m ops.pages

docs: setup ## the documentation as a site, into site/; a link that leads nowhere is an error
	@[ -x .venv-docs/bin/python ] || $(PYTHON_BIN) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/docs/requirements.lock
	@.venv-docs/bin/python deploy/docs/stage.py build/pages
	@.venv-docs/bin/python -m sphinx -W --keep-going --quiet -E -c deploy/docs build/pages site
	@echo "Open site/index.html"

check: ## everything CI checks: test, lint, types, contracts
	@.ci/run

lock: ## pin the dependencies of pyproject.toml in requirements*.lock (ARGS=--upgrade for the newest)
	@deploy/setup.sh venv
	@deploy/lock.sh $(ARGS)

clean: ## remove what runs and tests left behind; .venv stays
	@rm -rf demo cluster build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find $(SOURCE) tests -type d -name __pycache__ -prune -exec rm -rf {} +
