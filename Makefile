# `make study` and `make test` need python3 with its venv module and a package registry, and nothing else.

PYTHON ?= python3
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: study test test-cluster check images setup lock clean

study: setup ## run the default study: tables and figures under results/demo
	@echo "==> Running the study of config.yaml; it goes on where it was stopped"
	. $(VENV)/bin/activate && snakemake --cores $(CORES) --resources gpu=1
	@echo "==> Done: see results/demo/tables and results/demo/figures"

test: check ## lint, types, unit tests and the smoke study
	@echo "==> Running the tests"
	. $(VENV)/bin/activate && python -m pytest -n 2 --dist worksteal

test-cluster: setup ## the workflow on a real Slurm of one node, as root; on Debian installed if missing
	@command -v slurmctld munged > /dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; }
	. $(VENV)/bin/activate && python -m pytest --cluster tests/cluster

check: setup
	@echo "==> Checking style, types and workflow"
	. $(VENV)/bin/activate && ruff check . && ruff format --check . && mypy \
	  && snakefmt --check Snakefile workflow/rules && snakemake --lint

images: setup ## verify the published image benchmarks where studies look for them, and fetch what is missing; or ROOT=folder
	. $(VENV)/bin/activate && python -m pwgan images $(if $(ROOT),--root "$(ROOT)")

setup: $(READY)

$(READY): envs/requirements.lock envs/bootstrap.lock pyproject.toml
	@echo "==> Setting up $(VENV): about 6 GB of packages, a minute or more on a fresh machine"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pwgan needs Python 3.11 or newer, not " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/bootstrap.lock
	$(VENV)/bin/uv pip sync --quiet --python $(VENV)/bin/python --compile-bytecode --require-hashes envs/requirements.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "==> $(VENV) is ready"

lock: setup ## resolve pyproject.toml anew
	$(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --universal --all-extras \
	  pyproject.toml -o envs/requirements.lock

clean: ## remove the environment; results stay
	rm -rf $(VENV)
