import pytest
from django.core.files.base import ContentFile

from pulpcore.plugin.models import PulpTemporaryFile

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaRepository
from pulp_conda.app.tasks.locks import find_lock_file, import_lock_file
from pulp_conda.app.versions.locked import count_locked, find_locked
from pulp_conda.channel.lockfiles.model import LockedPackage
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db

CHANNEL = "https://elsewhere.example.org/forge"

A, B, C = (make_record(name) for name in "abc")
OTHER_A = make_record("a", sha256="f" * 64, md5="e" * 32)
FIXED_A = make_record("a", license="MIT")


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


def _version(repository, *records):
    """Make a version that has exactly these records."""
    for record in records:
        if not CondaPackage.objects.filter(record_digest=record.digest).exists():
            CondaPackage.from_record(record).save()
    digests = [record.digest for record in records]
    with repository.new_version() as version:
        version.remove_content(version.get_content(CondaPackage.objects))
        version.add_content(CondaPackage.objects.filter(record_digest__in=digests))
    return version.number


def _locked(record, digest="sha256"):
    url = f"{CHANNEL}/{record.subdir}/{record.filename}"
    hashes = {digest: getattr(record, digest)} if digest else {}
    return LockedPackage(url, record.subdir, record.filename, **hashes)


def _file(*records, digest="sha256"):
    """Return the key of a file with an explicit list."""
    lines = ["@EXPLICIT"]
    for record in records:
        prefix = "sha256:" if digest == "sha256" else ""
        end = f"#{prefix}{getattr(record, digest)}" if digest else ""
        lines.append(f"{CHANNEL}/{record.subdir}/{record.filename}{end}")
    return _text("\n".join(lines))


def _text(text):
    file = PulpTemporaryFile(file=ContentFile(text.encode(), name="lock"))
    file.save()
    return file.pk


def _records(repository):
    packages = repository.latest_version().get_content(CondaPackage.objects)
    return {package.as_record().digest for package in packages}


def _find(repository, *records, digest="sha256", **options):
    return find_lock_file(_file(*records, digest=digest), repository.pk, [], **options)


def test_each_version_counts_what_it_serves_through_removal_and_return(repository):
    for records in ([A], [A, B], [B, C], [A, B, C], [OTHER_A, B], [FIXED_A, B]):
        _version(repository, *records)
    counts = count_locked([_locked(A), _locked(B)], repository.pk)
    assert counts == {6: 2, 5: 1, 4: 2, 3: 1, 2: 2, 1: 1, 0: 0}
    assert list(counts) == [6, 5, 4, 3, 2, 1, 0]


def test_versions_of_other_repositories_do_not_count(repository):
    _version(repository, A)
    _version(CondaRepository.objects.create(name="another"), A, B)
    assert count_locked([_locked(A), _locked(B)], repository.pk) == {1: 1, 0: 0}


@pytest.mark.parametrize("digest", ["sha256", "md5"])
def test_the_right_file_is_found_behind_another_of_its_name(repository, digest):
    _version(repository, A)
    _version(repository, OTHER_A)
    found = find_locked([_locked(A, digest)], [(repository.pk, None)])
    assert found["noarch", "a-1.0-0.conda"][1] == A.sha256
    found = find_locked([_locked(A, digest)], [(repository.pk, 2)])
    assert found["noarch", "a-1.0-0.conda"][1] == OTHER_A.sha256


def test_the_newest_record_of_a_file_is_taken(repository):
    _version(repository, FIXED_A)
    _version(repository, A)
    target = CondaRepository.objects.create(name="target")
    import_lock_file(_file(A), target.pk, [(repository.pk, None)])
    assert _records(target) == {A.digest}


def test_the_first_source_that_has_the_file_gives_it(repository):
    _version(repository, OTHER_A, B)
    fixed, plain = (CondaRepository.objects.create(name=name) for name in ("fixed", "plain"))
    _version(fixed, FIXED_A)
    _version(plain, A)
    target = CondaRepository.objects.create(name="target")
    sources = [(source.pk, None) for source in (repository, fixed, plain)]
    report = import_lock_file(_file(A, B), target.pk, sources)
    assert report["outcome"] == "made"
    assert _records(target) == {FIXED_A.digest, B.digest}


