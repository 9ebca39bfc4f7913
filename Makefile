# Sets up and runs everything. Needs Python 3.11 or newer, git and make; works with GNU make 3.81.
#
#   make demo                            sample videos through the whole chain
#   make demo VIDEOS=/path N_SAMPLES=20  the same for your own videos
#   make test                            the test suite
#
# TORCH=cpu installs the CPU build of torch and spares 2.3 GB of CUDA libraries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
DEMO_FOLDER ?= demo_data

.PHONY: install demo test lint format lock bench-chain bench-encoder clean help

help:
	@sed -n 's/^#   //p' Makefile

install: $(STAMP)

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python$$version-venv;" >&2; \
	  echo "elsewhere install the venv package of your Python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml requirements.lock | $(BIN)/uv
	@if [ "$(TORCH)" = cpu ]; then \
	  echo "Installing about 0.6 GB of packages (torch for the CPU) ..."; \
	elif [ "$$(uname -s)" = Linux ] && [ "$$(uname -m)" = x86_64 ]; then \
	  echo "Installing about 3 GB of packages, 2.3 GB of them CUDA libraries that torch brings;"; \
	  echo "'make TORCH=cpu ...' goes without them."; \
	else \
	  echo "Installing about 0.6 GB of packages ..."; \
	fi
	$(if $(TORCH),UV_TORCH_BACKEND=$(TORCH)) $(BIN)/uv pip install --quiet --python $(BIN)/python \
	  --constraint requirements.lock --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/lightly-pipeline demo --folder '$(DEMO_FOLDER)' \
	  $(if $(VIDEOS),--videos '$(VIDEOS)') $(if $(N_SAMPLES),--n-samples '$(N_SAMPLES)')

test: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	  --no-header --upgrade pyproject.toml --output-file requirements.lock

bench-chain: $(STAMP)
	$(BIN)/python -m benchmarks.chain

bench-encoder: $(STAMP)
	$(BIN)/python -m benchmarks.encoder

clean:
	rm -rf $(VENV) build dist bench_data $(DEMO_FOLDER) .pytest_cache .mypy_cache .ruff_cache
