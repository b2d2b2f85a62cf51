# Needs Python 3.11 or later and make; everything else is fetched into .venv by `install`,
# from requirements.lock, whose hashes pip checks. Run `make help` for the list.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed

# Which Python makes the virtual environment: the one you name, else the first that is new
# enough.
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)

# Time zones come from the pinned tzdata package on every process, never from the machine's
# files: they differ, and a due time computed twice must come out the same.
export PYTHONTZPATH :=

# Hashes, and no address to fetch from: where packages come from is this machine's business.
COMPILE := $(PY) -m uv pip compile pyproject.toml --universal --generate-hashes \
	--no-emit-index-url --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-long lint format bench lock clean

help: ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  Options go in ARGS:  make demo ARGS="--stay"   make test ARGS="-k coupon"'

install: $(STAMP) ## Make .venv from the lock file; does nothing when it is up to date.

demo: $(STAMP) ## Twenty trial customers live through thirty days in two minutes.
	@$(BIN)/parcours demo $(ARGS)

dev: $(STAMP) ## The whole stack in this terminal, data under .parcours/. Ctrl-C stops it.
	@$(BIN)/parcours dev $(ARGS)

test: lint ## Lint, then every test that does not take minutes.
	$(PY) -m pytest -m "not long" $(ARGS)

test-long: $(STAMP) ## The tests that take minutes: kill -9 rounds, wide fuzzing, browsers.
	$(PY) -m pytest -m long $(ARGS)

lint: $(STAMP) ## ruff, mypy --strict, and the directions in which rooms may import.
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Let ruff rewrite what it can.
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(STAMP) ## The benchmarks, each printing ratios from one run.
	$(PY) -m benchmarks $(ARGS)

lock: $(STAMP) ## Compile the lock files anew from pyproject.toml (needs the network).
	$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet uv
	$(COMPILE) --all-extras --output-file requirements.lock $(ARGS)
	$(COMPILE) --extra build --constraint requirements.lock --no-annotate \
		--output-file requirements-image.lock

clean: ## Remove .venv and what tools left behind; .parcours/ (your data) stays.
	rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last, so an interrupted installation is taken up again. --no-build-isolation: the
# build backend comes from the lock file too, not from wherever pip would fetch it.
$(STAMP): requirements.lock pyproject.toml
	@if [ ! -x $(PY) ] || ! $(PY) -m pip --version >/dev/null 2>&1; then \
		for python in $(CANDIDATES); do \
			if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				found="$$python"; break; \
			fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Parcours needs Python 3.11 or later, and none of these is one: $(strip $(CANDIDATES))." >&2; \
			echo "Install it (Debian: apt install python3 python3-venv), or name it: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$found"; \
		if ! "$$found" -m venv --clear $(VENV); then \
			echo "This Python cannot make virtual environments. Debian and Ubuntu keep that part apart: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	fi
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
