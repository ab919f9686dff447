import hashlib
from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.app.contexts import with_user  # noqa: TID251  who runs tasks sets the user
from pulpcore.plugin.models import Artifact, ContentArtifact, RemoteArtifact, RepositoryContent
from pulpcore.plugin.util import assign_role

from pulp_conda.app.models import (
    CondaPackage,
    CondaPackageInfo,
    CondaRemote,
    CondaRepository,
    CondaSidecar,
    IndexedFile,
)
from pulp_conda.app.sync import batch
from pulp_conda.app.sync.ingest import Ingest
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.channel.records import FIRST_INDEXED
from tests.support.builders import TIMESTAMP, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


@pytest.fixture
def remote():
    return CondaRemote.objects.create(name="forge", url="https://conda.example.org/forge")


def _sync(repository, remote, records, mirror=False, unchanged=(), names=None, **options):
    packages = [UpstreamPackage(record, f"{remote.url}/{record.filename}") for record in records]
    with Ingest(repository, remote) as ingest:
        assert sum(ingest.add(packages)) == len(packages)
        for subdir, of_subdir in (names or {}).items():
            ingest.look_at_names(subdir, of_subdir)
        ingest.compare(list(unchanged) if mirror else None)
        return ingest.new_version(**options)


def _names(version):
    names = version.get_content(CondaPackage.objects).values_list("subdir", "name")
    return sorted("/".join(name) for name in names)


def test_records_become_content_with_a_place_to_download_from(repository, remote):
    version = _sync(repository, remote, [make_record("a", depends=["b"])])
    package = version.get_content(CondaPackage.objects).get()
    assert package.as_record().fields == make_record("a", depends=["b"]).fields
    assert package.depends == ["b"]
    artifact = ContentArtifact.objects.get(content=package)
    assert (artifact.relative_path, artifact.artifact) == ("noarch/a-1.0-0.conda", None)
    place = RemoteArtifact.objects.get(content_artifact=artifact)
    assert place.url == "https://conda.example.org/forge/a-1.0-0.conda"
    assert (place.sha256, place.size, place.md5) == (package.sha256, package.size, None)


def test_the_same_records_make_no_version(repository, remote):
    records = [make_record("a"), make_record("b")]
    assert _sync(repository, remote, records).number == 1
    assert _sync(repository, remote, records) is None
    assert _sync(repository, remote, records, mirror=True) is None
    assert CondaPackage.objects.count() == 2
    assert RemoteArtifact.objects.count() == 2


def test_what_the_latest_version_has_is_neither_matched_nor_linked_again(repository, remote):
    known = [replace(make_record(name), run_exports={"weak": [name]}) for name in "ab"]
    _sync(repository, remote, known)
    with CaptureQueriesContext(connection) as queries:
        assert _sync(repository, remote, known, mirror=True) is None
    statements = [query["sql"] for query in queries]
    assert any("settled" in statement for statement in statements)
    later = (batch._MATCH, batch._LINK_REMOTE, batch.ADD_RUN_EXPORTS, batch._NOTE)
    beginnings = tuple(statement.strip().partition("(")[0] for statement in later)
    assert [text for text in statements if text.strip().startswith(beginnings)] == []


def test_what_is_gone_goes_only_from_a_mirror_and_from_subdirs_that_were_read(repository, remote):
    everywhere = [
        make_record(name, subdir=subdir) for name in "ab" for subdir in ("noarch", "linux-64")
    ]
    _sync(repository, remote, everywhere)
    assert _sync(repository, remote, [make_record("a")]) is None
    version = _sync(repository, remote, [make_record("a")], mirror=True, unchanged=["linux-64"])
    assert _names(version) == ["linux-64/a", "linux-64/b", "noarch/a"]
    version = _sync(repository, remote, [], mirror=True)
    assert _names(version) == []


def test_of_a_subdir_that_was_read_in_part_only_names_that_were_looked_at_lose_packages(
    repository, remote
):
    _sync(repository, remote, [make_record(name, v) for name in "abc" for v in ("1", "2")])
    version = _sync(
        repository,
        remote,
        [make_record("a", "2")],
        mirror=True,
        unchanged=["noarch"],
        names={"noarch": ["a", "b"]},
    )
    assert _names(version) == ["noarch/a", "noarch/c", "noarch/c"]


def test_run_exports_are_kept_by_file_and_never_changed(repository, remote):
    def run_exports():
        return dict(CondaPackageInfo.objects.values_list("sha256", "run_exports"))

    known = replace(make_record("a"), run_exports={"weak": ["a >=1"]})
    unknown = make_record("b")
    _sync(repository, remote, [known, unknown, replace(make_record("c"), run_exports={})])
    assert run_exports()[known.sha256] == '{"weak":["a >=1"]}'
    assert unknown.sha256 not in run_exports()
    with Ingest(repository, remote) as ingest:
        list(ingest.add([UpstreamPackage(unknown, "https://conda.example.org/b")]))
        said = [(unknown.filename, '{"strong":["b"]}'), ("other-1-0.conda", "{}")]
        ingest.add_run_exports("noarch", said)
        ingest.compare(None)
        assert ingest.new_version() is None
    _sync(repository, remote, [replace(known, run_exports={"weak": ["a >=2"]})])
    assert run_exports()[known.sha256] == '{"weak":["a >=1"]}'
    assert run_exports()[unknown.sha256] == '{"strong":["b"]}'
    assert len(run_exports()) == 3


def test_run_exports_that_a_shard_says_later_are_kept(repository, remote):
    unknown = make_record("a")
    _sync(repository, remote, [unknown])
    _sync(repository, remote, [replace(unknown, run_exports={"weak": ["a >=1"]})])
    assert CondaPackageInfo.objects.get().run_exports == '{"weak":["a >=1"]}'


def _at(version):
    return int(version.pulp_created.timestamp() * 1000)


def test_a_file_is_indexed_once_whatever_becomes_of_its_record(repository, remote):
    def indexed():
        return dict(IndexedFile.objects.values_list("sha256", "indexed_timestamp"))

    old = make_record("old")
    # A channel of that time would have given its own date (CEP 47).
    young = make_record("young", timestamp=FIRST_INDEXED)
    said = make_record("said", indexed_timestamp=TIMESTAMP + 5)
    first = _sync(repository, remote, [old, young, said], is_first_sync=True)
    moments = {
        old.sha256: TIMESTAMP,
        young.sha256: _at(first),
        said.sha256: TIMESTAMP + 5,
    }
    assert indexed() == moments

    new = make_record("new")
    hotfix = make_record("old", depends=["x"], timestamp=TIMESTAMP - 7)
    silent = make_record("said")
    second = _sync(repository, remote, [new, hotfix, silent])
    gone = _sync(repository, remote, [young], mirror=True)
    back = _sync(repository, remote, [new, hotfix])
    assert (gone.number, back.number) == (3, 4)
    assert indexed() == {**moments, new.sha256: _at(second)}


@pytest.mark.parametrize(
    ("beliefs", "record", "believed"),
    [
        pytest.param({}, {}, None, id="no"),
        pytest.param({}, {"indexed_timestamp": 5}, None, id="not what it says"),
        pytest.param({"is_first_sync": True}, {}, TIMESTAMP, id="first sync"),
        pytest.param(
            {"is_first_sync": True},
            {"indexed_timestamp": TIMESTAMP + 5},
            TIMESTAMP + 5,
            id="first sync, the later date",
        ),
        pytest.param({"trust_dates": True}, {"indexed_timestamp": 5}, 5, id="trusted"),
        pytest.param({"trust_dates": True}, {}, None, id="trusted, says nothing"),
    ],
)
def test_dates_of_an_upstream_count_if_somebody_believes_them(
    repository, remote, beliefs, record, believed
):
    version = _sync(repository, remote, [make_record("a", **record)], **beliefs)
    indexed = IndexedFile.objects.get()
    assert (indexed.seen_timestamp, indexed.believed_timestamp) == (_at(version), believed)
    # It is of this repository alone.
    with CondaRepository.objects.create(name="copy").new_version() as copy:
        copy.add_content(version.content)
    assert IndexedFile.objects.get(repository=copy.repository).believed_timestamp is None


def test_a_hotfix_replaces_the_record_and_shares_nothing_else(repository, remote):
    _sync(repository, remote, [make_record("a"), make_record("b")])
    version = _sync(repository, remote, [make_record("a", depends=["b"])])
    assert _names(version) == ["noarch/a", "noarch/b"]
    assert version.get_content(CondaPackage.objects).get(name="a").depends == ["b"]
    back = _sync(repository, remote, [make_record("a")])
    assert back.get_content(CondaPackage.objects).get(name="a").depends == []
    assert CondaPackage.objects.count() == 3


def test_a_moved_upstream_is_where_files_come_from(repository, remote):
    _sync(repository, remote, [make_record("a")])
    remote.url = "https://mirror.example.org"
    assert _sync(repository, remote, [make_record("a")]) is None
    assert RemoteArtifact.objects.get().url == "https://mirror.example.org/a-1.0-0.conda"


