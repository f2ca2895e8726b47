# `make demo` and `make test` need Python 3.11 with pip, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo test check format lock clean

demo: .venv/installed  ## The whole way on the embedded model and generated support chats
	$(BIN)/afters demo

test: .venv/installed-dev  ## Style, types and every fast test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --dist loadfile

check: .venv/installed-dev  ## The slow tests
	$(BIN)/pytest -m slow

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip pyproject.toml requirements.lock
	$(PIP) install --constraint requirements.lock --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install --constraint requirements.lock --editable '.[dev]'
	touch $@

lock:  ## Pin what a fresh environment takes today
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0
	build/lock/bin/pip install --quiet --editable '.[dev]'
	build/lock/bin/pip freeze --exclude-editable | sed 's/+cpu//' > requirements.lock

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache
