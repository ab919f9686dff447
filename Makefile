# The commands that the README names. All of them work on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
UPSTREAM ?=
SPECS ?=
SIZE ?= 200000
ONLY ?=
CHECK ?=

RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed

.PHONY: demo test lint bench clean

demo: $(INSTALLED)
	$(RUN) -m pulp_conda.quickstart demo $(if $(UPSTREAM),--upstream "$(UPSTREAM)") $(if $(SPECS),--specs "$(SPECS)")

test: $(INSTALLED)
	$(RUN) -m pytest

lint: $(INSTALLED)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

bench: $(INSTALLED)
	@$(RUN) -m tests.bench --size "$(SIZE)" $(if $(ONLY),--only "$(ONLY)") $(if $(filter-out 0,$(CHECK)),--check)

clean:
	rm -rf $(VENV) build *.egg-info cli/build cli/src/*.egg-info cli/*/build cli/*/src/*.egg-info

$(INSTALLED): pyproject.toml functest_requirements.txt cli/pyproject.toml cli/pulp-glue-conda/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[embedded,test]' --requirement functest_requirements.txt
	touch $@
