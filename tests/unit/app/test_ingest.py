import pytest

from pulpcore.plugin.models import ContentArtifact, RemoteArtifact

from pulp_conda.app.models import CondaPackage, CondaRemote, CondaRepository
from pulp_conda.app.tasks.ingest import Ingest
from tests.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


@pytest.fixture
def remote():
    return CondaRemote.objects.create(name="forge", url="https://conda.example.org/forge")


def _sync(repository, remote, records, mirror=False, unchanged=()):
    packages = [(record, f"{remote.url}/{record.filename}") for record in records]
    with Ingest(repository, remote) as ingest:
        assert sum(ingest.add(packages)) == len(packages)
        return ingest.new_version(mirror, unchanged)


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


def test_the_same_record_twice_is_one_package(repository, remote):
    version = _sync(repository, remote, [make_record("a"), make_record("a")])
    assert _names(version) == ["noarch/a"]


def test_a_version_that_a_crash_left_behind_does_not_count(repository, remote):
    leftover = repository.new_version()
    package = CondaPackage.from_record(make_record("a"))
    package.save()
    leftover.add_content(CondaPackage.objects.filter(pk=package.pk))
    version = _sync(repository, remote, [make_record("a")])
    assert _names(version) == ["noarch/a"]
    assert version.complete
