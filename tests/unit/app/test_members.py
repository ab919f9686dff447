"""The pages of the content of a version."""

import pytest
from django.db import connection

from pulpcore.plugin.models import RepositoryContent

from pulp_conda.app.models import CondaPackage, CondaPatch, CondaRepository
from pulp_conda.app.versions import members
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


def save(*names):
    packages = [CondaPackage.from_record(make_record(name)) for name in names]
    for package in packages:
        package.save()
    return packages


def change(repository, added=(), removed=()):
    with repository.new_version() as version:
        version.remove_content(CondaPackage.objects.filter(pk__in=[each.pk for each in removed]))
        version.add_content(CondaPackage.objects.filter(pk__in=[each.pk for each in added]))


@pytest.fixture
def repository():
    """A repository whose packages come, go and come back, beside another with some of them."""
    repository = CondaRepository.objects.create(name="team")
    packages = save(*"abcdefg")
    change(repository, packages[:4])
    change(repository, packages[4:6], packages[:2])
    change(repository, packages[:1])
    change(repository, (), packages[:1])
    columns = CondaPatch.columns("noarch", {"remove": ["c-1.0-0.conda"]}, "ada", "because")
    patch = CondaPatch.objects.create(**columns)
    with repository.new_version() as version:
        version.add_content(CondaPatch.objects.filter(pk=patch.pk))
    change(CondaRepository.objects.create(name="other"), packages[3:])
    return repository


def test_the_pages_have_all_that_a_version_has(repository):
    versions = list(repository.versions.all())
    assert len(versions) == 6
    for version in versions:
        expected = set(version.get_content(CondaPackage.objects).values_list("pk", flat=True))
        pages = [members.page_of_members(version, "conda.package", n, 2) for n in range(0, 8, 2)]
        found = [key for page in pages for key in page]
        assert set(found) == expected
        assert len(found) == len(expected) == members.count_members(version, "conda.package")
    assert len(members.page_of_members(versions[-1], "conda.patch", 0, 2)) == 1


def test_a_page_is_read_in_the_order_of_an_index():
    repository = CondaRepository.objects.create(name="team")
    change(repository, save(*(f"n{number}" for number in range(300))))
    assert RepositoryContent.objects.filter(repository=repository).count() == 300
    facts = {
        "repository": repository.pk,
        "number": 1,
        "type": "conda.package",
        "limit": 5,
        "offset": 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(members._IN_ORDER)
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS off) {members._PAGE}", facts)
        plan = "\n".join(line for (line,) in cursor)
    assert "Sort" not in plan
    assert "rows=300" not in plan
