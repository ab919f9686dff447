import importlib
import sys

import pytest

from pulpcore.plugin.exceptions import ReplicateError


@pytest.fixture
def replica_without_glue(monkeypatch):
    """The module as it is loaded on a server that has no `pulp-glue-conda`."""
    from pulp_conda.app import replica

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pulp_glue.conda.context", None)
        yield importlib.reload(replica)
    importlib.reload(replica)


def test_a_server_without_the_glue_starts_and_says_what_replication_needs(replica_without_glue):
    (replicator,) = replica_without_glue.REPLICATION_ORDER
    with pytest.raises(ReplicateError, match="need the Python package 'pulp-glue-conda'"):
        next(replicator.__new__(replicator).upstream_distributions())
