# A new user only needs `make bench` and `make test`. Both first install what they need, once.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: install bench leaderboard gpu test test-slow lint types docs hooks clean

bench: install
	@$(RUN) bench.py run quick

# The frozen track on CIFAR and its leaderboard. DATA=DIR names a folder with cifar10 and cifar100; otherwise they are downloaded.
FROZEN = frozen_cifar10 frozen_cifar100 frozen_cifar10_step frozen_cifar100_step frozen_balanced
leaderboard: install
	@$(RUN) bench.py run $(FROZEN) $(if $(DATA),--data $(DATA))
	@$(RUN) bench.py export $(FROZEN:%=--run %) --out results/runs/leaderboard

# The measurements that need a GPU, which take half an hour (docs/gpu.md). Repeat the command to continue. DATA=DIR as above.
gpu: install
	@PYTHONPATH=.:benchmarks $(RUN) benchmarks/gpu.py $(if $(DATA),--data $(DATA))

# Two processes, because a test that starts Ray takes two cores for itself. WORKERS=N sets another number.
WORKERS ?= 2
test: install
	@$(RUN) -m pytest -n $(WORKERS) --dist worksteal

# The tests that take long: runs and studies that are killed, suites with stages, and a wheel that is built, installed and used.
test-slow: install
	@$(RUN) -m pytest -m slow

lint: install
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

types: install
	@$(RUN) -m mypy

# The documentation as a website in site/. It needs no network once its requirements are installed. A warning, for example about a
# dead link, is an error.
docs: $(VENV)/.installed-docs
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet
	@echo "site/index.html"

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

hooks: install
	@$(RUN) -m pre_commit install

install: $(VENV)/.installed

# Installs once, and again when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 …")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest site .pytest_cache .mypy_cache .ruff_cache
