import pytest

from pulpcore.plugin.models import Content, RepositoryContent

from pulp_conda.app.models import CondaPackage, CondaRepository
from pulp_conda.app.models.membership import add_contents, remove_contents
from tests.builders import make_record

pytestmark = pytest.mark.django_db


def _by_pulpcore(version, verb, names):
    contents = Content.objects.filter(conda_condapackage__name__in=names)
    getattr(version, f"{verb}_content")(contents)


def _by_sets(version, verb, names):
    names = ", ".join(f"'{name}'" for name in names)
    change = {"add": add_contents, "remove": remove_contents}[verb]
    change(version, f"SELECT content_ptr_id FROM conda_condapackage WHERE name IN ({names})")


def _history(how):
    """Go through some versions, and tell what is in the tables afterwards."""
    repository = CondaRepository.objects.create(name=how.__name__)
    for changes in (
        [("add", "abc")],
        [("remove", "a"), ("add", "d")],
        [("add", "ae"), ("remove", "e")],
        [("remove", "bc"), ("add", "b"), ("add", "bd")],
        [("remove", "abd"), ("remove", "x"), ("add", "e")],
    ):
        with repository.new_version() as version:
            for verb, names in changes:
                how(version, verb, names)
    rows = RepositoryContent.objects.filter(repository=repository).values_list(
        "content__conda_condapackage__name", "version_added__number", "version_removed__number"
    )
    versions = repository.versions.order_by("number")
    return (
        sorted(rows, key=str),
        [sorted(_names(version.get_content(CondaPackage.objects))) for version in versions],
        [sorted(_names(CondaPackage.objects.filter(pk__in=v.content_ids))) for v in versions],
        [(v.count(), v.added_count(), v.removed_count(), v.complete) for v in versions],
    )


def _names(packages):
    return packages.values_list("name", flat=True)


def test_sets_leave_what_pulpcore_leaves():
    for name in "abcde":
        CondaPackage.from_record(make_record(name)).save()
    rows, members, ids, counts = _history(_by_sets)
    assert (rows, members, ids, counts) == _history(_by_pulpcore)
    assert members[-1] == ["e"]
    assert members == ids


def test_of_a_version_with_a_base_the_new_package_wins():
    repository = CondaRepository.objects.create(name="team")
    old, new = make_record("a"), make_record("a", depends=["b"])
    for record in (old, new, make_record("c")):
        CondaPackage.from_record(record).save()
    packages = CondaPackage.objects

    def version(records, base=None):
        with repository.new_version(base_version=base) as version:
            digests = [record.digest for record in records]
            version.add_content(packages.filter(record_digest__in=digests))
        return version

    first = version([old])
    version([make_record("c")])
    third = version([new], base=first)
    assert [package.depends for package in third.get_content(packages)] == [["b"]]
