# fortytwo-mirror: `make help` lists everything.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

RUN := .venv/bin/python -m
BUILD := .local/dbt

# Nobody's environment says where Python finds our code, nor has it compile the code at each start.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE

# A variable counts when it is given to make or exported; whom and what to erase, restore or upgrade
# to only when it is given to make: LOGIN and the like may stand in anybody's environment.
quoted = '$(subst ','\'',$(value $(1)))'
option = $(if $(value $(2)),--$(1) $(call quoted,$(2)))
given = $(if $(findstring command line,$(origin $(2))),$(option))
# a word for no confirms nothing either
flag = $(if $(given),$(if $(filter-out 0 n N no No NO f false False FALSE off Off OFF,$(value $(2))),--$(1)))
passes = $(call option,mode,MODE) $(call option,max-calls,MAX_CALLS) $(call option,campus-ids,CAMPUS_IDS)

##@ Every day
.PHONY: help setup sync extract plan build status streams check psql

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^#%/ { print substr($$0, 3) } \
		/^[a-z][a-z-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: ## Install into .venv what a mirror needs; all other targets do it by themselves (PYTHON3)
	@PYTHON3=$(call quoted,PYTHON3) ops/install.sh

sync: setup ## API to mirror: extract, dbt build, publish, summary (MODE MAX_CALLS CAMPUS_IDS ALLOW_DELETES)
	@$(RUN) ops sync $(passes)

extract: setup ## API to schema raw (MODE MAX_CALLS CAMPUS_IDS ALLOW_DELETES)
	@$(RUN) extract run $(passes)

plan: setup ## Say what an extract would cost: calls, quota left, minutes (CAMPUS_IDS)
	@$(RUN) ops plan $(call option,campus-ids,CAMPUS_IDS)

build: setup ## dbt build: raw to marts, tests, publication to mirror
	@bin/dbt build

status: setup ## Last runs, ages, row counts, quota, what needs attention
	@$(RUN) ops status

streams: setup ## Show what is read, what it costs and holds; DROP=name CONFIRM=1 forgets one that is off
	@$(RUN) ops streams $(call given,drop,DROP) $(call flag,confirm,CONFIRM)

check: setup ## Is the mirror whole and fresh? Exit status for monitoring
	@$(RUN) ops check

psql: setup ## A SQL prompt at the mirror's database
	@bin/psql

##@ Operations
.PHONY: doctor upgrade uninstall backup restore restore-drill cron-install cron-remove cron-show erase readmit copy database-start database-stop

doctor: setup ## Would a sync succeed here? Each obstacle with the command that mends it
	@$(RUN) ops doctor

upgrade: setup ## To the newest version, after a backup, with the schedule waiting (VERSION)
	@ops/upgrade.sh $(if $(call given,,VERSION),$(call quoted,VERSION))

uninstall: setup ## List what would be removed; CONFIRM=1 removes it, backups stay
	@$(RUN) ops uninstall $(call flag,confirm,CONFIRM)

backup: setup ## Write a backup of the database (FILE)
	@$(RUN) ops backup $(call given,file,FILE)

restore: setup ## Bring a backup back (FILE, into another DATABASE, FORCE=1 replaces what is there)
	@$(RUN) ops restore $(call given,file,FILE) $(call given,database,DATABASE) $(call flag,force,FORCE)

restore-drill: setup ## Prove that the newest backup can be restored, in a scratch database
	@$(RUN) ops restore-drill $(call given,file,FILE)

cron-install: setup ## Put the schedule into your crontab
	@$(RUN) ops cron-install

cron-remove: setup ## Take it out again
	@$(RUN) ops cron-remove

cron-show: setup ## Show the schedule without installing it
	@$(RUN) ops cron-show

erase: setup ## Say what is kept of one person (LOGIN or ID); CONFIRM=1 erases it and keeps them out
	@$(RUN) ops erase $(call given,login,LOGIN) $(call given,id,ID) $(call flag,confirm,CONFIRM)

readmit: setup ## Let somebody back in who was erased (ID)
	@$(RUN) ops readmit $(call given,id,ID)

copy: setup ## Copy raw into another engine, for dbt to build there (DESTINATION, docs/scale.md)
	@$(RUN) extract copy $(call given,destination,DESTINATION)

database-start: setup ## Start the embedded PostgreSQL; all other targets do it by themselves
	@$(RUN) extract.embedded start

database-stop: setup ## Stop the embedded PostgreSQL
	@$(RUN) extract.embedded stop

##@ Development
LOCK := pip compile --quiet $(if $(UPGRADE),--upgrade) --python-version 3.11 --universal \
	--only-binary :all: --generate-hashes --no-strip-extras --no-header --no-emit-index-url \
	--no-emit-find-links
PARALLEL := -n 3 --dist loadgroup
QUICK := not slow and not faults
.PHONY: develop test test-slow test-faults lint lint-python lint-types lint-sql lint-dbt format docs docs-serve sandbox bench clean lock

develop: ## Install what tests and development need too; the targets below do it by themselves
	@PYTHON3=$(call quoted,PYTHON3) ops/install.sh dev

test: develop ## Tests, some minutes (TESTS='tests/test_embedded.py -k killed', COVERAGE=1)
	@$(RUN) pytest $(if $(TESTS),$(TESTS),$(PARALLEL) -m '$(QUICK)$(if $(COVERAGE), and covered)') \
		$(if $(COVERAGE),--cov --cov-report=term)
	$(if $(COVERAGE),$(if $(TESTS),,@$(RUN) pytest $(PARALLEL) -m '$(QUICK) and not covered'))

test-slow: develop ## Those that take long: whole days of passes, several builds each
	@$(RUN) pytest $(PARALLEL) -m slow

test-faults: develop ## Faults injected into API, network, disk and database
	@$(RUN) pytest -n 3 -m faults

lint: develop ## ruff, mypy, sqlfluff, dbt-bouncer; no database needed
	@$(MAKE) -j 2 --output-sync=target lint-types lint-dbt lint-sql lint-python
	@echo "lint: all passed"

lint-python:
	@$(RUN) ruff check --quiet .
	@$(RUN) ruff format --check --quiet . || { echo "not formatted: make format" >&2; exit 1; }

lint-types:
	@$(RUN) mypy --no-error-summary

lint-sql:
	@$(RUN) sqlfluff lint --disable-progress-bar dbt_project

# pip-audit is not here: it asks a vulnerability service, lint works without one (docs/reliability.md).
lint-dbt:
	@bin/dbt --quiet parse --target-path $(BUILD)/lint --log-path $(BUILD)/lint
	@.venv/bin/python -c "from dbt_bouncer.main import app; app()" run >$(BUILD)/lint/bouncer.log 2>&1 || { cat $(BUILD)/lint/bouncer.log; exit 1; }

format: develop ## Format Python and SQL
	@$(RUN) ruff check --quiet --fix .
	@$(RUN) ruff format --quiet .
	@$(RUN) sqlfluff fix --disable-progress-bar --quiet dbt_project

docs: setup ## The site: overview, status, data dictionary, handbook, lineage: site/index.html
	@$(RUN) ops docs

docs-serve: setup ## Make it and serve it on this machine (PORT)
	@$(RUN) ops docs --serve '$(or $(PORT),8000)'

sandbox: setup ## Serve an invented 42 API, credentials sandbox/sandbox (PORT SCALE LIMITS)
	@$(RUN) sandbox $(call option,port,PORT) $(call option,scale,SCALE) $(call option,limits,LIMITS)

bench: develop ## Speed, memory and calls beside floors and peers, an hour (PARTS='extract relations')
	@$(RUN) benchmarks $(PARTS)

clean: ## Remove what tools made; the database (.local), .venv and .env stay
	@rm -rf target logs site $(BUILD) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find extract ops sandbox tests -name __pycache__ -prune -exec rm -rf {} +

lock: develop ## Resolve pyproject.toml's dependencies anew, for all Pythons (UPGRADE=1: to the newest)
	@$(RUN) uv $(LOCK) --group sandbox --output-file requirements.lock pyproject.toml
	@$(RUN) uv $(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	@# pyspark is published as sources only, which hold the jars
	@$(RUN) uv $(LOCK) --no-binary pyspark --group spark --constraint requirements.lock --constraint requirements-dev.lock --output-file requirements-spark.lock

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
#%  VERSION=v0.2.0           what to upgrade to, a tag
#%  COVERAGE=1               fail when extract/ is reached by its own tests to less than 90 %
#%  PYTHON3=/path/to/python   for the installation: 3.11 to 3.14
#%Settings are read from the environment, then from .env: see .env.example.
#%
#%Exit status: 0 done; make itself knows only 2 for every failure. Where the difference counts
#%(0 published, 1 failed, 2 wrong usage, 75 busy or out of budget: try later) call what make calls:
#%  .venv/bin/python -m ops sync --mode live
