# The commands that the README names. All of them work on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
UPSTREAM ?=
SPECS ?=
SIZE ?= 200000
ONLY ?=
CHECK ?=
# How many processes share the tests. They often wait for a server or a program, so more than cores.
JOBS ?= 4
# 1: the newest libraries that pyproject.toml allows, instead of the tested ones.
LATEST ?=

IS_LATEST = $(filter-out 0,$(LATEST))
VENV ?= $(if $(IS_LATEST),.venv-latest,.venv)
RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed
REQUIRED = pyproject.toml functest_requirements.txt cli/pyproject.toml cli/pulp-glue-conda/pyproject.toml
PACKAGES = --editable '.[docs,embedded,test]' --requirement functest_requirements.txt

.PHONY: demo docs test test-slow lint bench constraints clean always

demo: $(INSTALLED)
	$(RUN) -m pulp_conda.quickstart demo $(if $(UPSTREAM),--upstream "$(UPSTREAM)") $(if $(SPECS),--specs "$(SPECS)")

# NO_MKDOCS_2_WARNING: mkdocs-material tells at each start that it has a successor.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --clean
	@echo 'The site is in site/. To read it: $(RUN) -m http.server --bind 127.0.0.1 --directory site'

test: $(INSTALLED)
	$(RUN) -m pytest -n $(JOBS) --ignore tests/slow

test-slow: $(INSTALLED)
	$(RUN) -m pytest -n $(JOBS) tests/slow

lint: $(INSTALLED)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	@if grep -q '^\[tool\.mypy\]' pyproject.toml; then echo '$(RUN) -m mypy'; $(RUN) -m mypy; fi

bench: $(INSTALLED)
	@$(RUN) -m tests.bench --size "$(SIZE)" $(if $(ONLY),--only "$(ONLY)") $(if $(filter-out 0,$(CHECK)),--check)

# Writes down the newest libraries that pyproject.toml allows, for all other commands to use.
constraints:
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/python -m pip install --quiet --upgrade pip
	.venv-constraints/bin/python -m pip install --quiet $(PACKAGES)
	.venv-constraints/bin/python -m pip freeze --exclude-editable >.venv-constraints/frozen.txt
	mv .venv-constraints/frozen.txt constraints.txt
	rm -rf .venv-constraints

clean:
	rm -rf .venv .venv-latest .venv-constraints $(VENV) build site *.egg-info cli/build cli/src/*.egg-info cli/*/build cli/*/src/*.egg-info

# Made from nothing, so that no library of an older list stays. With LATEST it is brought up to date each time.
$(INSTALLED): $(REQUIRED) $(if $(IS_LATEST),always,constraints.txt)
	$(PYTHON) -m venv $(if $(IS_LATEST),,--clear) $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet $(if $(IS_LATEST),--upgrade --upgrade-strategy eager,--constraint constraints.txt) $(PACKAGES)
	touch $@
