import json

import msgpack
import pytest
import zstandard
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import PublishedMetadata, Task

from pulp_conda.app.models import (
    CondaPackage,
    CondaPublication,
    CondaRepository,
    CondaShard,
    PublishedShard,
)
from pulp_conda.app.tasks.publish import publish
from tests.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_a_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Task.objects.create(name="publish", state="running", logging_cid="")
    with with_task_context(task):
        yield


def _version(records):
    repository = CondaRepository.objects.create(name=f"team-{len(records)}")
    for record in records:
        CondaPackage.from_record(record).save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.all())
    return version


def _published(publication, path):
    metadata = PublishedMetadata.objects.get(publication=publication, relative_path=path)
    return metadata.contentartifact_set.get().artifact.file.read()


def test_a_publication_has_the_files_of_every_subdir():
    publish(str(_version([make_record("a", subdir="linux-64"), make_record("b")]).pk))
    publication = CondaPublication.objects.get()
    assert publication.complete
    assert publication.package_counts == {"linux-64": 1, "noarch": 1}
    assert sorted(PublishedMetadata.objects.values_list("relative_path", flat=True)) == [
        "linux-64/repodata.json",
        "linux-64/repodata.json.zst",
        "linux-64/repodata_shards.msgpack.zst",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/repodata_shards.msgpack.zst",
    ]


def test_records_are_sorted_by_name_whatever_the_locale():
    names = ["b", "_x", "a-b", "a.b", "a", "a_b", "ab", "1"]
    publish(str(_version([make_record(name) for name in names]).pk))
    repodata = json.loads(_published(CondaPublication.objects.get(), "noarch/repodata.json"))
    published = [record["name"] for record in repodata["packages.conda"].values()]
    assert published == sorted(names)


def test_publishing_twenty_packages_takes_no_more_queries_than_two():
    counts = []
    for number in (2, 20):
        version = _version([make_record(f"p{n}", f"{number}.0") for n in range(number)])
        with CaptureQueriesContext(connection) as queries:
            publish(str(version.pk))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def _shards(publication, subdir="noarch"):
    index = _published(publication, f"{subdir}/repodata_shards.msgpack.zst")
    return msgpack.unpackb(zstandard.decompress(index))["shards"]


def test_only_what_changed_is_encoded_again():
    version = _version([make_record("same"), make_record("changed"), make_record("gone")])
    publish(str(version.pk))
    assert CondaShard.objects.count() == 3
    hotfix = CondaPackage.from_record(make_record("changed", depends=["python"]))
    hotfix.save()
    with version.repository.cast().new_version() as next_version:
        next_version.add_content(CondaPackage.objects.filter(pk=hotfix.pk))
        next_version.remove_content(CondaPackage.objects.filter(name="gone"))
    publish(str(next_version.pk))
    before, after = map(_shards, CondaPublication.objects.order_by("pulp_created"))
    assert before["same"] == after["same"]
    assert before["changed"] != after["changed"]
    assert "gone" not in after
    assert CondaShard.objects.count() == 4


def test_shards_go_with_the_last_publication_that_has_them():
    version = _version([make_record("a")])
    publish(str(version.pk))
    with version.repository.cast().new_version() as next_version:
        next_version.remove_content(CondaPackage.objects.filter(name="a"))
    CondaPublication.objects.get().delete()
    assert CondaShard.objects.count() == 1
    publish(str(next_version.pk))
    assert CondaShard.objects.count() == 0


def test_publications_of_two_repositories_share_their_shards():
    publish(str(_version([make_record("a")]).pk))
    other = CondaRepository.objects.create(name="other")
    with other.new_version() as version:
        version.add_content(CondaPackage.objects.all())
    publish(str(version.pk))
    assert CondaShard.objects.count() == 1
    assert PublishedShard.objects.count() == 2
