import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaRemote, CondaRepository
from pulp_conda.app.models.remote import split_token, with_token
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


def _add(repository, *records):
    packages = [CondaPackage.from_record(record) for record in records]
    for package in packages:
        package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk__in=[p.pk for p in packages]))
    return version


def _at(version, filename, subdir="noarch"):
    return CondaPackage.at_path([version], subdir, filename)


def test_the_migrations_say_what_the_models_say():
    call_command("makemigrations", "conda", check=True, dry_run=True)


def test_a_record_survives_the_database():
    record = make_record(
        "numpy",
        extra={"key": ["é\\u0000", 1.5, None]},
        depends=["python"],
        noarch=True,
        timestamp="soon",
    )
    CondaPackage.from_record(record).save()
    package = CondaPackage.objects.get()
    assert package.as_record().fields == record.fields
    assert package.as_record().digest == record.digest == package.record_digest
    assert (package.noarch, package.timestamp, package.license) == ("generic", None, "BSD-3-Clause")


def test_a_record_that_was_stored_with_a_nul_can_still_be_read():
    package = CondaPackage.from_record(make_record("numpy", summary="a-b"))
    package.record = package.record.replace("a-b", "a\\u0000b")
    package.save()
    assert CondaPackage.objects.get().as_record().fields["summary"] == "a\0b"


def test_a_hotfix_is_a_unit_of_its_own_and_the_same_record_is_not():
    CondaPackage.from_record(make_record("numpy")).save()
    CondaPackage.from_record(make_record("numpy", depends=["python"])).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        CondaPackage.from_record(make_record("numpy")).save()


def test_a_version_keeps_what_it_had(repository):
    old = make_record("numpy")
    new = make_record("numpy", depends=["python <3.13"])
    first = _add(repository, old, make_record("scipy"))
    second = _add(repository, new)
    with repository.new_version() as third:
        third.remove_content(CondaPackage.objects.filter(name="numpy"))
    assert _at(first, old.filename).record_digest == old.digest
    assert _at(second, old.filename).record_digest == new.digest
    assert _at(third, old.filename) is None
    assert _at(third, make_record("scipy").filename) is not None
    assert _at(second, old.filename, subdir="linux-64") is None


def test_the_first_version_that_has_a_package_decides(repository):
    old, new = make_record("numpy"), make_record("numpy", depends=["python <3.13"])
    versions = [_add(repository, old), _add(repository, new)]
    for order, record in ((versions, old), (versions[::-1], new)):
        assert CondaPackage.at_path(order, "noarch", old.filename).record_digest == record.digest


def test_a_package_of_another_repository_is_not_found(repository):
    _add(CondaRepository.objects.create(name="other"), make_record("numpy"))
    version = _add(repository, make_record("scipy"))
    assert _at(version, make_record("numpy").filename) is None


@pytest.mark.parametrize("packages", [2, 20])
def test_finding_a_path_takes_one_query_however_many_packages_there_are(repository, packages):
    version = _add(repository, *(make_record(f"p{number}") for number in range(packages)))
    with CaptureQueriesContext(connection) as queries:
        assert _at(version, make_record("p1").filename)
    assert len(queries) == 1
    assert "content_ids" not in queries[0]["sql"]


def test_other_bytes_under_a_name_are_a_conflict_and_a_hotfix_is_none(repository):
    version = _add(repository, make_record("numpy"))
    hotfix = CondaPackage.from_record(make_record("numpy", depends=["python"]))
    hotfix.save()
    repository.check_content_overwrite(version, [hotfix.pk])

    other = CondaPackage.from_record(make_record("numpy", sha256="0" * 64))
    other.save()
    with pytest.raises(CondaError) as conflict:
        repository.check_content_overwrite(version, [other.pk])
    assert conflict.value.error_code == "CND0018"
    assert conflict.value.error.facts == {
        "path": "noarch/numpy-1.0-0.conda",
        "repository": "team",
        "found": make_record("numpy").sha256,
        "sha256": "0" * 64,
    }
    present = [str(CondaPackage.objects.get(record_digest=make_record("numpy").digest).pk)]
    repository.check_content_overwrite(version, [other.pk], remove_content_pks=present)


def test_two_records_for_one_name_cannot_come_at_once(repository):
    with pytest.raises(CondaError) as conflict:
        _add(repository, make_record("numpy"), make_record("numpy", depends=["python"]))
    assert conflict.value.error_code == "CND0020"
    assert repository.latest_version().number == 0


@pytest.mark.parametrize(
    "url, bare, token",
    [
        ("https://h/t/tk-1/c", "https://h/c", "tk-1"),
        ("https://h:1/t/tk-1/a/b?x", "https://h:1/a/b?x", "tk-1"),
        ("https://h/c/t/x", "https://h/c/t/x", None),
        ("https://h/t/", "https://h/t/", None),
    ],
)
def test_a_token_is_taken_out_of_a_url_and_put_back(url, bare, token):
    assert split_token(url) == (bare, token)
    assert with_token(bare, token) == url


def test_the_token_is_encrypted_in_the_database():
    CondaRemote.objects.create(name="forge", url="https://h/c", token="tk-secret")
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM conda_condaremote")
        assert "tk-secret" not in cursor.fetchone()[0]
    assert CondaRemote.objects.get().token == "tk-secret"
