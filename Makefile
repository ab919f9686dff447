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

PYTHON_VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
IS_LATEST = $(filter-out 0,$(LATEST))
VENV ?= $(if $(IS_LATEST),.venv-latest,.venv)
RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed
REQUIRED = pyproject.toml functest_requirements.txt cli/pyproject.toml cli/pulp-glue-conda/pyproject.toml
PACKAGES = --editable '.[docs,embedded,test]' --requirement functest_requirements.txt

.PHONY: demo docs pictures test test-slow lint lint-collection bench constraints clean always

demo: $(INSTALLED)
	$(RUN) -m pulp_conda.quickstart demo $(if $(UPSTREAM),--upstream "$(UPSTREAM)") $(if $(SPECS),--specs "$(SPECS)")

# NO_MKDOCS_2_WARNING: mkdocs-material tells at each start that it has a successor.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --clean
	@echo 'The site is in site/. To read it: $(RUN) -m http.server --bind 127.0.0.1 --directory site'

# The pictures of the README. They need Debian's chromium.
pictures: $(INSTALLED)
	$(RUN) -m tests.pictures

test: $(INSTALLED)
	$(RUN) -m pytest -n $(JOBS) --ignore tests/slow

test-slow: $(INSTALLED)
	$(RUN) -m pytest -n $(JOBS) tests/slow

lint: $(INSTALLED)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	@if grep -q '^\[tool\.mypy\]' pyproject.toml; then echo '$(RUN) -m mypy'; $(RUN) -m mypy; fi

# What Ansible's own programs say of the collection. They install what they need from the network, and look at files of
# git in a folder with the collection's name.
COLLECTIONS = .venv-collection/ansible_collections
lint-collection:
	$(PYTHON) -m venv --clear .venv-collection
	.venv-collection/bin/python -m pip install --quiet ansible-lint
	mkdir -p $(COLLECTIONS)/pulp
	git archive --prefix conda/ HEAD:ansible | tar --extract --directory $(COLLECTIONS)/pulp
	git -C $(COLLECTIONS)/pulp/conda init --quiet
	git -C $(COLLECTIONS)/pulp/conda add --all
	cd $(COLLECTIONS)/pulp/conda && PATH="$(CURDIR)/.venv-collection/bin:$$PATH" && \
		ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.venv-collection ansible-lint --offline --profile production && \
		ansible-test sanity --requirements --python $(PYTHON_VERSION)

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
	rm -rf .venv .venv-latest .venv-constraints .venv-collection $(VENV) build site *.egg-info cli/build cli/src/*.egg-info cli/*/build cli/*/src/*.egg-info

# Made from nothing, so that no library of an older list stays. With LATEST it is brought up to date each time.
$(INSTALLED): $(REQUIRED) $(if $(IS_LATEST),always,constraints.txt)
	$(PYTHON) -m venv $(if $(IS_LATEST),,--clear) $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet $(if $(IS_LATEST),--upgrade --upgrade-strategy eager,--constraint constraints.txt) $(PACKAGES)
	touch $@
