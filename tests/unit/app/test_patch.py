from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone as clock

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaPatch, CondaRepository
from pulp_conda.app.models.patch import diff_patches
from pulp_conda.app.serializers import CondaPatchSerializer
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel.metadata.patch_instructions import check_instructions
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db

NUMPY = make_record("numpy")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def repository():
    repository = CondaRepository.objects.create(name="team")
    CondaPackage.from_record(NUMPY).save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.all())
    return repository


def _patch(filename=NUMPY.filename, subdir="noarch", expires_at=None, **changes):
    document = check_instructions({"packages.conda": {filename: changes or {"license": "MIT"}}})
    columns = CondaPatch.columns(subdir, document, "ada", "because", expires_at)
    return CondaPatch.objects.create(**columns)


def _add(repository, *patches):
    with repository.new_version() as version:
        version.add_content(CondaPatch.objects.filter(pk__in=[patch.pk for patch in patches]))
    return version


def _patched(version, now=NOW, subdir="noarch"):
    patches = CondaPatch.active(VersionState(version), now)[subdir]
    return orjson.loads(patches.apply(NUMPY.filename, NUMPY.canonical))


def test_a_version_has_the_patches_that_were_added_and_not_removed(repository):
    patch = _patch(depends=["python"])
    first = _add(repository, patch)
    with repository.new_version() as second:
        second.remove_content(CondaPatch.objects.all())
    assert _patched(first)["depends"] == ["python"]
    assert CondaPatch.active(VersionState(second), NOW) == {}


def test_the_patch_that_was_made_later_wins_whatever_order_they_were_added_in(repository):
    older, newer = _patch(depends=["a"], license="A"), _patch(depends=["b"])
    _add(repository, newer)
    version = _add(repository, older)
    assert _patched(version)["depends"] == ["b"]
    assert _patched(version)["license"] == "A"


def test_patches_hold_for_their_subdir_only(repository):
    other = make_record("numpy", subdir="linux-64")
    CondaPackage.from_record(other).save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.all())
        version.add_content(CondaPatch.objects.filter(pk=_patch(subdir="linux-64").pk))
    assert CondaPatch.active(VersionState(version), NOW).keys() == {"linux-64"}


def test_a_patch_is_left_out_from_the_moment_it_expires(repository):
    version = _add(repository, _patch(expires_at=NOW, depends=["python"]), _patch(license="MIT"))
    assert _patched(version, NOW - timedelta(seconds=1))["depends"] == ["python"]
    assert _patched(version, NOW)["depends"] == []
    assert _patched(version, NOW)["license"] == "MIT"


def test_active_patches_take_one_query_however_many_there_are(repository):
    version = _add(repository, *(_patch(license=f"L{number}") for number in range(25)))
    with CaptureQueriesContext(connection) as queries:
        assert _patched(version)["license"] == "L24"
    assert len(queries) <= 2  # one of them may ask for the content ids of the version


def test_the_digest_says_whether_two_patches_are_the_same():
    document = check_instructions({"remove": [NUMPY.filename]})

    def digest(*facts):
        return CondaPatch.columns(*facts)["digest"]

    first = digest("noarch", document, "ada", "because", NOW)
    same = check_instructions({"remove": [NUMPY.filename], "packages": {}})
    elsewhere = NOW.astimezone(timezone(timedelta(hours=2)))
    assert digest("noarch", same, "ada", "because", elsewhere) == first
    others = [
        digest("linux-64", document, "ada", "because", NOW),
        digest("noarch", check_instructions({"revoke": [NUMPY.filename]}), "ada", "because", NOW),
        digest("noarch", document, "bob", "because", NOW),
        digest("noarch", document, "ada", "why not", NOW),
        digest("noarch", document, "ada", "because", None),
    ]
    assert len({first, *others}) == 6


def test_a_patch_that_names_no_package_of_the_channel_is_refused(repository):
    with pytest.raises(CondaError) as refused:
        _add(repository, _patch("numpi-1.0-0.conda"))
    assert refused.value.error_code == "CND0034"
    assert refused.value.error.facts == {"path": "noarch/numpi-1.0-0.conda", "repository": "team"}
    with pytest.raises(CondaError):
        _add(repository, _patch(subdir="linux-64"))
    assert repository.latest_version().number == 1


