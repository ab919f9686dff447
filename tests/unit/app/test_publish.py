import bz2
import json
from dataclasses import replace

import msgpack
import pytest
import zstandard
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import ProgressReport, PublishedMetadata, Task

from pulp_conda.app.models import (
    CondaPackage,
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
    CondaShard,
    PublishedShard,
)
from pulp_conda.app.publishing.shards import remove_unused_shards
from pulp_conda.app.tasks.publish import publish
from pulp_conda.channel.package.info import TRAITS, PackageInfo
from tests.support.builders import make_record

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
        "channeldata.json",
        "linux-64/repodata.json",
        "linux-64/repodata.json.zst",
        "linux-64/repodata_shards.msgpack.zst",
        "linux-64/run_exports.json",
        "linux-64/run_exports.json.zst",
        "linux-aarch64/repodata_shards.msgpack.zst",
        "linux-ppc64le/repodata_shards.msgpack.zst",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/repodata_shards.msgpack.zst",
        "noarch/run_exports.json",
        "noarch/run_exports.json.zst",
        "osx-64/repodata_shards.msgpack.zst",
        "osx-arm64/repodata_shards.msgpack.zst",
        "win-64/repodata_shards.msgpack.zst",
        "win-arm64/repodata_shards.msgpack.zst",
    ]


def test_records_are_sorted_by_name_whatever_the_locale():
    names = ["b", "_x", "a-b", "a.b", "a", "a_b", "ab", "1"]
    publish(str(_version([make_record(name) for name in names]).pk))
    repodata = json.loads(_published(CondaPublication.objects.get(), "noarch/repodata.json"))
    published = [record["name"] for record in repodata["packages.conda"].values()]
    assert published == sorted(names)


def test_publishing_twenty_packages_takes_no_more_queries_than_two():
    counts = []
    for number in (1, 2, 20):  # the first stores what all have in common
        version = _version([make_record(f"p{n}", f"{number}.0") for n in range(number)])
        with CaptureQueriesContext(connection) as queries:
            publish(str(version.pk))
        counts.append(len(queries))
    assert counts[1] == counts[2]


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
    publish(str(next_version.pk))
    assert CondaShard.objects.count() == 1
    remove_unused_shards()
    assert CondaShard.objects.count() == 0


def test_a_version_published_twice_shares_its_shards():
    version = _version([make_record("a")])
    publish(str(version.pk))
    publish(str(version.pk))
    assert CondaShard.objects.count() == 1
    assert PublishedShard.objects.count() == 2


def test_what_becomes_known_of_a_file_is_for_the_next_version():
    # Else a version would have other files when it is published again.
    record = make_record("a")
    version = _version([record])
    info = PackageInfo(
        run_exports={"weak": ["a"]},
        about={"summary": "A"},
        link=None,
        licenses=(),
        traits={"post_link": True},
    )
    publish(str(version.pk))
    CondaPackageInfo.remember(record.sha256, info)
    publish(str(version.pk))
    with version.repository.cast().new_version() as next_version:
        next_version.add_content(_saved(make_record("b")))
    publish(str(next_version.pk))
    before, same, after = CondaPublication.objects.order_by("pulp_created")
    for path in PublishedMetadata.objects.filter(publication=before):
        path = path.relative_path
        assert _published(before, path) == _published(same, path)
    assert json.loads(_published(before, "noarch/run_exports.json"))["packages.conda"] == {}
    assert json.loads(_published(after, "noarch/run_exports.json"))["packages.conda"] == {
        record.filename: {"run_exports": {"weak": ["a"]}}
    }
    summaries = json.loads(_published(after, "channeldata.json"))["packages"]
    assert summaries["a"]["summary"] == "A"
    assert summaries["a"]["post_link"] is True


def test_the_summary_of_a_name_is_of_all_its_packages():
    old, new = make_record("a", "1.0", license="MIT"), make_record("a", "2.0", license="GPL")
    for record, traits in ((old, {"post_link": True}), (new, {"text_prefix": True})):
        info = PackageInfo(
            run_exports={},
            about={},
            link=None,
            licenses=(),
            traits=dict.fromkeys(TRAITS, False) | traits,
            source_urls=(f"https://example.org/{record.version}.tar.gz",),
        )
        CondaPackageInfo.remember(record.sha256, info)
    version = _version([old, new])
    publish(str(version.pk))
    publication = CondaPublication.objects.get()
    summary = json.loads(_published(publication, "channeldata.json"))["packages"]["a"]
    assert {trait for trait in TRAITS if summary[trait]} == {"post_link", "text_prefix"}
    assert summary["license"] == "GPL"
    assert summary["source_url"] == "https://example.org/2.0.tar.gz"


