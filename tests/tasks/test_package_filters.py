"""Packages that are chosen by a match spec, and by the order of versions."""

import pytest

from tests.support.builders import make_package

VERSIONS = ("1.9", "1.10", "2.0rc1", "2.0", "1!0.1")


@pytest.fixture(scope="module")
def repository(pulp, make_repository):
    repository = make_repository()
    packages = [make_package("filtered", version) for version in VERSIONS]
    packages += [make_package("filtered", "2.0", build="h1_1", build_number=1)]
    packages += [make_package("filtered-too", "2.0")]
    for package in packages:
        pulp.upload(package, repository=repository)
    return repository


@pytest.fixture
def found(pulp, repository):
    """Return what a query finds: versions, or versions and builds of the same version."""

    def found(**query):
        version = pulp.get(repository)["latest_version_href"]
        answer = pulp.get("content/conda/packages/", repository_version=version, **query)
        return [f"{each['version']} {each['build_number']}" for each in answer["results"]]

    return found


NEWEST_FIRST = ["1!0.1 0", "2.0 1", "2.0 0", "2.0rc1 0", "1.10 0", "1.9 0"]


@pytest.mark.parametrize(
    "query, expected",
    [
        pytest.param({"match": "filtered"}, NEWEST_FIRST, id="all of a name"),
        pytest.param({"match": "filtered >=1.10,<2.0"}, NEWEST_FIRST[3:5], id="a range"),
        pytest.param({"match": "filtered 2.0 h1_1"}, ["2.0 1"], id="a build"),
        pytest.param({"match": "filtered[build_number=1]"}, ["2.0 1"], id="a number"),
        pytest.param(
            {"match": "filtered[version='>1!0', subdir=noarch]"}, ["1!0.1 0"], id="a subdir"
        ),
        pytest.param({"match": "filt* 2.0", "name": "filtered-too"}, ["2.0 0"], id="a pattern"),
        pytest.param({"match": "filtered", "name": "filtered-too"}, [], id="another name"),
        pytest.param({"match": "filtered ==1.9", "version": "2.0"}, [], id="with other filters"),
        pytest.param({"version__gt": "1.10"}, NEWEST_FIRST[:4], id="after"),
        pytest.param({"version__gte": "2.0"}, NEWEST_FIRST[:3], id="at least"),
        pytest.param({"version__lt": "1.10"}, ["1.9 0"], id="before"),
        pytest.param(
            {"version__gte": "1.10", "version__lte": "2.0rc1"}, NEWEST_FIRST[3:5], id="between"
        ),
    ],
)
def test_packages_are_chosen_and_ordered_as_conda_does(found, query, expected):
    if "match" not in query:
        query = {"name": "filtered", **query}
    assert found(**query) == expected


def test_another_order_is_kept(found):
    by_number = found(match="filtered", ordering="-build_number")
    assert by_number[0] == "2.0 1" and sorted(by_number) == sorted(NEWEST_FIRST)


@pytest.mark.parametrize(
    "query, words",
    [
        pytest.param({"match": "filt*"}, ["CND0158", "'match'"], id="a pattern alone"),
        pytest.param({"version__gte": "1"}, ["CND0158", "'version__gte'"], id="no name"),
        pytest.param(
            {"version__gte": "1", "name__contains": "filtered"}, ["CND0158"], id="part of a name"
        ),
        pytest.param({"version__lt": "1.*", "name": "filtered"}, ["CND0159"], id="no version"),
        pytest.param({"match": "filtered ==="}, ["CND0007", '"match"'], id="no spec"),
    ],
)
def test_a_filter_that_would_compare_all_packages_is_refused(pulp, query, words):
    answer = pulp.try_get("content/conda/packages/", **query)
    assert answer.status_code == 400, answer.text
    assert [word for word in words if word not in answer.text] == []