def _store(sha256):
    """Store bytes with a digest, and give them to the packages that there are of it."""
    digests = {f"sha{bits}": sha256[: bits // 4].ljust(bits // 4, "0") for bits in (224, 384, 512)}
    artifact = Artifact.objects.create(
        file=ContentFile(b"1234", name="a"), size=4, sha256=sha256, **digests
    )
    packages = CondaPackage.objects.filter(sha256=sha256)
    assert ContentArtifact.objects.filter(content__in=packages).update(artifact=artifact)
    return artifact


def _files(version):
    links = ContentArtifact.objects.filter(content__in=version.content).order_by("relative_path")
    return [link.artifact for link in links]


def test_bytes_that_the_repository_has_are_found_beside_a_new_package(repository, remote):
    known = [make_record(name) for name in "ab"]
    _sync(repository, remote, known)
    artifact = _store(known[0].sha256)
    hotfix = make_record("a", depends=["x"])
    version = _sync(repository, remote, [hotfix, known[1], make_record("c")], mirror=True)
    assert _files(version) == [artifact, None, None]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_digest_gives_only_files_that_the_user_of_the_sync_may_view(repository, remote, is_first):
    user = get_user_model().objects.create(username="bob")
    private = CondaRepository.objects.create(name="private")
    _sync(private, remote, [make_record("a")])
    artifact = _store(make_record("a").sha256)
    if not is_first:
        _sync(repository, remote, [make_record("b")])
    named = [make_record("a", depends=["x"])]
    # Nobody started this sync.
    with with_user(None):
        version = _sync(repository, remote, named)
    assert _files(version)[0] is None
    with with_user(user):
        # What the repository itself names by the digest is no file that it has.
        assert _sync(repository, remote, named) is None
        assert _files(version)[0] is None
        assign_role("conda.condarepository_viewer", user, private)
        assert _sync(repository, remote, named) is None
        assert _files(version)[0] == artifact
        again = CondaRepository.objects.create(name="again")
        assert _files(_sync(again, remote, [make_record("a", depends=["y"])])) == [artifact]


def test_bytes_that_no_repository_has_are_nobodys(repository, remote):
    _sync(repository, remote, [make_record("a")])
    artifact = _store(make_record("a").sha256)
    other = CondaRepository.objects.create(name="other")
    RepositoryContent.objects.all().delete()
    assert _files(_sync(other, remote, [make_record("a", depends=["x"])])) == [None]
    assert Artifact.objects.get() == artifact


def test_the_digest_of_attestations_gives_only_those_that_the_user_may_view(repository, remote):
    data = b"[]"
    digest = hashlib.sha256(data).hexdigest()
    private = CondaRepository.objects.create(name="private")
    _sync(private, remote, [make_record("a", attestations_sha256=digest)])
    CondaSidecar.objects.create(sha256=digest, data=data)

    def absent(user=None):
        named = make_record("a", depends=["x"], attestations_sha256=digest)
        with with_user(user), Ingest(repository, remote) as ingest:
            list(ingest.add([UpstreamPackage(named, remote.url)]))
            return [package.record.name for package in ingest.absent_sidecars()]

    assert absent() == ["a"]
    user = get_user_model().objects.create(username="bob")
    assert absent(user) == ["a"]
    assign_role("conda.condarepository_viewer", user, private)
    assert absent(user) == []


def test_the_same_record_twice_is_one_package(repository, remote):
    version = _sync(repository, remote, [make_record("a"), make_record("a")])
    assert _names(version) == ["noarch/a"]


@pytest.mark.parametrize("before", ["", "b"])
def test_a_version_that_a_crash_left_behind_does_not_count(repository, remote, before):
    _sync(CondaRepository.objects.create(name="other"), remote, [make_record("a")])
    _sync(repository, remote, [make_record(name) for name in before])
    leftover = repository.new_version()
    leftover.add_content(CondaPackage.objects.filter(name="a"))
    version = _sync(repository, remote, [make_record(name) for name in "a" + before])
    assert _names(version) == [f"noarch/{name}" for name in "a" + before]
    assert version.complete


def test_a_first_sync_finds_what_is_known_in_any_of_its_batches(repository, remote, monkeypatch):
    monkeypatch.setattr("pulp_conda.app.sync.ingest._BATCH", 2)
    known = make_record("d")
    other = CondaRepository.objects.create(name="other")
    _sync(other, remote, [known])
    records = [replace(make_record(name), run_exports={"weak": [name]}) for name in "abcdefg"]
    version = _sync(repository, remote, records)
    assert _names(version) == [f"noarch/{name}" for name in "abcdefg"]
    assert CondaPackage.objects.filter(name="d").get() in version.get_content(CondaPackage.objects)
    assert CondaPackageInfo.objects.filter(run_exports__isnull=False).count() == 7
    assert ContentArtifact.objects.count() == RemoteArtifact.objects.count() == 7