def test_the_summary_of_a_name_has_the_license_that_a_patch_corrects():
    version = _version([make_record("a", license="proprietary")])
    with version.repository.cast().new_version() as patched:
        document = {"packages.conda": {"a-1.0-0.conda": {"license": "MIT"}}}
        columns = CondaPatch.columns("noarch", document, author="ada", reason="it was wrong")
        patch = CondaPatch.objects.create(**columns)
        patched.add_content(CondaPatch.objects.filter(pk=patch.pk))
    publish(str(patched.pk))
    publication = CondaPublication.objects.get()
    summary = json.loads(_published(publication, "channeldata.json"))["packages"]["a"]
    assert summary["license"] == "MIT"


def test_a_subdir_that_is_empty_now_is_still_there():
    # rattler remembers for good that there was no shard index.
    version = _version([make_record("a", subdir="linux-64")])
    publish(str(version.pk))
    with version.repository.cast().new_version() as next_version:
        next_version.remove_content(CondaPackage.objects.all())
    publish(str(next_version.pk))
    publication = CondaPublication.objects.latest("pulp_created")
    assert publication.package_counts == {"linux-64": 0, "noarch": 0}
    assert _shards(publication, "linux-64") == {}


def test_the_indexed_timestamp_is_in_every_form():
    version = _version([make_record("a")])
    publish(str(version.pk))
    moment = int(version.pulp_created.timestamp() * 1000)
    publication = CondaPublication.objects.get()
    repodata = json.loads(_published(publication, "noarch/repodata.json"))
    assert repodata["packages.conda"]["a-1.0-0.conda"]["indexed_timestamp"] == moment
    shard = msgpack.unpackb(zstandard.decompress(bytes(CondaShard.objects.get().data)))
    assert shard["packages.conda"]["a-1.0-0.conda"]["indexed_timestamp"] == moment


def test_relations_are_the_same_in_both_forms():
    version = _version([make_record("a")])
    relations = {"base": "../conda-forge"}
    CondaRepository.objects.update(channel_relations=relations)
    publish(str(version.pk))
    publication = CondaPublication.objects.get()
    repodata = json.loads(_published(publication, "noarch/repodata.json"))
    index = _published(publication, "noarch/repodata_shards.msgpack.zst")
    assert repodata["info"]["channel_relations"] == relations
    shard_index = msgpack.unpackb(zstandard.decompress(index))
    assert shard_index["info"]["channel_relations"] == relations


def test_what_a_patch_removes_is_named_in_every_form_and_keeps_its_run_exports():
    # CEP 12: run_exports.json has all packages that are there without patches.
    gone = make_record("gone")
    info = PackageInfo(run_exports={}, about={}, link=None, licenses=(), traits={})
    CondaPackageInfo.remember(gone.sha256, info)
    version = _version([gone, make_record("kept")])
    with version.repository.cast().new_version() as patched:
        document = {"remove": [gone.filename]}
        columns = CondaPatch.columns("noarch", document, author="ada", reason="broken")
        patch = CondaPatch.objects.create(**columns)
        patched.add_content(CondaPatch.objects.filter(pk=patch.pk))
    publish(str(patched.pk))
    publication = CondaPublication.objects.get()
    assert publication.package_counts == {"noarch": 1}
    repodata = json.loads(_published(publication, "noarch/repodata.json"))
    assert list(repodata["packages.conda"]) == ["kept-1.0-0.conda"]
    assert repodata["removed"] == [gone.filename]
    shard = CondaShard.objects.get(sha256=_shards(publication)["gone"])
    shard = msgpack.unpackb(zstandard.decompress(bytes(shard.data)))
    assert shard == {"packages": {}, "packages.conda": {}, "removed": [gone.filename]}
    run_exports = json.loads(_published(publication, "noarch/run_exports.json"))
    assert run_exports["packages.conda"] == {gone.filename: {"run_exports": {}}}


def test_files_for_old_clients_are_there_when_switched_on():
    version = _version([make_record("a", "1.0"), make_record("a", "2.0")])
    CondaRepository.objects.update(legacy_metadata=True)
    publish(str(version.pk))
    publication = CondaPublication.objects.get()
    current = json.loads(_published(publication, "noarch/current_repodata.json"))
    assert list(current["packages.conda"]) == ["a-2.0-0.conda"]
    plain = _published(publication, "noarch/repodata.json")
    assert bz2.decompress(_published(publication, "noarch/repodata.json.bz2")) == plain


