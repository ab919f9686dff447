import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulp_conda.app.models import CondaPackage, CondaRepository
from pulp_conda.app.versions.comparison import NameQuery, compare, count_changes
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel.diff import diff
from pulp_conda.channel.errors import BadMatchSpec
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


def _version(records, name="team"):
    """Return the state of a repository that has exactly these records."""
    repository, _ = CondaRepository.objects.get_or_create(name=name)
    digests = [record.digest for record in records]
    stored = CondaPackage.objects.filter(record_digest__in=digests)
    known = set(stored.values_list("record_digest", flat=True))
    for record in records:
        if record.digest not in known:
            CondaPackage.from_record(record).save()
    with repository.new_version() as version:
        version.remove_content(version.get_content(CondaPackage.objects))
        version.add_content(CondaPackage.objects.filter(record_digest__in=digests))
    return VersionState(version)


OLD = [
    make_record("down", "2.0"),
    make_record("fixed", "1.0", depends=["python"]),
    make_record("gone", "1.0"),
    make_record("pruned", "1.0"),
    make_record("pruned", "2.0"),
    make_record("rebuilt", "1.0"),
    make_record("same", "1.0"),
    make_record("up", "1.9", subdir="linux-64"),
    make_record("up", "1.9", subdir="osx-arm64"),
    make_record("up", "1.9", subdir="win-64"),
    make_record("zbytes", "1.0", sha256="a" * 64),
]
NEW = [
    make_record("down", "1.5"),
    make_record("fixed", "1.0", depends=["python <3.13"]),
    make_record("new", "0.1"),
    make_record("new", "0.2"),
    make_record("pruned", "2.0"),
    make_record("rebuilt", "1.0"),
    make_record("rebuilt", "1.0", build="1"),
    make_record("same", "1.0"),
    make_record("up", "1.9", subdir="linux-64"),
    make_record("up", "1.10", subdir="linux-64"),
    make_record("up", "1.10", subdir="osx-arm64"),
    make_record("up", "1.9", subdir="win-64", license="MIT"),
    make_record("zbytes", "1.0", sha256="b" * 64),
]


@pytest.fixture
def versions():
    return _version(OLD), _version(NEW)


def _told(changes):
    return {name.name: (name.summary, name.from_version, name.to_version) for name in changes}


def test_every_name_gets_its_summary_from_all_versions_it_has(versions):
    with compare(*versions) as changes:
        assert _told(changes.page()) == {
            "down": ("downgraded", "2.0", "1.5"),
            "fixed": ("changed", "1.0", "1.0"),
            "gone": ("gone", "1.0", None),
            "new": ("new", None, "0.2"),
            "pruned": ("changed", "2.0", "2.0"),
            "rebuilt": ("rebuilt", "1.0", "1.0"),
            "up": ("upgraded", "1.9", "1.10"),
            "zbytes": ("rebuilt", "1.0", "1.0"),
        }
        assert changes.summaries() == {
            "upgraded": 1,
            "downgraded": 1,
            "new": 1,
            "gone": 1,
            "rebuilt": 2,
            "changed": 2,
        }
        assert changes.counts() == {"added": 6, "removed": 4, "replaced": 1, "updated": 2}
        (up,) = [name for name in changes.page() if name.name == "up"]
    assert up.subdirs == ("linux-64", "osx-arm64")
    assert up.counts == {"added": 2, "removed": 1, "updated": 1}


@pytest.mark.parametrize("of", ["one repository", "two repositories"])
def test_postgresql_finds_what_python_finds(of):
    base = _version(OLD)
    target = _version(NEW, "team" if of == "one repository" else "other")
    removed = [record for record in OLD if record.digest not in {new.digest for new in NEW}]
    added = [record for record in NEW if record.digest not in {old.digest for old in OLD}]
    for older, newer, expected in (
        (base, target, diff(removed, added)),
        (target, base, diff(added, removed)),
        (None, target, diff([], NEW)),
        (base, base, {}),
    ):
        with compare(older, newer) as changes:
            page = changes.page()
            assert changes.names() == list(expected)
            counts = changes.counts()
        assert {name.name: _plain(name.changes) for name in page} == {
            name: _plain(of_name) for name, of_name in expected.items()
        }
        kinds = [change.kind for of_name in expected.values() for change in of_name]
        assert counts == {kind: kinds.count(kind) for kind in set(kinds)}


def _plain(changes):
    return [(c.kind, c.record.digest, c.keys, c.values) for c in changes]


def test_names_with_withdrawn_files_come_with_what_is_kept(versions):
    older, newer = versions
    withheld = [record.sha256 for record in OLD if record.name == "down"]
    with compare(newer, older) as changes:
        count, names = changes.withdrawn(limit=100, withheld=withheld)
        assert changes.withdrawn(limit=2) == (5, changes.withdrawn(limit=100)[1][:2])
    assert count == 5
    found = {
        name.name: (name.is_replaced, sorted(name.builds), sorted(name.kept)) for name in names
    }
    assert found == {
        "down": (False, [("1.5", 0)], []),
        "new": (False, [("0.1", 0), ("0.2", 0)], []),
        "rebuilt": (False, [("1.0", 0)], [("1.0", 0)]),
        "up": (False, [("1.10", 0)], [("1.9", 0)]),
        "zbytes": (True, [], [("1.0", 0)]),
    }
    with compare(older, older) as changes:
        assert changes.withdrawn(limit=100) == (0, [])


