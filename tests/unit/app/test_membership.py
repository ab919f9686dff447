from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.plugin.models import Content, Domain, Repository, RepositoryContent, RepositoryVersion
from pulpcore.plugin.repo_version_utils import remove_duplicates

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaEnvironment, CondaPackage, CondaRepository
from pulp_conda.app.tasks.modify import modify
from pulp_conda.app.versions.membership import change_contents
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def units():
    """Content by a letter; the upper one has the path, or the name, of the lower one."""
    records = {name: make_record(name) for name in "abcde"} | {"A": make_record("a", depends=["b"])}
    units = {name: CondaPackage.from_record(record) for name, record in records.items()}
    for letter in "xX":
        units[letter] = CondaEnvironment(
            name="web", digest=letter, platforms=["linux-64"], requirements={}
        )
    for unit in units.values():
        unit.save()
    return units


# The number of the version to start from, and what to do with which units.
HISTORY = (
    (None, [("add", "abcx")]),
    (None, [("remove", "a"), ("add", "d")]),
    (None, [("add", "ae"), ("remove", "e")]),
    (None, [("remove", "bc"), ("add", "b"), ("add", "bd")]),
    (None, [("remove", "c"), ("add", "")]),
    (None, [("add", "AX"), ("remove", "e")]),
    (1, [("add", "Ad")]),
    (5, [("remove", "b"), ("add", "x")]),
    (None, [("remove", "abcdeAxX"), ("add", "e")]),
    (1, [("add", "AX")]),
    (2, []),
)


def _by_pulpcore(repository, changes, base, units):
    """Make a version with nothing but what pulpcore itself does, when a plugin leaves everything to
    it.
    """
    with Repository.new_version(repository, base_version=base) as version:
        for verb, letters in changes:
            contents = Content.objects.filter(pk__in=[units[letter].pk for letter in letters])
            getattr(RepositoryVersion, f"{verb}_content")(version, contents)
        remove_duplicates(version)
    if version.complete:
        version._compute_counts()


def _by_querysets(repository, changes, base, units):
    with repository.new_version(base_version=base) as version:
        for verb, letters in changes:
            contents = Content.objects.filter(pk__in=[units[letter].pk for letter in letters])
            getattr(version, f"{verb}_content")(contents)


def _by_sets(repository, changes, base, units):
    with repository.new_version(base_version=base) as version:
        for verb, letters in changes:
            argument = {"add": "added", "remove": "removed"}[verb]
            change_contents(version, **{argument: _select(letters, units)})


def _by_one_set(repository, changes, base, units):
    last = {letter: verb for verb, letters in changes for letter in letters}
    added, removed = (
        _select((letter for letter in last if last[letter] == verb), units)
        for verb in ("add", "remove")
    )
    with repository.new_version(base_version=base) as version:
        change_contents(version, added, removed)


def _select(letters, units):
    keys = ", ".join(str(units[letter].pk) for letter in letters)
    return f"SELECT unnest('{{{keys}}}'::uuid[])"


def _history(how, units, delete=lambda repository: None):
    """Go through some versions, and tell what is in the tables afterwards."""
    repository = CondaRepository.objects.create(name=f"{how.__name__}-{delete.__name__}")
    for base, changes in HISTORY:
        base = base and repository.versions.get(number=base)
        how(repository, changes, base, units)
    delete(repository)
    letters = {unit.pk: letter for letter, unit in units.items()}
    rows = RepositoryContent.objects.filter(repository=repository).values_list(
        "content", "version_added__number", "version_removed__number"
    )
    versions = repository.versions.order_by("number")
    return SimpleNamespace(
        rows=sorted(((letters[pk], *numbers) for pk, *numbers in rows), key=str),
        keys=["".join(sorted(letters[pk] for pk in version.content_ids)) for version in versions],
        counts=[
            sorted(version.counts.values_list("count_type", "content_type", "count"))
            for version in versions
        ],
        facts=[(v.number, v.complete, v.base_version and v.base_version.number) for v in versions],
    )


@pytest.mark.parametrize("how", [_by_querysets, _by_sets, _by_one_set])
def test_sets_leave_what_pulpcore_leaves(units, how):
    ours, theirs = _history(how, units), _history(_by_pulpcore, units)
    assert ours == theirs
    assert ours.keys == [
        "",
        "abcx",
        "bcdx",
        "abcdx",
        "abdx",
        "AXbd",
        "Abcdx",
        "Adx",
        "e",
        "AXbc",
        "bcdx",
    ]


def _delete_by_pulpcore(repository):
    for version in repository.versions.filter(number__lt=8).order_by("-number"):
        version.delete()


def _retain_few(repository):
    repository.retain_repo_versions = 3
    repository.cleanup_old_versions()


def test_old_versions_go_as_pulpcore_lets_them_go(units):
    theirs = _history(_by_querysets, units, delete=_delete_by_pulpcore)
    ours = _history(_by_querysets, units, delete=_retain_few)
    assert ours == theirs
    assert [number for number, *_ in ours.facts] == [8, 9, 10]


