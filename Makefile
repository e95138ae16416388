# `make env`, `make validate` and `make test` do everything from a fresh clone: environment, installation, work.
LEVEL ?= quick
BASELINE := $(if $(filter quick,$(LEVEL)),baseline.json,baseline-$(LEVEL).json)
PYTHON := .venv/bin/python

# what tests set for themselves and their processes is in tests/conftest.py; here loops run on several threads, too
test-all: export NUMBA_NUM_THREADS ?= $(shell getconf _NPROCESSORS_ONLN)

.PHONY: env validate test test-torch test-slow test-all lint figures docs bench baseline clean

env: .venv/ready
	@echo "The environment is .venv; . .venv/bin/activate makes mfgpde and its Python those of this shell."

validate: .venv/ready
	@.venv/bin/mfgpde validate --level $(LEVEL)

test: .venv/ready
	@$(PYTHON) -m pytest -q -n auto --dist worksteal -m "not slow" $(OPTIONS)

test-torch: .venv/ready
	@.ci/torch

test-slow: .venv/ready
	@$(PYTHON) -m pytest -q -n auto --dist worksteal -m slow $(OPTIONS)

test-all: .venv/ready
	@$(PYTHON) -m pytest -q -n auto --dist worksteal $(OPTIONS)

lint: .venv/ready
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

figures: .venv/ready
	@.venv/bin/mfgpde figures --against figures/baseline.json

docs: figures
	@$(PYTHON) -m sphinx -q -W --keep-going -b html docs results/docs && echo "Documentation: results/docs/index.html"

bench: .venv/ready
	@.venv/bin/mfgpde bench

baseline: .venv/ready
	@.venv/bin/mfgpde validate --level $(LEVEL) && cp results/$(LEVEL)/run.json validation/$(BASELINE)
	@test $(LEVEL) != quick || .venv/bin/mfgpde figures --store figures/baseline.json

clean:
	rm -rf .venv results

.PHONY: .venv/ready
.venv/ready:
	@command -v python3 > /dev/null || { echo "mfgpde needs Python 3.12 or newer with venv, and a C compiler: apt-get install python3 python3-venv gcc on Debian 13 or Ubuntu 24.04 and newer, elsewhere pyenv install 3.12."; exit 1; }
	@python3 .ci/bootstrap.py
