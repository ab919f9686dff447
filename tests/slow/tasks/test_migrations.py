"""What migrations do with the rows that are there."""

from dataclasses import dataclass

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from pulp_conda.app.models import CondaRemote
from tests.support import databases
from tests.support.both_ways import SLOW
from tests.support.builders import make_package
from tests.support.conda import Lifecycle

# The first one with lifecycles, and the last one with secrets in the tables of pulpcore.
WITH_LIFECYCLES = "0005_lifecycle"
WITH_SECRETS = "0010_blocks"

URL, HEADERS = "https://h/t/tk-1/conda-forge", [{"X-Api-Key": "key-1"}, {"Accept": "a/b"}]

METADATA = [
    "repodata.json",
    "repodata.json.zst",
    "repodata_shards.msgpack.zst",
    "run_exports.json",
    "run_exports.json.zst",
]
VALIDATORS = ["ETag", "Last-Modified"]


@dataclass
class Upgraded:
    """A database that was at an early migration, and what the channel in it served.

    Attributes:
        before, after: By stage and path, what clients got before the upgrade and after it, by the
            fast way and by the slow one.
    """

    lifecycle: Lifecycle
    before: dict
    after: dict


def _migrate(name=None):
    """Take the database to a migration of the plugin, or to the newest of all apps, and return the
    models of that state.
    """
    executor = MigrationExecutor(connection)
    targets = [("conda", name)] if name else executor.loader.graph.leaf_nodes()
    return executor.migrate(targets).apps


@pytest.fixture(scope="module")
def upgraded(pulp, make_repository, word):
    """A channel with two stages and a history, and remotes, in a database that is upgraded from the
    first migration with lifecycles.
    """
    with databases.copied(databases.current()) as copy, databases.used(copy):
        packages = [
            make_package(
                f"{name}-{word}",
                subdir=subdir,
                extension=extension,
                info={"run_exports.json": b'{"weak": ["a >=1"]}'},
            )
            for name, subdir, extension in (
                ("a", "noarch", ".conda"),
                ("b", "linux-64", ".tar.bz2"),
                ("c", "linux-64", ".conda"),
            )
        ]
        a, b, c = (pulp.upload(package)["pulp_href"] for package in packages)
        repository = make_repository(autopublish=True)
        pulp.modify(repository, add=[a, b])
        lifecycle = pulp.lifecycle(repository)
        lifecycle.promote("testing")
        lifecycle.promote("stable")
        past = lifecycle.state("testing")
        pulp.modify(repository, add=[c], remove=[b])
        lifecycle.promote("testing")

        before = _served(pulp, lifecycle, packages, past)
        old = _migrate(WITH_LIFECYCLES)
        domain = old.get_model("core", "Domain").objects.get(name="default")
        remotes = {"secret": {"url": URL, "headers": HEADERS}, "plain": {"url": "u"}}
        for name, facts in remotes.items():
            old.get_model("conda", "CondaRemote").objects.create(
                name=name, pulp_type="conda.conda", pulp_domain=domain, **facts
            )
        _migrate()
        yield Upgraded(lifecycle, before, _served(pulp, lifecycle, packages, past))


def _served(pulp, lifecycle, packages, past):
    """Return what clients get from each stage: statuses, bodies, entity tags and dates.

    The fast way keeps in memory where files are; the slow one asks the database for all.
    """
    found = {}
    for stage, url in lifecycle.urls.items():
        paths = ["channeldata.json", "notices.json"]
        for subdir in ("noarch", "linux-64"):
            paths += [f"{subdir}/{name}" for name in METADATA]
            shards = pulp.fetch_shard_index(url, subdir)["shards"].values()
            paths += [f"{subdir}/shards/{digest.hex()}.msgpack.zst" for digest in shards]
        paths += [f"{package.subdir}/{package.filename}" for package in packages]
        if stage == "testing":
            paths += [f"at/{past}/{path}" for path in paths]
        for path in paths:
            found[stage, path] = tuple(
                (answer.status_code, answer.content, *map(answer.headers.get, VALIDATORS))
                for answer in (pulp.fetch(url, path), pulp.fetch(url, path, headers=SLOW))
            )
    return found


def test_an_upgrade_changes_no_byte_of_a_channel(upgraded):
    changed = {
        key: (given, upgraded.after.get(key))
        for key, given in upgraded.before.items()
        if upgraded.after.get(key) != given
    }
    assert changed == {}
    assert upgraded.after.keys() == upgraded.before.keys()
    # 'stable' does not serve what came after its promotion.
    missing = [key for key, (fast, _) in upgraded.before.items() if fast[0] != 200]
    assert [(stage, path.split("-")[1]) for stage, path in missing] == [("stable", "64/c")]


def test_a_channel_goes_on_after_an_upgrade(pulp, upgraded):
    lifecycle, before = upgraded.lifecycle, upgraded.before
    # Written anew, with what the upgraded rows say.
    pulp.publish(pulp.get(lifecycle.repository)["latest_version_href"])
    for move, stage in ((lifecycle.promote, "testing"), (lifecycle.roll_back, "stable")):
        move("stable")
        for path in [f"linux-64/{name}" for name in METADATA]:
            given = pulp.fetch(lifecycle.urls["stable"], path)
            assert given.content == before[stage, path][0][1], path


def test_secrets_of_remotes_are_masked_in_the_rows_of_pulpcore(upgraded):
    ours = CondaRemote.objects.filter(name__in=["secret", "plain"])
    rows = dict(ours.values_list("name", "url"))
    assert rows == {"secret": "https://h/t/***/conda-forge", "plain": "u"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT url, headers::text FROM core_remote")
        assert not any("tk-1" in f"{row}" or "key-1" in f"{row}" for row in cursor.fetchall())
        cursor.execute("SELECT unmasked FROM conda_condaremote")
        assert not any("tk-1" in f"{row}" or "key-1" in f"{row}" for row in cursor.fetchall())
    remote = CondaRemote.objects.get(name="secret")
    assert (remote.url, remote.headers) == (URL, HEADERS)
    assert CondaRemote.objects.get(name="plain").url == "u"

    back = _migrate(WITH_SECRETS).get_model("conda", "CondaRemote").objects.get(name="secret")
    assert (back.url, back.headers) == (URL, HEADERS)
