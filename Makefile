# `make run` and `make test` need Python >= 3.11 and PyPI, nothing else: no root, no conda, no GPU.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
CONFIG ?= config/digits-thesis.yaml config/config.yaml

# Baselines side by side; each prints its table and writes benchmarks/results/<name>.json, and all together make
# benchmarks/README.md. Leave the machine idle.
BENCH ?= seeds profile_stages storage index pca zoo_cpu zoo_gpu decoding workflow growth

.PHONY: run test slurm browser lint format bench docs docs-serve clean

run: .venv/run
	@$(BIN)/wsl run $(CONFIG) --cores $(CORES) --resume '$(strip make run $(MAKEOVERRIDES))'

# Everything that this machine can run, slow tests too; `.venv/bin/pytest` alone runs the quick ones.
test: lint
	$(BIN)/pytest -m "slow or not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What tests of a real one-node Slurm need, from Debian and as root; without it `make test` skips them.
slurm:
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends \
	  munge slurmctld slurmd slurm-client

# A browser, in which a test looks through both reports; from Debian and as root too.
browser:
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: .venv/run
	$(foreach name,$(BENCH),$(BIN)/python benchmarks/$(name).py &&) $(BIN)/python benchmarks/readme.py

# The documentation, into site/; `make docs-serve` shows it at http://127.0.0.1:8000 and follows edits.
docs: .venv/docs
	$(BIN)/mkdocs build --strict

docs-serve: .venv/docs
	$(BIN)/mkdocs serve

# A stamp a set of packages; a change of pyproject or constraints installs anew.
.venv/run: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit('wsl needs Python >= 3.11; name one: make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/test: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	touch $@

.venv/docs: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf .venv .snakemake site
