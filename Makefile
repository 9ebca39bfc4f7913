# Sets up and runs everything. Needs Python 3.11 or newer, git and make; works with GNU make 3.81.
#
#   make demo                            sample videos through the whole chain
#   make demo VIDEOS=/path N_SAMPLES=20  the same for your own videos
#   make dev                             the Dagster UI with the sample videos
#   make test                            the test suite
#   make test-fast                       the quick part of it, under a minute
#   make deploy-test                     several machines: PostgreSQL, Redis and Celery workers on this one
#   make test-ceph                       datasources on Ceph, where Debian's packages of it are installed
#   make coverage                        the suite, and the lines it does not reach
#   make soak                            videos arrive for twenty minutes while everything fails now and then
#   make lint                            ruff, mypy, import contracts, generated pages
#   make docs                            the documentation as a site, in site/
#
# Without an NVIDIA driver the CPU build of torch is installed, which spares 2.3 GB of CUDA libraries, as
# long as its package index can be reached. TORCH=cpu insists on it, TORCH=cu130 on that CUDA's build.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
WORKERS ?= 2
DEMO_FOLDER ?= demo_data
DAGSTER_HOME ?= $(CURDIR)/.dagster_home
PORT ?= 3000

.PHONY: install demo demo-s3 dev test test-fast coverage docs lint format lock fuzz loss segments bench-chain bench-encoder bench-images bench-inputs bench-orchestration bench-own-vectors bench-selection bench-mixtures bench-networks bench-objects bench-report bench-start bench-stores bench-telemetry bench-typicality bench-video clean bench-catalogue deploy-test bench-deploy soak test-ceph help

# The suite and the benchmarks start hundreds of processes: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

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

# Succeeds where no NVIDIA driver is found and the CPU builds can be had; uv knows their index.
define CPU_BUILD_FITS
[ "$$(uname -s) $$(uname -m)" = "Linux x86_64" ] \
  && ! [ -e /proc/driver/nvidia/version ] && ! command -v nvidia-smi >/dev/null \
  && printf 'torch\ntorchvision\n' | UV_TORCH_BACKEND=cpu UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=5 \
    timeout 15 $(BIN)/uv pip compile --quiet --no-deps --python $(BIN)/python \
    --constraint requirements.lock - >/dev/null 2>&1
endef

$(STAMP): pyproject.toml requirements.lock | $(BIN)/uv
	@backend="$${TORCH:-$$UV_TORCH_BACKEND}"; \
	if [ -z "$$backend" ] && $(CPU_BUILD_FITS); then backend=cpu; fi; \
	if [ "$$backend" = cpu ]; then \
	  echo "Installing about 0.6 GB of packages (torch for the CPU) ..."; \
	elif [ "$$(uname -s) $$(uname -m)" = "Linux x86_64" ]; then \
	  echo "Installing about 3 GB of packages, 2.3 GB of them CUDA libraries that torch brings ..."; \
	else \
	  echo "Installing about 0.6 GB of packages ..."; \
	fi; \
	$${backend:+env UV_TORCH_BACKEND="$$backend"} $(BIN)/uv pip install --quiet \
	  --python $(BIN)/python --constraint requirements.lock --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/lightly-pipeline demo --folder '$(DEMO_FOLDER)' \
	  $(if $(VIDEOS),--videos '$(VIDEOS)') $(if $(N_SAMPLES),--n-samples '$(N_SAMPLES)')

demo-s3: $(STAMP)
	$(BIN)/python -m lightly_pipeline_tests.support.demo_s3

dev: $(STAMP)
	@mkdir -p $(DAGSTER_HOME) && cp deploy/dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	$(BIN)/python -c 'import pathlib; from lightly_pipeline.demo import make_demo_videos; \
	  make_demo_videos(pathlib.Path("demo_data/videos"))'
	DAGSTER_HOME='$(DAGSTER_HOME)' PATH="$(CURDIR)/$(BIN):$$PATH" \
	  LIGHTLY_PIPELINE_DATASETS="$${LIGHTLY_PIPELINE_DATASETS:-$(CURDIR)/deploy/demo_datasets.yaml}" \
	  $(BIN)/dagster dev --workspace workspace.yaml --port $(PORT)

test: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -q

test-fast: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -q -m 'not slow and not integration'

deploy-test: $(STAMP)
	$(BIN)/pytest -q lightly_pipeline_tests/deploy

# apt install ceph-mon ceph-osd radosgw ceph-common
test-ceph: $(STAMP)
	LIGHTLY_PIPELINE_TEST_CEPH=1 $(BIN)/pytest -n 0 -q -k ceph \
	  lightly_pipeline_tests/datasources/test_contract.py

coverage: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -q --cov --cov-report=term-missing:skip-covered --cov-report=html

$(DOCS_STAMP): $(STAMP)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock \
	  --requirement pyproject.toml --extra docs
	@touch $(DOCS_STAMP)

docs: $(DOCS_STAMP)
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html; the search works when it is served: python3 -m http.server -d site"

fuzz: $(STAMP)
	SVT_LOG=1 $(BIN)/python -m lightly_pipeline_tests.video.fuzz

loss: $(STAMP)
	SVT_LOG=1 $(BIN)/python -m lightly_pipeline_tests.video.loss 2>/dev/null

segments: $(STAMP)
	SVT_LOG=1 $(BIN)/python -m lightly_pipeline_tests.tables.segments 2>/dev/null

soak: $(STAMP)
	$(BIN)/python -m lightly_pipeline_tests.reliability.soak $(SOAK)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	  --no-header --upgrade pyproject.toml --output-file requirements.lock

bench-chain: $(STAMP)
	$(BIN)/python -m benchmarks.chain

# PEERS=/path/to/python names an interpreter with OpenCV, torchcodec or decord.
bench-video: $(STAMP)
	$(BIN)/python -m benchmarks.video $(if $(PEERS),--peers '$(PEERS)') $(BENCH)

bench-images: $(STAMP)
	$(BIN)/python -m benchmarks.images $(BENCH)

bench-deploy: $(STAMP)
	$(BIN)/python -m benchmarks.deploy

bench-encoder: $(STAMP)
	$(BIN)/python -m benchmarks.encoder

bench-inputs: $(STAMP)
	$(BIN)/python -m benchmarks.inputs

bench-orchestration: $(STAMP)
	$(BIN)/python -m benchmarks.orchestration

bench-catalogue: $(STAMP)
	$(BIN)/python -m benchmarks.catalogue $(BENCH)

bench-own-vectors: $(STAMP)
	$(BIN)/python -m benchmarks.own_vectors

bench-selection: $(STAMP)
	$(BIN)/python -m benchmarks.selection

bench-mixtures: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 RAYON_NUM_THREADS=1 $(BIN)/python -m benchmarks.mixtures

bench-networks: $(STAMP)
	$(BIN)/python -m benchmarks.networks $(BENCH)

bench-objects: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.objects

bench-typicality: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.typicality

bench-report: $(STAMP)
	$(BIN)/python -m benchmarks.report

# AGAINST=/path/to/checkout measures that one, too, in turns.
bench-start: $(STAMP)
	$(BIN)/python -m benchmarks.start $(if $(AGAINST),--against '$(AGAINST)')

bench-stores: $(STAMP)
	$(BIN)/python -m benchmarks.stores

bench-telemetry: $(STAMP)
	$(BIN)/python -m benchmarks.telemetry

clean:
	rm -rf $(VENV) build dist site htmlcov .coverage bench_data $(DEMO_FOLDER) .pytest_cache .mypy_cache .ruff_cache
