# `make run` and `make test` need Python >= 3.11 and PyPI. They need no root, conda or GPU.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
CONFIG ?= config/digits-thesis.yaml config/config.yaml

# Each benchmark prints a table and writes benchmarks/results/<name>.json; benchmarks/README.md contains all of them. Run
# nothing else on the machine. BENCH=sane needs SANE=<checkout of github.com/HSG-AIML/SANE> and its packages.
BENCH ?= seeds profile_stages storage index pca zoo_cpu batches zoo_gpu decoding workflow growth

.PHONY: run test debian slurm browser lint lint-code lint-layers lint-rules format bench docs docs-serve clean

# Packages are installed without compiled modules, and the first import of a module leaves its own.
unexport PYTHONDONTWRITEBYTECODE

run: .venv/run
	@$(BIN)/wsl run $(CONFIG) --cores $(CORES) --resume '$(strip make run $(MAKEOVERRIDES))'

# All tests that this machine can run, including slow ones; `.venv/bin/pytest` runs only the quick ones. Two processes
# more than cores, since tests of Slurm, terminals and kills mostly wait; with one thread each, since more would compete
# for the cores. `make --jobs slurm browser test` installs everything at the same time, and then tests.
test: export OMP_NUM_THREADS = 1
test: export OPENBLAS_NUM_THREADS = 1
test: lint | $(filter slurm browser,$(MAKECMDGOALS))
	$(BIN)/pytest -m "slow or not slow" --numprocesses 4 --dist loadfile --no-loadscope-reorder

# Debian packages for the tests of a real one-node Slurm; run as root. Without them `make test` skips these tests.
slurm: debian
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends \
	  munge slurmctld slurmd slurm-client

# A browser for the tests of the reports; on Debian, run as root.
browser: debian | $(filter slurm,$(MAKECMDGOALS))
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver

debian:
	apt-get update --quiet=2

lint: lint-code lint-layers lint-rules

lint-code: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow

lint-layers: .venv/test
	$(BIN)/lint-imports

lint-rules: .venv/test
	$(BIN)/snakemake --lint

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: .venv/run
	$(foreach name,$(BENCH),$(BIN)/python benchmarks/$(name).py &&) $(BIN)/python benchmarks/readme.py

# Build the documentation into site/; `make docs-serve` shows it at http://127.0.0.1:8000 and updates it on changes.
docs: .venv/docs
	$(BIN)/mkdocs build --strict

docs-serve: .venv/docs
	$(BIN)/mkdocs serve

# One stamp for each set of packages, all of which include that of `run`; a change of pyproject.toml or constraints.txt
# installs them again.
EXTRA_run := workflow
EXTRA_test := test
EXTRA_docs := workflow,docs
.venv/run .venv/test .venv/docs: .venv/%: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit('wsl needs Python >= 3.11; select one: make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	@$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable ".[$(EXTRA_$*)]"
	touch .venv/run $@

clean:
	rm -rf .venv .snakemake site
