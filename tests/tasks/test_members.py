"""Lists of the packages of one repository version."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

PACKAGES = "content/conda/packages/"


@pytest.fixture(scope="module")
def repository(pulp, make_repository, make_packages):
    """A repository whose versions have two packages, one of them, and both again."""
    repository = make_repository()
    packages = make_packages("a", "b")
    pulp.modify(repository, add=packages)
    pulp.modify(repository, remove=packages[:1])
    pulp.modify(repository, add=packages[:1])
    return repository


def names(page):
    return sorted(package["name"].partition("-")[0] for package in page["results"])


@pytest.mark.parametrize("more", [{}, {"ordering": "name"}, {"name__startswith": ""}], ids=str)
def test_a_version_lists_its_packages(pulp, repository, more):
    expected = [[], ["a", "b"], ["b"], ["a", "b"]]
    for number, of_version in enumerate(expected):
        version = f"{repository}versions/{number}/"
        page = pulp.get(PACKAGES, repository_version=version, **more)
        assert (page["count"], names(page)) == (len(of_version), of_version)
    assert names(pulp.get(PACKAGES, repository_version=repository, **more)) == ["a", "b"]


def test_pages_follow_each_other(pulp, repository):
    pages = [
        pulp.get(PACKAGES, repository_version=repository, limit=1, offset=offset)
        for offset in range(3)
    ]
    assert [page["count"] for page in pages] == [2, 2, 2]
    assert sorted(name for page in pages for name in names(page)) == ["a", "b"]
    assert pages[0]["next"]
    assert not pages[1]["next"]


def test_other_content_of_a_version_is_listed_apart(pulp, repository):
    for kind in ("environments", "patches"):
        assert pulp.get(f"content/conda/{kind}/", repository_version=repository)["count"] == 0


@pytest.mark.parametrize("more", [{}, {"name": "a"}, {"subdir": "noarch"}], ids=str)
def test_no_list_compares_packages_with_all_keys_of_a_version(pulp, repository, more):
    with CaptureQueriesContext(connection) as queries:
        pulp.get(PACKAGES, repository_version=repository, **more)
    assert any("conda_condapackage" in query["sql"] for query in queries)
    assert not [query["sql"] for query in queries if "unnest" in query["sql"].lower()]


def test_bytes_are_found_by_their_index(pulp, repository):
    digest = pulp.get(PACKAGES, repository_version=repository)["results"][0]["sha256"]
    for query in ({"sha256": digest}, {"sha256__in": f"{digest},{'0' * 64}"}):
        with CaptureQueriesContext(connection) as queries:
            found = pulp.get(PACKAGES, repository_version=repository, **query)["results"]
        assert [package["sha256"] for package in found] == [digest]
        named = [each["sql"] for each in queries if f"'{digest}'" in each["sql"]]
        by_index = [sql for sql in named if 'LOWER("conda_condapackage"."sha256")' in sql]
        assert len(by_index) == 2, named  # the count, and the page
        assert not [sql for sql in named if 'WHERE "conda_condapackage"."sha256"' in sql]
    assert pulp.get(PACKAGES, sha256="0" * 64)["count"] == 0