def test_one_package_of_those_that_a_patch_names_is_enough(repository):
    document = {"remove": ["absent-1.0-0.conda", NUMPY.filename]}
    columns = CondaPatch.columns("noarch", check_instructions(document), "ada", "because")
    assert _add(repository, CondaPatch.objects.create(**columns)).number == 2


def test_a_patch_of_a_tar_bz2_may_come_where_only_its_conda_is(repository):
    document = check_instructions({"packages": {"numpy-1.0-0.tar.bz2": {"license": "MIT"}}})
    columns = CondaPatch.columns("noarch", document, "ada", "because")
    assert _patched(_add(repository, CondaPatch.objects.create(**columns)))["license"] == "MIT"


def test_a_patch_may_come_with_its_package_and_outlive_it(repository):
    scipy = CondaPackage.from_record(make_record("scipy"))
    scipy.save()
    patch = _patch(scipy.filename)
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk=scipy.pk))
        version.add_content(CondaPatch.objects.filter(pk=patch.pk))
    with repository.new_version() as version:
        version.remove_content(CondaPackage.objects.filter(pk=scipy.pk))
    assert CondaPatch.active(VersionState(version), NOW)["noarch"].filenames() == [scipy.filename]


@pytest.mark.parametrize("count", [1, 10])
def test_patches_are_checked_with_one_query_for_packages(repository, count):
    patches = [_patch(license=f"L{number}") for number in range(count)]
    with CaptureQueriesContext(connection) as queries:
        _add(repository, *patches)
    asked = [q for q in queries if '"filename" IN' in q["sql"] and "numpy-1.0-0.conda" in q["sql"]]
    assert len(asked) == 1


def test_what_an_upstream_removed_is_one_patch_and_needs_no_package(repository):
    patch = CondaPatch.for_upstream("noarch", ["gone-1.0-0.conda"])
    assert CondaPatch.for_upstream("noarch", iter(["gone-1.0-0.conda"])) == patch
    assert CondaPatch.for_upstream("linux-64", ["gone-1.0-0.conda"]) != patch
    assert CondaPatch.for_upstream("noarch", ["no package"]) is None
    version = _add(repository, patch, _patch())
    assert list(CondaPatch.of_upstream(VersionState(version))) == [patch]
    assert CondaPatch.active(VersionState(version), NOW)["noarch"].removed == ["gone-1.0-0.conda"]


def test_versions_are_compared_by_their_patches(repository):
    first, second, third = _patch(license="A"), _patch(license="B"), _patch(license="C")
    base = _add(repository, first, second)
    with repository.new_version() as target:
        target.remove_content(CondaPatch.objects.filter(pk=first.pk))
        target.add_content(CondaPatch.objects.filter(pk=third.pk))
    assert diff_patches(VersionState(base), VersionState(target)) == {
        "added": [third],
        "removed": [first],
    }
    assert diff_patches(VersionState(target), VersionState(base), "numpy") == {
        "added": [first],
        "removed": [third],
    }
    assert diff_patches(VersionState(base), VersionState(target), "num") == {
        "added": [],
        "removed": [],
    }


def _save(user="ada", **data):
    """Make a patch as the task does that follows a request of a user."""
    data = {"subdir": "noarch", "reason": "because", **data}
    serializer = CondaPatchSerializer(data=data, context={"request": None, "author": user})
    serializer.is_valid(raise_exception=True)
    return serializer.save()


def test_the_same_patch_is_the_same_unit():
    instructions = {"remove": [NUMPY.filename]}
    patch = _save(instructions=instructions)
    assert patch.author == "ada"
    assert _save(instructions={**instructions, "revoke": []}, credit="") == patch
    assert _save(instructions=instructions, user="bob") != patch
    assert _save(instructions=instructions, credit="bob") != patch


def test_a_task_that_runs_late_makes_the_patch_all_the_same():
    over = clock.now() - timedelta(minutes=1)
    assert _save(instructions={"remove": [NUMPY.filename]}, expires_at=over).expires_at == over
