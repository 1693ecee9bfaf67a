# Needs python3 (3.11 or newer) with venv and pip, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# More workers than a small machine has cores: many tests wait for servers and processes.
PYTEST := $(BIN)/python -m pytest --numprocesses 4 --dist worksteal
# What depends on the server's version: the SQL of the warehouse and the checks, what a server does when it is disturbed,
# and whole syncs that run every statement of the marts, of deletions, merges, retention and other programs' tables.
# Everything else of a sync is the same on every version, and `make test` runs it on the newest.
SQL_TESTS := $(addprefix intercom_sync_tests/,warehouse orchestration/checks survival/postgres \
  $(addprefix end_to_end/test_,required_cases.py idempotence.py leaving.py merging.py other_tables.py retention.py \
    upgrades.py))
POSTGRES_VERSIONS ?= 15 16

.PHONY: demo test test-postgres check docs audit licenses bench screenshots install lock

demo: install ## a sandbox Intercom, a full sync, and the Dagster UI
	$(BIN)/intercom-sync demo

test: install ## the whole test suite
	$(PYTEST) $(or $(ARGS),-m "not alone")
	$(if $(ARGS),,$(BIN)/python -m pytest -m alone)

test-postgres: $(POSTGRES_VERSIONS:%=test-postgres-%) ## what runs SQL, on the older PostgreSQL 15 (Debian's postgresql-15) and 16

test-postgres-%: install
	INTERCOM_SYNC_TEST_POSTGRES=$* $(PYTEST) -m "not slow" $(or $(ARGS),$(SQL_TESTS))

check: install ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: install ## generate the reference pages from the code: docs/columns.md, the settings in docs/configuration.md
	$(BIN)/python -m intercom_sync_tests.docs

audit: install ## known vulnerabilities of what the lock pins; packages whose advisories cannot be fetched are listed
	$(BIN)/pip-audit --requirement requirements.lock --disable-pip --require-hashes --progress-spinner off

licenses: install ## generate the list of licenses from what is installed; docs/licenses-windows.md is written by hand
	$(BIN)/pip-licenses --format markdown --from mixed --with-system --packages $$(sed -nE 's/^([A-Za-z0-9._-]+)==.*/\1/p' requirements.lock requirements-build.lock) > docs/licenses.md

bench: install ## speed, each figure with its floor
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: install ## pictures of the UI after two syncs of the sandbox (needs Chromium)
	$(BIN)/python -m intercom_sync_tests.browser.screenshots $(or $(ARGS),screenshots)

install: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: install ## compile the locks from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --constraint requirements-dev.lock - -o requirements-build.lock
