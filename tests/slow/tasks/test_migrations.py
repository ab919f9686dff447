"""What migrations do with the rows that are there."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from pulp_conda.app.models import CondaRemote
from tests.support import databases


@pytest.fixture
def at(django_db_blocker):
    """Take a database of one's own to the state of an earlier migration of the plugin, and return
    the models of that state.
    """

    def migrate(name):
        executor = MigrationExecutor(connection)
        targets = [(app, migration) for app, migration in executor.loader.graph.leaf_nodes()]
        if name:
            targets = [("conda", name)]
        return executor.migrate(targets).apps

    with databases.copied(databases.MIGRATED) as copy, databases.used(copy):
        with django_db_blocker.unblock():
            yield migrate


def test_secrets_of_remotes_are_masked_in_the_rows_of_pulpcore(at):
    old = at("0010_blocks")
    domain = old.get_model("core", "Domain").objects.get(name="default")
    url, headers = "https://h/t/tk-1/conda-forge", [{"X-Api-Key": "key-1"}, {"Accept": "a/b"}]
    for name, facts in {"secret": {"url": url, "headers": headers}, "plain": {"url": "u"}}.items():
        old.get_model("conda", "CondaRemote").objects.create(
            name=name, pulp_type="conda.conda", pulp_domain=domain, **facts
        )

    at(None)
    rows = dict(CondaRemote.objects.values_list("name", "url"))
    assert rows == {"secret": "https://h/t/***/conda-forge", "plain": "u"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT url, headers::text FROM core_remote")
        assert not any("tk-1" in f"{row}" or "key-1" in f"{row}" for row in cursor.fetchall())
        cursor.execute("SELECT unmasked FROM conda_condaremote")
        assert not any("tk-1" in f"{row}" or "key-1" in f"{row}" for row in cursor.fetchall())
    remote = CondaRemote.objects.get(name="secret")
    assert (remote.url, remote.headers) == (url, headers)
    assert CondaRemote.objects.get(name="plain").url == "u"

    back = at("0010_blocks").get_model("conda", "CondaRemote").objects.get(name="secret")
    assert (back.url, back.headers) == (url, headers)