@pytest.mark.parametrize(
    "add, remove, base, members",
    [
        pytest.param("de", "a", None, "bcdex", id="add and remove"),
        pytest.param("a", "a", None, "abcx", id="remove and add again"),
        pytest.param("d", "*", None, "d", id="remove everything"),
        pytest.param("d", "*", 2, "d", id="remove everything from another version"),
        pytest.param("d", "b", 2, "cde", id="another version"),
    ],
)
def test_modify_removes_then_adds(units, add, remove, base, members):
    repository = CondaRepository.objects.create(name="team")
    for letters in ("ab", "bce", "abcx"):
        modify(repository.pk, _keys(units, letters), ["*"])
    result = modify(
        repository.pk,
        _keys(units, add),
        ["*"] if remove == "*" else _keys(units, remove),
        base_version_pk=base and repository.versions.get(number=base).pk,
    )
    latest = repository.latest_version()
    assert _members(latest, units) == members
    changed = set(members) != set("abcx")
    assert latest.number == (4 if changed else 3)
    assert result is None if not changed else result["number"] == 4


def test_modify_replaces_other_bytes_only_if_it_may(units):
    units["other"] = CondaPackage.from_record(make_record("a", sha256="0" * 64))
    units["other"].save()
    repository = CondaRepository.objects.create(name="team")
    modify(repository.pk, _keys(units, "ab"), [])
    with pytest.raises(CondaError) as refused:
        modify(repository.pk, _keys(units, ["other"]), _keys(units, "b"))
    assert refused.value.error_code == "CND0018"
    assert _members(repository.latest_version(), units) == "ab"

    modify(repository.pk, _keys(units, ["other", "c"]), ["*"])
    modify(repository.pk, _keys(units, "a"), [], overwrite=True)
    assert _members(repository.latest_version(), units) == "ac"


def test_content_of_another_domain_is_not_taken(units):
    units["a"].pulp_domain = Domain.objects.create(name="red", storage_class="x")
    units["a"].save()
    repository = CondaRepository.objects.create(name="team")
    with pytest.raises(AssertionError, match="another domain"):
        modify(repository.pk, _keys(units, "a"), [])
    assert repository.latest_version().number == 0


def test_wrong_counts_of_the_version_before_are_not_carried_on(units):
    repository = CondaRepository.objects.create(name="team")
    modify(repository.pk, _keys(units, "abx"), [])
    repository.latest_version().counts.update(count=7)
    modify(repository.pk, _keys(units, "c"), [])
    version = repository.latest_version()
    assert version.count("conda.package") == 3
    assert version.count("conda.environment") == 1


def test_a_change_looks_through_no_keys_of_the_version(units):
    repository = CondaRepository.objects.create(name="team")
    modify(repository.pk, _keys(units, "ab"), [])
    with CaptureQueriesContext(connection) as queries:
        modify(repository.pk, _keys(units, "c"), _keys(units, "x"))
    queries = [query["sql"] for query in queries]
    asking = [query for query in queries if query.startswith("SELECT") and "content_ids" in query]
    # How many there are is written in front of them.
    assert ["cardinality(" in query for query in asking] == [True]


def test_the_keys_of_a_version_do_not_come_in_the_order_of_their_hashes():
    """PostgreSQL needs 53 seconds for a hash table of 200,000 keys that come so, and pulpcore makes
    one in each query.
    """
    repository = CondaRepository.objects.create(name="team")
    units = [CondaPackage.from_record(make_record(f"name{number}")) for number in range(50)]
    for unit in units:
        unit.save()
    keys = [unit.pk for unit in units]
    with repository.new_version() as version:
        version.add_content(Content.objects.filter(pk__in=keys).order_by("?"))
    assert version.content_ids == sorted(keys)
    with repository.new_version() as version:
        version.remove_content(Content.objects.filter(pk__in=keys[7:9]))
    assert version.content_ids == sorted(keys[:7] + keys[9:])


def _keys(units, letters):
    return [str(units[letter].pk) for letter in letters]


def _members(version, units):
    return "".join(sorted(letter for letter, unit in units.items() if version.contains(unit)))


@pytest.mark.parametrize("maker", [CondaRepository, Repository], ids=["we", "pulpcore's importer"])
def test_a_complete_version_has_the_methods_of_its_class(units, maker):
    repository = CondaRepository.objects.create(name="team")
    repository = maker.objects.get(pk=repository.pk)
    chosen = Content.objects.filter(pk__in=_keys(units, "ab"))
    with CaptureQueriesContext(connection) as queries:
        with repository.new_version() as version:
            version.set_content(chosen)
    assert any("conda_chosen" in query["sql"] for query in queries)  # changed as sets
    assert type(version) is RepositoryVersion
    assert not [name for name, value in vars(version).items() if callable(value)]
    assert set(version.content.values_list("pk", flat=True)) == {unit.pk for unit in chosen}
