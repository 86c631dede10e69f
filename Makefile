# make run and make test are all that a newcomer needs; each sets up first.
PYTHON ?= python3
DIST ?= dist
BIN := .venv/bin
READY := .venv/.mtlrun-ready

.PHONY: help setup run test test-all evidence docs lint format wheel clean
help:
	@echo "make run        set up, then train: mtlrun loss=uncertainty lr=per_head"
	@echo "make test       set up, then lint, types and tests (about 5 minutes)"
	@echo "make test-all   the same with the slow tests"
	@echo "make evidence   run the experiment of every mechanism (12 minutes), write docs/evidence.md"
	@echo "make docs       the documents as a site in dist/site, with every link checked"
	@echo "make setup      create .venv with mtlrun and demos/ (PYTHON=python3.12 chooses another Python)"
	@echo "make lint       ruff and mypy        make format   ruff's formatter"
	@echo "make wheel      sdist and wheel in dist/"
	@echo "make clean      remove caches and dist/; .venv and outputs/ stay"

setup: $(READY)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "mtlrun needs Python 3.11, 3.12 or 3.13: make setup PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv

$(READY): pyproject.toml demos/pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,dev]' --editable demos
	@touch $@

run: setup
	$(BIN)/mtlrun loss=uncertainty lr=per_head

test: lint
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-all: lint
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m ''

evidence: setup
	$(BIN)/python -m evidence

docs: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/site/pages.py dist/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "read it: $(BIN)/python -m http.server --directory dist/site, then http://localhost:8000"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup
	rm -rf $(DIST)
	$(BIN)/python -m build --outdir $(DIST) .

clean:
	rm -rf dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find mtlrun demos evidence tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
