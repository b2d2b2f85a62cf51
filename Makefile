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

# Segment clients as they come from the registries, for the tests: each in a folder of its
# own, since no environment holds two versions of one package.
CLIENTS := $(VENV)/clients
PYTHON_CLIENTS := $(basename $(notdir $(wildcard tests/clients/python/*.lock)))
NODE_CLIENTS := $(notdir $(patsubst %/package-lock.json,%,$(wildcard tests/clients/node/*/package-lock.json)))
# Without Node its clients stay away: their tests say so and skip, or fail in CI.
INSTALLED_CLIENTS := $(patsubst %,$(CLIENTS)/%/.installed,$(PYTHON_CLIENTS) \
	$(if $(shell command -v npm),$(NODE_CLIENTS)))

# Hashes, and no address to fetch from: where packages come from is this machine's business.
COMPILE := $(PY) -m uv pip compile --universal --generate-hashes \
	--no-emit-index-url --no-header --quiet

# Tests wait for servers as often as they compute, so two at a time take half as long. A file
# stays together: its tests share what is dear to set up.
IN_PARALLEL := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install clients demo dev test test-long test-wide lint format bench lock schemas clean

help: ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  Options go in ARGS:  make demo ARGS="--stay"   make test ARGS="-k coupon"'

install: $(STAMP) ## Make .venv from the lock file; does nothing when it is up to date.

clients: $(INSTALLED_CLIENTS) ## The Segment clients that the tests run, into .venv/clients.

demo: $(STAMP) ## Twenty trial customers live through thirty days in two minutes.
	@$(BIN)/parcours demo $(ARGS)

dev: $(STAMP) ## The whole stack in this terminal, data under .parcours/. Ctrl-C stops it.
	@$(BIN)/parcours dev $(ARGS)

test: lint clients ## Lint, then every test that does not take minutes.
	$(PY) -m pytest -m "not long and not wide" $(IN_PARALLEL) $(ARGS)

test-long: $(STAMP) clients ## The tests that take minutes: kill -9 rounds, wide fuzzing, browsers.
	$(PY) -m pytest -m long $(ARGS)

test-wide: $(STAMP) ## The same questions asked ten thousand times: most of an hour, before a release.
	$(PY) -m pytest -m wide $(IN_PARALLEL) $(ARGS)

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

schemas: $(STAMP) ## What editors are told of the journey files, anew from the models and the docs.
	$(PY) -m tests.docs.schemas

lock: $(STAMP) ## Compile the lock files anew from pyproject.toml (needs the network).
	$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet uv
	$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock $(ARGS)
	$(COMPILE) pyproject.toml --extra build --constraint requirements.lock --no-annotate \
		--output-file requirements-image.lock
	for client in $(basename $(wildcard tests/clients/python/*.in)); do \
		$(COMPILE) $$client.in --python-version 3.11 --no-annotate --output-file $$client.lock $(ARGS) || exit; \
	done
	for client in $(dir $(wildcard tests/clients/node/*/package.json)); do \
		npm install --prefix $$client --package-lock-only --omit-lockfile-registry-resolved \
			--ignore-scripts --no-audit --no-fund --silent || exit; \
	done

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

$(CLIENTS)/%/.installed: tests/clients/python/%.lock | $(STAMP)
	@rm -rf $(@D)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --target $(@D) -r $<
	@touch $@

# npm checks the lock file's hashes. A client that runs nothing at installation needs no scripts.
$(CLIENTS)/%/.installed: tests/clients/node/%/package-lock.json tests/clients/node/%/package.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	@touch $@
