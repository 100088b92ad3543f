# Two commands matter: `make replicate` and `make test`. Both set up what they need; `make help` lists the rest.

SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
# Any Python from 3.11 to 3.14; "py" is the launcher of Windows.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python py; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $$p && break; done)
# Where Linux machines without an NVIDIA card take torch from, if it answers (tools/install.py).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
EXTRAS := lab cluster faiss parquet siglip teach test docs browser binder dev
CODE := gapkit teaching tests tools notebooks benchmarks docs

# The same numbers on every machine: one thread, fixed seeds, no progress bars in the output.
QUIET := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONHASHSEED=0 \
	GAPKIT_PROGRESS=0 TQDM_DISABLE=1 JUPYTER_PLATFORM_DIRS=1 PYDEVD_DISABLE_FILE_VALIDATION=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help replicate test lab student install install-all lint format unit doctest test-notebooks test-browser \
	notebooks sync bench book assignments grade readme results lock clean distclean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

replicate: $(VENV)/.installed  ## measure every claim on the shipped models; writes results/
	$(BIN)/gapkit replicate $(ARGS)

test: lint $(VENV)/.installed-all  ## everything CI checks, except the browser
	$(QUIET) $(BIN)/python -m pytest -n 2 --dist loadscope -m "not notebooks and not browser" $(ARGS)
	$(QUIET) $(BIN)/python -m pytest -n 2 --dist worksteal -m "notebooks and not browser" tests/notebooks tests/packaging $(ARGS)

lab: $(VENV)/.installed-all  ## open the learner's lessons in JupyterLab; they lie in my_notebooks/, which git ignores
	$(BIN)/python tools/lab.py $(ARGS)

student: $(VENV)/.installed-all  ## write the learner's lessons to my_notebooks/: stubs to fill in, no outputs (ARGS=folder)
	$(BIN)/python tools/learner.py $(ARGS)

install: $(VENV)/.installed  ## the package and what it needs to run
install-all: $(VENV)/.installed-all  ## the same, with JupyterLab, tests, book and teaching tools

# A virtual environment whose Python does not start, or has no pip, is made again.
BROKEN := $(shell $(BIN)/python -c 'import pip' >/dev/null 2>&1 || echo mend)
INSTALL = TORCH_INDEX=$(TORCH_INDEX) $(or $(PYTHON),$(BIN)/python) tools/install.py --venv $(VENV)

.PHONY: mend
mend:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || \
		{ echo "gapkit needs Python 3.11 to 3.14$(if $(PYTHON),; got $(PYTHON)). Say which: make PYTHON=/path/to/python ..."; exit 2; }

$(VENV)/.installed: pyproject.toml requirements.lock tools/install.py $(BROKEN)
	$(INSTALL)
	@touch $@

$(VENV)/.installed-all: $(VENV)/.installed
	$(INSTALL) $(EXTRAS)
	@touch $@

lint: $(VENV)/.installed-all  ## ruff, import rules, spelling, types, generated parts of README and CONTRIBUTING
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell
	$(BIN)/python tools/readme.py --check
	$(BIN)/python tools/maps.py --check
	$(BIN)/mypy

format: $(VENV)/.installed-all  ## put the code into the house style
	$(BIN)/ruff check --fix $(wildcard $(CODE))
	$(BIN)/ruff format $(wildcard $(CODE))

unit: $(VENV)/.installed-all  ## tests of the package only, quick ones
	$(QUIET) $(BIN)/python -m pytest -m "not slow and not notebooks and not browser and not network" $(ARGS)

test-notebooks: $(VENV)/.installed-all  ## run every notebook: tagged cells strictly, the rest for errors
	$(QUIET) $(BIN)/python -m pytest tests/notebooks $(ARGS)

test-browser: $(VENV)/.installed-all  ## drive the lessons in a real browser (installs chromium where it may)
	@tools/install_chromium.sh
	$(QUIET) $(BIN)/python -m pytest -n 2 --dist load -m browser tests/browser $(ARGS)

notebooks: $(VENV)/.installed-all  ## execute the lessons and update their outputs (NB=05 for one)
	$(QUIET) $(BIN)/python tools/notebooks.py execute $(NB)

sync: $(VENV)/.installed-all  ## bring .ipynb up to date with .py, keeping cell ids and outputs (NB=05 for one)
	$(BIN)/python tools/notebooks.py sync $(NB)

bench: $(VENV)/.installed-all  ## measure speed and memory; writes docs/benchmarks.md (ARGS="--only redraws --strict")
	$(BIN)/python -m benchmarks.run $(ARGS)

book: $(VENV)/.installed-all  ## build the book into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python tools/check_book.py docs/_build/html
	@echo "open docs/_build/html/index.html"

assignments: $(VENV)/.installed-all  ## build the students' notebooks (ARGS="--seed 2027 --dataset NAME" for a variant)
	$(QUIET) $(BIN)/python -m teaching assignments $(ARGS)

grade: $(VENV)/.installed-all  ## grade a folder of notebooks: make grade SUBMITTED=folder
	@test -n "$(SUBMITTED)" || { echo "say what to grade: make grade SUBMITTED=folder"; exit 2; }
	$(QUIET) $(BIN)/python -m teaching grade "$(SUBMITTED)" $(ARGS)

readme: $(VENV)/.installed-all  ## write the generated parts of README.md, docs/repository.md and CONTRIBUTING.md
	$(BIN)/python tools/readme.py
	$(BIN)/python tools/maps.py

results: $(VENV)/.installed  ## replicate on the shipped and on the published models; README.md, docs/results.md, their records
	$(BIN)/gapkit replicate $(ARGS)
	cp results/claims.json docs/claims.json
	$(BIN)/python tools/results.py docs/claims.json docs/results.md
	$(BIN)/gapkit fetch --all $(if $(FROM),--from $(FROM))
	$(BIN)/gapkit replicate --published --out results-published $(ARGS)
	cp results-published/claims.json docs/published.json
	$(BIN)/python tools/results.py docs/published.json docs/results.md
	$(BIN)/python tools/readme.py
	$(BIN)/python tools/recorded.py results-published
	$(BIN)/python tools/data.py manifest
	$(BIN)/python tools/gain_figure.py

# Made with Python 3.11, which needs the most. What only other systems need stays: the lines with a marker.
lock: $(VENV)/.installed-all  ## pin what is installed here
	@{ $(BIN)/python -m pip freeze --exclude-editable --exclude gapkit | sed 's/+cpu$$//'; grep ' ; ' requirements.lock; } | \
	  $(BIN)/python -c "import sys; print('# Every version this project is tested with, for all extras; made by: make lock', \
	    *sorted(sys.stdin.read().split('\n')[:-1], key=lambda pin: pin.partition('==')[0].lower()), sep='\n')" \
	  > requirements.lock.part
	@mv requirements.lock.part requirements.lock

clean:  ## remove what builds and tests leave behind
	rm -rf build dist *.egg-info docs/_build docs/_generated test-artifacts .ruff_cache .hypothesis .import_linter_cache
	find gapkit teaching tests tools notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

distclean: clean  ## the same, and the virtual environment
	rm -rf $(VENV)
