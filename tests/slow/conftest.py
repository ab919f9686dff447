"""A Pulp for pages of the docs, which make things of the same names."""

import pytest

from tests.docs.steps import Shell, run_parts
from tests.support.conda import CondaPulp
from tests.support.stack import running_stack

# What the next guide may make as well, in an order in which it can be deleted.
_MADE = [
    "conda/lifecycles/",
    "distributions/conda/conda/",
    "repositories/conda/conda/",
    "remotes/conda/conda/",
]


@pytest.fixture(scope="session")
def docs_stack():
    """The processes of a Pulp for pages of the docs, which make things of the same names."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def empty_docs_stack(docs_stack):
    """Return a function that removes what other pages made."""

    def empty():
        with CondaPulp(docs_stack.api_url, "admin", docs_stack.password) as pulp:
            for path in _MADE:
                for made in pulp.list(path):
                    pulp.delete(made["pulp_href"])
                if path == "conda/lifecycles/":
                    # What virtual channels merge cannot be deleted before them.
                    for made in pulp.list("repositories/conda/conda/"):
                        if made["merged_channels"]:
                            pulp.delete(made["pulp_href"])
            for user in pulp.list("users/"):
                if user["username"] != "admin":
                    pulp.delete(user["pulp_href"])
            pulp.post("orphans/cleanup/", orphan_protection_time=0)

    return empty


@pytest.fixture
def run_docs(docs_stack, empty_docs_stack, tmp_path):
    """Run parts of pages against an empty Pulp."""
    empty_docs_stack()
    shell = Shell(tmp_path, docs_stack.state.folder)
    return lambda parts: run_parts(shell, docs_stack.state.facts["ports"], parts)
