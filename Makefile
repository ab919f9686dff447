# The commands that the README names. All of them work on a fresh machine with Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
UPSTREAM ?=
SPECS ?=

RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed

.PHONY: demo test lint clean

demo: $(INSTALLED)
	$(RUN) -m pulp_conda.quickstart demo $(if $(UPSTREAM),--upstream "$(UPSTREAM)") $(if $(SPECS),--specs "$(SPECS)")

test: $(INSTALLED)
	$(RUN) -m pytest

lint: $(INSTALLED)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

clean:
	rm -rf $(VENV) build *.egg-info

$(INSTALLED): pyproject.toml functest_requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[embedded,test]' --requirement functest_requirements.txt
	touch $@