def _shard_of(name):
    data = CondaShard.objects.values_list("data", flat=True)
    shards = (msgpack.unpackb(zstandard.decompress(bytes(shard))) for shard in data)
    for shard in shards:
        records = {**shard["packages.conda"], **shard.get("v3", {}).get("conda", {})}
        for record in records.values():
            if record["name"] == name:
                return record
    return None


def test_odd_records_that_are_stored_are_served_right_in_every_form():
    records = [
        make_record("a", depends=None, timestamp=5.0),
        replace(make_record("b", depends=None, schema_version=3), in_v3=True),
        make_record("c", depends=None, license=["MIT"]),
    ]
    digests = [record.digest for record in records]
    version = _version(records)
    CondaRepository.objects.update(legacy_metadata=True)
    publish(str(version.pk))
    publication = CondaPublication.objects.get()
    repodata = json.loads(_published(publication, "noarch/repodata.json"))
    current = json.loads(_published(publication, "noarch/current_repodata.json"))
    served = {**repodata["packages.conda"], **repodata["v3"]["conda"]}
    for found in (*served.values(), *current["packages.conda"].values(), *map(_shard_of, "abc")):
        assert found["depends"] == []
    assert served["a-1.0-0.conda"]["timestamp"] == _shard_of("a")["timestamp"] == 5
    assert current["packages.conda"]["c-1.0-0.conda"]["license"] == "MIT"
    assert list(CondaPackage.objects.order_by("name").values_list("record_digest", flat=True)) == (
        digests
    )


def test_a_record_that_was_found_plain_is_written_as_it_is_stored():
    record = make_record("a", timestamp=5.0)
    version = _version([replace(record, corrections=()), make_record("b", timestamp=5.0)])
    assert list(CondaPackage.objects.order_by("name").values_list("is_plain", flat=True)) == [
        True,
        None,
    ]
    publish(str(version.pk))
    text = _published(CondaPublication.objects.get(), "noarch/repodata.json")
    assert record.canonical[1:] in text
    assert text.count(b'"timestamp":5.0') == text.count(b'"timestamp":5,') == 1


def test_a_record_with_an_empty_date_gets_that_of_the_channel_once():
    records = [make_record("a", indexed_timestamp=None), make_record("b", indexed_timestamp="")]
    publish(str(_version(records).pk))
    text = _published(CondaPublication.objects.get(), "noarch/repodata.json")
    assert text.count(b'"indexed_timestamp"') == 2
    for record in json.loads(text)["packages.conda"].values():
        assert record["indexed_timestamp"] == _shard_of(record["name"])["indexed_timestamp"] > 0


def test_records_that_no_client_could_read_are_left_out_and_named():
    # Older versions stored them.
    publish(str(_version([make_record("a"), make_record("b", noarch="perl")]).pk))
    publication = CondaPublication.objects.get()
    assert publication.package_counts == {"noarch": 1}
    repodata = json.loads(_published(publication, "noarch/repodata.json"))
    assert list(repodata["packages.conda"]) == ["a-1.0-0.conda"]
    assert repodata["removed"] == []
    assert _shard_of("b") is None
    assert "b" not in json.loads(_published(publication, "channeldata.json"))["packages"]
    report = ProgressReport.objects.get(code="publish.left_out")
    assert (report.done, report.message) == (
        1,
        "Left out: 'noarch' is 'perl', neither 'python' nor 'generic' [CND0008]: "
        "noarch/b-1.0-0.conda",
    )


def test_a_patch_can_give_a_meaning_to_a_record_that_has_none():
    version = _version([make_record("a", license=5, depends=None), make_record("b")])
    with version.repository.cast().new_version() as patched:
        changes = {"a-1.0-0.conda": {"license": "MIT"}}
        document = {"packages.conda": changes, "revoke": ["a-1.0-0.conda"]}
        columns = CondaPatch.columns("noarch", document, author="ada", reason="odd")
        patch = CondaPatch.objects.create(**columns)
        patched.add_content(CondaPatch.objects.filter(pk=patch.pk))
    publish(str(patched.pk))
    publication = CondaPublication.objects.get()
    served = json.loads(_published(publication, "noarch/repodata.json"))["packages.conda"]
    assert served["a-1.0-0.conda"]["license"] == _shard_of("a")["license"] == "MIT"
    assert served["a-1.0-0.conda"]["depends"] == ["package_has_been_revoked"]
    unpatched = json.loads(_published(publication, "noarch/repodata_from_packages.json"))
    assert list(unpatched["packages.conda"]) == ["b-1.0-0.conda"]


def _saved(record):
    package = CondaPackage.from_record(record)
    package.save()
    return CondaPackage.objects.filter(pk=package.pk)
