# make setup | demo | test | check | bench | docs | clean | distclean
#
# PYTHON        the interpreter that makes .venv (3.11 or newer)
# TORCH_INDEX   an extra package index for torch; on Linux, https://download.pytorch.org/whl/cpu
#               avoids several GB of CUDA libraries

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
STAMP := .venv/.simsearch-ready
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench docs clean distclean

help:
	@echo "make setup      .venv with everything that is needed"
	@echo "make demo       the tour: learn, index, query, recognise"
	@echo "make check      set up; lint, format, types, layers, tests"
	@echo "make test       the same and the slow tests: trainings, many kills, the page in a browser"
	@echo "make bench      the measurements"
	@echo "make docs       the command reference, from --help"
	@echo "make clean      remove caches, build output and demo output"
	@echo "make distclean  the same, and .venv"

setup: $(STAMP)

# torch comes first and by its exact version: left to a dependency, pip would choose a build by itself.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "simsearch needs Python 3.11 or newer; $(PYTHON) is older or missing: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install -c constraints.txt -e ".[all,test]"
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal --no-cov -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

bench: setup
	$(BIN)/python benchmarks/run.py

docs: setup
	$(BIN)/python docs/generate_commands.py

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
	rm -rf demo-output benchmarks/results
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
