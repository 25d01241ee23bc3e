# fortytwo-mirror: `make help` lists everything.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON3 ?= python3.11
RUN := .venv/bin/python -m
INSTALLED := .venv/.installed
BUILD := .local/dbt

# A variable counts when it is given to make or exported; whom and what to erase or restore only
# when it is given to make: LOGIN and the like may stand in anybody's environment.
option = $(if $($(2)),--$(1) '$($(2))')
given = $(if $(findstring command line,$(origin $(2))),--$(1) '$($(2))')
passes = $(call option,mode,MODE) $(call option,max-calls,MAX_CALLS) $(call option,campus-ids,CAMPUS_IDS)

##@ Every day
.PHONY: help setup sync extract plan build status check psql

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^#%/ { print substr($$0, 3) } \
		/^[a-z][a-z-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## Install into .venv; all other targets do it by themselves when needed

sync: $(INSTALLED) ## API to mirror: extract, dbt build, publish, summary (MODE MAX_CALLS CAMPUS_IDS ALLOW_DELETES)
	@$(RUN) ops sync $(passes)

extract: $(INSTALLED) ## API to schema raw (MODE MAX_CALLS CAMPUS_IDS ALLOW_DELETES)
	@$(RUN) extract run $(passes)

plan: $(INSTALLED) ## Say what an extract would cost: calls, quota left, minutes (CAMPUS_IDS)
	@$(RUN) extract plan $(call option,campus-ids,CAMPUS_IDS)

build: $(INSTALLED) ## dbt build: raw to marts, tests, publication to mirror
	@.venv/bin/dbt build

status: $(INSTALLED) ## Last runs, ages, row counts, quota, what needs attention
	@$(RUN) ops status

check: $(INSTALLED) ## Is the mirror whole and fresh? Exit status for monitoring
	@$(RUN) ops check

psql: $(INSTALLED) ## A SQL prompt at the mirror's database
	@.venv/bin/psql

##@ Operations
.PHONY: backup restore restore-drill cron-install cron-remove cron-show erase copy database-start database-stop

backup: $(INSTALLED) ## Write a backup of the database (FILE)
	@$(RUN) ops backup $(call given,file,FILE)

restore: $(INSTALLED) ## Bring a backup back (FILE, into another DATABASE, FORCE=1 replaces what is there)
	@$(RUN) ops restore $(call given,file,FILE) $(call given,database,DATABASE) $(if $(call given,,FORCE),--force)

restore-drill: $(INSTALLED) ## Prove that the newest backup can be restored, in a scratch database
	@$(RUN) ops restore-drill $(call given,file,FILE)

cron-install: $(INSTALLED) ## Put the schedule into your crontab
	@$(RUN) ops cron-install

cron-remove: $(INSTALLED) ## Take it out again
	@$(RUN) ops cron-remove

cron-show: $(INSTALLED) ## Show the schedule without installing it
	@$(RUN) ops cron-show

erase: $(INSTALLED) ## Erase one person everywhere and keep them out (LOGIN or ID)
	@$(RUN) ops erase $(call given,login,LOGIN) $(call given,id,ID)

copy: $(INSTALLED) ## Copy raw into another engine, for dbt to build there (DESTINATION, docs/scale.md)
	@$(RUN) extract copy $(call given,destination,DESTINATION)

database-start: $(INSTALLED) ## Start the embedded PostgreSQL; all other targets do it by themselves
	@$(RUN) extract.embedded start

database-stop: $(INSTALLED) ## Stop the embedded PostgreSQL
	@$(RUN) extract.embedded stop

##@ Development
.PHONY: test test-slow test-faults lint lint-python lint-types lint-sql lint-dbt format docs docs-serve sandbox bench clean lock

test: $(INSTALLED) ## Tests with coverage, some minutes (TESTS='tests/test_embedded.py -k killed')
	@$(RUN) pytest $(if $(TESTS),$(TESTS),-n 3 --dist loadgroup -m 'not slow and not faults' --cov --cov-report=term)

test-slow: $(INSTALLED) ## Those that take long: whole days of passes, several builds each
	@$(RUN) pytest -n 2 --dist loadgroup -m slow

test-faults: $(INSTALLED) ## Faults injected into API, network, disk and database
	@$(RUN) pytest -n 3 -m faults

lint: $(INSTALLED) ## ruff, mypy, sqlfluff, dbt-bouncer; no database needed
	@$(MAKE) -j 2 --output-sync=target lint-types lint-dbt lint-sql lint-python
	@echo "lint: all passed"

lint-python:
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet . || { echo "not formatted: make format" >&2; exit 1; }

lint-types:
	@.venv/bin/mypy --no-error-summary

lint-sql:
	@.venv/bin/sqlfluff lint --disable-progress-bar dbt_project

# pip-audit is not here: it asks a vulnerability service, lint works without one (docs/reliability.md).
lint-dbt:
	@.venv/bin/dbt --quiet parse --target-path $(BUILD)/lint --log-path $(BUILD)/lint
	@.venv/bin/dbt-bouncer run >$(BUILD)/lint/bouncer.log 2>&1 || { cat $(BUILD)/lint/bouncer.log; exit 1; }

format: $(INSTALLED) ## Format Python and SQL
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/ruff format --quiet .
	@.venv/bin/sqlfluff fix --disable-progress-bar --quiet dbt_project

docs: $(INSTALLED) ## The site: overview, status, data dictionary, handbook, lineage: site/index.html
	@$(RUN) ops docs

docs-serve: $(INSTALLED) ## Make it and serve it on this machine (PORT)
	@$(RUN) ops docs --serve '$(or $(PORT),8000)'

sandbox: $(INSTALLED) ## Serve an invented 42 API, credentials sandbox/sandbox (PORT SCALE LIMITS)
	@$(RUN) sandbox $(call option,port,PORT) $(call option,scale,SCALE) $(call option,limits,LIMITS)

bench: $(INSTALLED) ## Speed, memory and calls beside floors and peers, an hour (PARTS='extract relations')
	@$(RUN) benchmarks $(PARTS)

clean: ## Remove what tools made; the database (.local), .venv and .env stay
	@rm -rf target logs site $(BUILD) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find extract ops sandbox tests -name __pycache__ -prune -exec rm -rf {} +

lock: ## Resolve pyproject.toml's dependencies anew into requirements.lock
	@test -x .venv/bin/uv || $(MAKE) setup
	@.venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --universal --only-binary :all: \
		--generate-hashes --no-strip-extras --no-header --no-emit-index-url \
		--group sandbox --group dev --output-file requirements.lock pyproject.toml

$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(PYTHON3) >/dev/null || { echo "Python 3.11 is needed and there is no \
	$(PYTHON3): install it, or give its path: make setup PYTHON3=/path/to/python3.11" >&2; exit 2; }
	@echo "Installing into .venv (once, about a minute) ..."
	@test -x .venv/bin/pip || $(PYTHON3) -m venv .venv || { echo "Python has no venv module: on \
	Debian and Ubuntu install the package python3.11-venv" >&2; rm -rf .venv; exit 2; }
	@$(RUN) pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN) pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

#%
#%Variables
#%  MODE=full|live|backfill  what to read: everything, what changed lately, the big relations in parts
#%  MAX_CALLS=100            stop cleanly after so many API calls; the next run goes on from there
#%  CAMPUS_IDS=1,9           only the students of these campuses
#%  ALLOW_DELETES=1          confirm a deletion that the guard stopped
#%  PORT=4242                where the sandbox listens (docs-serve: 8000)
#%  SCALE=small|network      the sandbox's size: 300 students, or 40,335
#%  LIMITS=fast|real         its rate limits: none, or 2 requests a second and 1,200 an hour
#%  FILE=path                a backup
#%  DESTINATION=duckdb       dlt's name of the engine that copy fills
#%  LOGIN=jdoe or ID=12345   a person
#%  PYTHON3=/path/python3.11 for the installation
#%Settings are read from the environment, then from .env: see .env.example.
#%
#%Exit status: 0 done; make itself knows only 2 for every failure. Where the difference counts
#%(0 published, 1 failed, 2 wrong usage, 75 busy or out of budget: try later) call what make calls:
#%  .venv/bin/python -m ops sync --mode live
