"""What is kept of the names of a publication, and how it is asked for."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import Task

from pulp_conda.app.errors import NamesMissing
from pulp_conda.app.models import (
    CondaBlock,
    CondaPackage,
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
    NameBlock,
    PublicationNames,
    UpstreamSummary,
)
from pulp_conda.app.publishing import names as publishing_names
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.versions import names
from pulp_conda.channel.metadata.names import NameFacts, SubdirFacts
from pulp_conda.channel.package.info import PackageInfo
from tests.support.builders import TIMESTAMP, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_a_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Task.objects.create(name="publish", state="running", logging_cid="")
    with with_task_context(task):
        yield


def make_repository(*records):
    repository = CondaRepository.objects.create(name="team")
    add(repository, *records)
    return repository


def add(repository, *records):
    packages = [CondaPackage.from_record(record) for record in records]
    for package in packages:
        package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk__in=[each.pk for each in packages]))


def publish(repository):
    return publish_version(repository.latest_version()).pk


def test_the_facts_of_a_name_are_those_of_its_packages():
    info = PackageInfo(
        run_exports={"weak": ["numpy"]},
        about={"summary": "Arrays", "home": "https://numpy.org", "dev_url": "javascript:x()"},
        link=None,
        licenses=(),
        traits={},
        source_urls=("https://numpy.org/1.tar.gz",),
    )
    newest = make_record("numpy", "1.10", "1", build_number=1, subdir="linux-64", size=1)
    CondaPackageInfo.remember(newest.sha256, info)
    repository = make_repository(
        newest,
        make_record("numpy", "1.9", size=7, timestamp=TIMESTAMP + 1),
        make_record("numpy", "1.10", depends=["python"], license="MIT", size=5),
        make_record("python", "3.12", depends=["libffi"]),
    )
    found = names.name(publish(repository), "numpy")
    assert found == NameFacts(
        name="numpy",
        version="1.10",
        summary="Arrays",
        license="BSD-3-Clause",
        home="https://numpy.org",
        dev_url="javascript:x()",
        doc_url="",
        source_urls=("https://numpy.org/1.tar.gz",),
        timestamp=TIMESTAMP + 1,
        has_run_exports=True,
        subdirs={
            "linux-64": SubdirFacts("1.10", 1, 1, 1, TIMESTAMP),
            "noarch": SubdirFacts("1.10", 0, 2, 12, TIMESTAMP + 1),
        },
        depends=("python",),
    )


def test_names_know_what_clients_are_served():
    """A patch changes them, and hidden and blocked packages have no part in them."""
    records = [
        make_record("a", "1.0", depends=["x"], license="MIT"),
        make_record("a", "2.0", depends=["y"]),
        make_record("a", "3.0", depends=["z"]),
        make_record("gone", "1.0", depends=["x"]),
    ]
    repository = make_repository(*records)
    document = {
        "packages.conda": {"a-1.0-0.conda": {"license": "ISC", "depends": ["w >=2"]}},
        "remove": ["a-2.0-0.conda", "gone-1.0-0.conda"],
    }
    columns = CondaPatch.columns("noarch", document, "ada", "because")
    patch = CondaPatch.objects.create(**columns)
    with repository.new_version() as version:
        version.add_content(CondaPatch.objects.filter(pk=patch.pk))
    blocked = CondaPackage.objects.get(version="3.0")
    CondaBlock.objects.create(sha256=blocked.sha256, public_reason="x").match()
    publication = publish(repository)
    found = names.name(publication, "a")
    assert (found.version, found.license, found.depends) == ("1.0", "ISC", ("w",))
    assert found.subdirs["noarch"].files == 1
    assert names.names_of(publication) == ["a"]
    assert names.dependents(publication, "w") == names.Dependents(1, ["a"])
    assert names.dependents(publication, "x") == names.Dependents(0, [])


@pytest.fixture
def publication(monkeypatch):
    """One whose names are in several blocks."""
    monkeypatch.setattr(publishing_names, "_BLOCK", 3)
    records = [make_record(f"lib{number}", depends=["a", "lib1"]) for number in range(8)]
    UpstreamSummary.objects.create(
        repository=(repository := CondaRepository.objects.create(name="team")),
        name="zlib",
        since=1,
        summary={"summary": "A LIB0 of its own", "run_exports": {}},
    )
    add(repository, make_record("zlib"), *records)
    publication = publish(repository)
    assert NameBlock.objects.filter(publication=publication).count() == 3
    return publication


def test_a_search_has_pages(publication):
    first = names.search(publication, "lib", 3)
    assert first.count == 9
    assert [hit.facts.name for hit in first.hits] == ["lib0", "lib1", "lib2"]
    rest = names.search(publication, "lib", 100, after="lib2")
    assert [hit.facts.name for hit in rest.hits] == [*(f"lib{n}" for n in range(3, 8)), "zlib"]
    assert names.search(publication, "lib", 3, after="zlib").hits == []
    assert names.search(publication, "lib", 1, after="no hit").hits == first.hits[:1]


def test_a_search_says_why_it_found_a_name(publication):
    found = names.search(publication, "Lib0", 10)
    assert [(hit.kind, hit.facts.name) for hit in found.hits] == [
        ("exact", "lib0"),
        ("summary", "zlib"),
    ]
    assert found.hits[1].facts.summary == "A LIB0 of its own"


def test_dependents_have_pages(publication):
    first = names.dependents(publication, "a", limit=2)
    assert first == names.Dependents(8, ["lib0", "lib1"])
    rest = names.dependents(publication, "a", 100, after="lib5")
    assert rest == names.Dependents(8, ["lib6", "lib7"])


def test_a_name_that_is_not_there_has_no_facts(publication):
    for name in ("", "a", "lib", "lib10", "zz", "\0", "\ud800"):
        assert names.name(publication, name) is None


def test_a_question_takes_one_query_or_two(publication):
    for ask, most in [
        (lambda: names.search(publication, "lib", 9), 2),
        (lambda: names.name(publication, "zlib"), 2),
        (lambda: names.dependents(publication, "a"), 1),
        (lambda: names.count_names(publication), 1),
    ]:
        with CaptureQueriesContext(connection) as queries:
            ask()
        assert len(queries) <= most


def test_an_empty_publication_has_no_names():
    publication = publish(make_repository())
    assert names.has_names(publication)
    assert names.names_of(publication) == []
    assert names.search(publication, "a", 5) == names.SearchResult(0, [])


def test_a_publication_of_an_earlier_version_of_the_plugin_says_so(publication):
    PublicationNames.objects.all().delete()
    assert not names.has_names(publication)
    for ask in (
        lambda: names.search(publication, "lib", 5),
        lambda: names.name(publication, "lib0"),
        lambda: names.dependents(publication, "a"),
        lambda: names.names_of(publication),
        lambda: names.count_names(publication),
    ):
        with pytest.raises(NamesMissing, match="publication create"):
            ask()


def test_names_go_with_their_publication(publication):
    CondaPublication.objects.get(pk=publication).delete()
    assert not NameBlock.objects.exists()
    assert not PublicationNames.objects.exists()