def test_names_come_in_pages_and_in_sections(versions):
    with compare(*versions) as changes:
        assert changes.names(offset=2, limit=2) == ["gone", "new"]
        assert [name.name for name in changes.page(6, 10)] == ["up", "zbytes"]
        assert changes.page(100) == []
        assert changes.names(summary="rebuilt") == ["rebuilt", "zbytes"]
        sections = [name.name for name in changes.sections(limit=1)]
    assert sections == ["up", "down", "new", "gone", "rebuilt", "fixed"]


@pytest.mark.parametrize(
    "filters, expected, counts",
    [
        pytest.param({"name": "up"}, ["up"], {"added": 2, "removed": 1, "updated": 1}, id="name"),
        pytest.param({"name": "u"}, [], {}, id="part of a name"),
        pytest.param(
            {"name": "*ne*"}, ["gone", "new", "pruned"], {"added": 2, "removed": 2}, id="pattern"
        ),
        pytest.param({"name": "_own"}, [], {}, id="no pattern of SQL"),
        pytest.param({"name": "up >=1.10"}, ["up"], {"added": 2}, id="spec of the newer"),
        pytest.param({"name": "pruned <2"}, ["pruned"], {"removed": 1}, id="spec of the older"),
        pytest.param({"name": "up >3"}, [], {}, id="spec of nothing"),
        pytest.param({"name": "same >=1"}, [], {}, id="spec of what did not change"),
        pytest.param({"subdir": "win-64"}, ["up"], {"updated": 1}, id="subdir"),
        pytest.param({"kind": "replaced"}, ["zbytes"], {"replaced": 1}, id="kind"),
        pytest.param(
            {"kind": "removed", "summary": "changed"}, ["pruned"], {"removed": 1}, id="both"
        ),
        pytest.param({"summary": "gone"}, ["gone"], {"removed": 1}, id="summary"),
    ],
)
def test_filters_choose_what_is_shown_and_counted(versions, filters, expected, counts):
    with compare(*versions, **filters) as changes:
        assert changes.names() == expected
        assert changes.counts() == counts
        assert sum(changes.summaries().values()) == len(expected)
        page = changes.page()
    shown = [change.kind for name in page for change in name.changes]
    assert {kind: shown.count(kind) for kind in set(shown)} == counts


def test_what_a_spec_or_kind_hides_still_tells_what_became_of_a_name(versions):
    for filters in ({"name": "up <1.10"}, {"name": "up", "kind": "updated"}):
        with compare(*versions, **filters) as changes:
            assert _told(changes.page()) == {"up": ("upgraded", "1.9", "1.10")}


def test_a_subdir_is_compared_alone(versions):
    with compare(*versions, subdir="win-64") as changes:
        assert _told(changes.page()) == {"up": ("changed", "1.9", "1.9")}


@pytest.mark.parametrize("text", ["py* >=3", "^a.*$", "numpy >=1,<<2", "conda-forge::numpy", "é"])
def test_what_is_no_query_for_a_name_is_refused(text):
    with pytest.raises(BadMatchSpec):
        NameQuery(text)


def test_the_files_of_a_page_are_limited_and_counted():
    target = _version([make_record("a", build=str(n)) for n in range(5)] + [make_record("b")])
    with compare(None, target) as changes:
        names = changes.page(files=4)
        assert [len(name.changes) for name in names] == [2, 1]
        assert [name.counts for name in names] == [{"added": 5}, {"added": 1}]
        assert changes.page(files=0)[0].changes == ()


@pytest.mark.parametrize("packages", [2, 20])
def test_the_number_of_queries_does_not_depend_on_what_changed(packages):
    base = _version([make_record(f"p{n}", "1") for n in range(packages)])
    target = _version([make_record(f"p{n}", "2") for n in range(packages)])
    with CaptureQueriesContext(connection) as queries:
        with compare(base, target) as changes:
            assert (len(changes.page()), changes.summaries()) == (packages, {"upgraded": packages})
    assert len(queries) == 13


def test_nothing_stays_behind(versions):
    for _ in range(2):
        with pytest.raises(RuntimeError):
            with compare(*versions) as changes:
                changes.page()
                raise RuntimeError
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'conda\\_chang%'")
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",)


def _count(base, target):
    with compare(base, target) as changes:
        return sum(changes.counts().values())


@pytest.fixture
def histories():
    """Versions of two repositories: some packages go, come back, and are replaced on the way."""
    back, kept = make_record("back", "1.0"), make_record("kept", "1.0")
    team = [
        _version([kept]),
        _version([*OLD, back, kept]),
        _version([*NEW, kept]),
        _version([*NEW, back, kept]),
        _version([kept, make_record("back", "1.0", license="MIT")]),
    ]
    return [None, *team, _version([*OLD, kept], "other")]


def test_the_count_of_changes_is_that_of_a_comparison(histories):
    for base in histories:
        for target in histories[1:]:
            assert count_changes(base, target) == _count(base, target), (base, target)


def test_the_count_of_changes_is_right_after_a_version_between_is_deleted(histories):
    _none, first, second, third, fourth, fifth, other = histories
    expected = {
        (base, target): _count(base, target)
        for base in (first, second, fourth, fifth)
        for target in (first, second, fourth, fifth, other)
    }
    third.version.delete()
    assert {pair: count_changes(*pair) for pair in expected} == expected


def test_one_query_counts_the_changes_without_a_temporary_table(histories):
    for base in (None, *histories[1:3]):
        with CaptureQueriesContext(connection) as queries:
            count_changes(base, histories[-1])
            count_changes(base, histories[3])
        assert len(queries) == 2
        assert not any("CREATE" in query["sql"] for query in queries)
