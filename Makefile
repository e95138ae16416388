# `make env`, `make validate` and `make test` do everything from a fresh clone: environment, installation, work.
LEVEL ?= quick
BASELINE := $(if $(filter quick,$(LEVEL)),baseline.json,baseline-$(LEVEL).json)
PYTHON := .venv/bin/python

# a hundred processes of the tests read what one compiled, also where the shell asks Python to write no bytecode
test test-torch test-all: export PYTHONDONTWRITEBYTECODE :=
# workers share the cores already: threads of BLAS would wait for each other
test test-torch test-all: export OPENBLAS_NUM_THREADS ?= 1
# loops on several threads are compiled apart, which takes longer than all that runs in them: `make test-all` has them
test test-torch: export NUMBA_NUM_THREADS ?= 1
# and so for what JAX compiled, for the next run too
test test-all: export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.pytest_cache/jax
test test-all: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0
test test-all: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES ?= -1

.PHONY: env validate test test-torch test-all lint figures docs bench baseline clean

env: .venv/ready
	@echo "The environment is .venv; . .venv/bin/activate makes mfgpde and its Python those of this shell."

validate: .venv/ready
	@.venv/bin/mfgpde validate --level $(LEVEL)

test: .venv/ready
	@$(PYTHON) -m pytest -q -n auto --dist worksteal -m "not slow" $(OPTIONS)

test-torch: .venv/ready
	@.ci/torch

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