@pytest.mark.parametrize("digest", ["sha256", "md5"])
def test_a_version_gets_exactly_the_packages_of_a_lock_file(repository, digest):
    _version(repository, A, B)
    _version(repository, OTHER_A, C)
    report = import_lock_file(_file(A, B, digest=digest), repository.pk, [(repository.pk, None)])
    assert (report["outcome"], report["version"]) == ("made", 3)
    assert (report["added"], report["removed"]) == (2, 2)
    assert _records(repository) == {A.digest, B.digest}
    again = import_lock_file(_file(A, B, digest=digest), repository.pk, [(repository.pk, None)])
    assert (again["outcome"], again["version"]) == ("unchanged", None)
    assert repository.latest_version().number == 3


@pytest.mark.parametrize(
    ("sources", "digest", "kind"),
    [
        pytest.param([A], "sha256", "missing", id="not-there"),
        pytest.param([A, make_record("b", sha256="f" * 64)], "sha256", "differing", id="other"),
        pytest.param([A, make_record("b", md5="f" * 32)], "md5", "differing", id="other-by-md5"),
        pytest.param([A, B], None, "unproven", id="no-hash"),
    ],
)
def test_what_is_not_proven_to_be_there_is_reported_and_nothing_is_made(
    repository, sources, digest, kind
):
    _version(repository, *sources)
    report = import_lock_file(_file(A, B, digest=digest), repository.pk, [(repository.pk, None)])
    assert (report["outcome"], report["version"]) == ("incomplete", None)
    counts = {name: report[name]["count"] for name in ("missing", "differing", "unproven")}
    assert counts == {"missing": 0, "differing": 0, "unproven": 0, kind: 1 + (digest is None)}
    assert report[kind]["shown"][-1]["path"] == "noarch/b-1.0-0.conda"
    assert repository.latest_version().number == 1


def test_a_dry_run_reports_what_would_be_made(repository):
    _version(repository, A, B)
    sources = [(repository.pk, None)]
    planned = import_lock_file(_file(A), repository.pk, sources, dry_run=True)
    assert repository.latest_version().number == 1
    assert planned | {"dry_run": False, "version": 2} == import_lock_file(
        _file(A), repository.pk, sources
    )


def test_two_files_of_one_name_cannot_be_in_one_version(repository):
    _version(repository, A)
    _version(repository, OTHER_A)
    text = f"@EXPLICIT\n{CHANNEL}/noarch/{A.filename}#{A.md5}\nhttps://b.example.org/x/noarch/{A.filename}#{OTHER_A.md5}"
    report = import_lock_file(_text(text), repository.pk, [(repository.pk, None)])
    assert (report["outcome"], report["differing"]["count"]) == ("incomplete", 1)


def test_the_versions_that_serve_a_lock_file_are_found(repository):
    for records in ([A], [A, B], [B], [A, B, C]):
        _version(repository, *records)
    answer = _find(repository, A, B, number=3)
    assert answer["versions"] == {"count": 2, "shown": [4, 2]}
    assert answer["closest"] is None
    assert not answer["version"]["serves"]
    assert [package["path"] for package in answer["version"]["missing"]["shown"]] == [
        "noarch/a-1.0-0.conda"
    ]
    assert _find(repository, A, B, number=4)["version"]["serves"]


def test_without_a_version_that_serves_it_the_closest_tells_what_it_lacks(repository):
    for records in ([A, B], [OTHER_A, B], [B]):
        _version(repository, *records)
    answer = _find(repository, A, B, C)
    assert answer["versions"]["count"] == 0
    assert answer["closest"]["number"] == 1
    assert [package["path"] for package in answer["closest"]["missing"]["shown"]] == [
        "noarch/c-1.0-0.conda"
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hello", id="no-lock-file"),
        pytest.param("@EXPLICIT\n", id="no-packages"),
        pytest.param("version: 6\nenvironments: {}\npackages: []\n", id="an-empty-pixi-lock"),
        pytest.param("@EXPLICIT\nhttps://u:secret@host/noarch/x.zip\n", id="no-package"),
    ],
)
def test_a_bad_lock_file_is_refused_and_goes(repository, text):
    for task, arguments in ((import_lock_file, [(repository.pk, None)]), (find_lock_file, [])):
        with pytest.raises(CondaError) as raised:
            task(_text(text), repository.pk, arguments)
        assert raised.value.error_code == "CND0050"
        assert "secret" not in str(raised.value)
    assert not PulpTemporaryFile.objects.exists()


def test_reports_show_the_first_of_many_and_count_all(repository):
    records = [make_record(f"many-{number}") for number in range(150)]
    missing = _find(repository, *records)["closest"]["missing"]
    assert (missing["count"], len(missing["shown"])) == (150, 100)
