"""What a repository version does otherwise than pulpcore while it is made, and why.

pulpcore takes the keys of all content through Python: to add, to remove, to look whether anything
changed, to check types, to count. For a million packages each of these takes seconds and hundreds
of megabytes. Here PostgreSQL does the same with sets.

The methods are set on the one instance that is being made. A proxy model would not do: pulpcore's
importer makes the version itself and only hands it to the repository, and the PRN and the href of a
proxy are others than those of the version. When the version is complete, `restore` takes the
methods away again, so nobody else sees them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import Count, Func

from pulpcore.plugin.models import Content, RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.membership import change_contents, keys_in_table


def change_by_sets(version: RepositoryVersion) -> None:
    """Let a version that is being made add and remove content as sets."""
    _override(version, _WHILE_CHANGED)


def finish_by_changes(version: RepositoryVersion) -> None:
    """Let pulpcore look at the changes alone when it completes a version."""
    _override(version, _WHILE_FINISHED)


def finish_as_changed(version: RepositoryVersion) -> None:
    """Let pulpcore complete a version that has the same content as the one before: a virtual
    channel has none, and other channels changed. pulpcore would delete it.
    """
    _override(version, {"added": _nothing_that_counts})


def restore(version: RepositoryVersion) -> None:
    """Give a version the methods of its class again."""
    for name in _WHILE_CHANGED | _WHILE_FINISHED:
        version.__dict__.pop(name, None)


def delete(version: RepositoryVersion) -> None:
    """Delete a complete version as pulpcore does. The next version takes over its changes."""
    _override(version, {"next": _next})
    version.delete()


def _add_content(version: RepositoryVersion, content: models.QuerySet) -> None:
    """Add what a queryset has. pulpcore loads the keys of all content of the version first."""
    with _chosen(content) as keys:
        foreign = Content.objects.exclude(pulp_domain=get_domain_pk())
        assert not foreign.filter(pk__in=content).exists(), "content of another domain"
        change_contents(version, added=keys)


def _remove_content(version: RepositoryVersion, content: models.QuerySet) -> None:
    """Remove what a queryset has. pulpcore loads the keys of all content of the version first."""
    with _chosen(content) as keys:
        change_contents(version, removed=keys)


def _added(version: RepositoryVersion, base_version: RepositoryVersion | None = None) -> Any:
    """Return what the version added. pulpcore loads all of it to see whether it is empty."""
    return _asked_by_exists(RepositoryVersion.added(version, base_version))


def _nothing_that_counts(
    version: RepositoryVersion, base_version: RepositoryVersion | None = None
) -> Any:
    """Return no content, as something that is not empty."""
    return _NeverEmpty(Content, Content.objects.none().query)


def _removed(version: RepositoryVersion, base_version: RepositoryVersion | None = None) -> Any:
    """Return what the version removed. pulpcore loads all of it to see whether it is empty."""
    return _asked_by_exists(RepositoryVersion.removed(version, base_version))


def _new_content(version: RepositoryVersion) -> Any:
    """Return only what is new, whose types pulpcore has to check.

    The types of the version before were checked when that was made.
    """
    return version.added()


def _compute_counts(version: RepositoryVersion) -> None:
    """Store how much content a version has: what the version before had, and the changes.

    pulpcore counts all content. It does so here, too, if the counts of the version before are wrong
    (pulpcore's issue 7272).
    """
    restore(version)
    before = version.previous().counts.filter(count_type=version.counts.model.PRESENT)
    added, removed = _changes(version)
    present = Counter(dict(before.values_list("content_type", "count"))) + added
    present.subtract(removed)
    if present.total() == _size(version):
        _save_counts(version, A=added, P=present, R=removed)
    else:
        version._compute_counts()


def _next(version: RepositoryVersion) -> RepositoryVersion:
    """Return the next version, which takes over the changes of this one when this one is deleted.

    Only its changes are counted again then, since it has the same content as before.
    """
    following = RepositoryVersion.next(version)
    _override(following, {"_compute_counts": _compute_changes})
    return following


def _compute_changes(version: RepositoryVersion) -> None:
    """Store how much content a version adds and removes."""
    version.counts.exclude(count_type=version.counts.model.PRESENT).delete()
    added, removed = _changes(version)
    _save_counts(version, A=added, R=removed)


_Overrides = dict[str, Callable[..., Any]]

_WHILE_CHANGED: _Overrides = {"add_content": _add_content, "remove_content": _remove_content}

_WHILE_FINISHED: _Overrides = {
    "added": _added,
    "removed": _removed,
    "get_content": _new_content,
    "_compute_counts": _compute_counts,
}


def _override(version: RepositoryVersion, methods: _Overrides) -> None:
    for name, function in methods.items():
        setattr(version, name, MethodType(function, version))


class _AskedByExists(models.QuerySet):
    """A queryset that loads no rows to say whether it has any."""

    def __bool__(self) -> bool:
        return self.exists()


class _NeverEmpty(models.QuerySet):
    """A queryset that does not say that it is empty."""

    def __bool__(self) -> bool:
        return True


def _asked_by_exists(contents: models.QuerySet) -> _AskedByExists:
    return _AskedByExists(contents.model, contents.query, contents.db)


@contextmanager
def _chosen(content: models.QuerySet) -> Iterator[str]:
    """Give a query in SQL for the keys of a queryset."""
    try:
        query, parameters = content.values("pk").query.sql_with_params()
    except EmptyResultSet:
        yield "SELECT NULL::uuid WHERE false"
        return
    with keys_in_table("conda_chosen", f"SELECT DISTINCT * FROM ({query}) AS content", parameters):
        yield "SELECT content FROM conda_chosen"


def _changes(version: RepositoryVersion) -> tuple[Counter[str], Counter[str]]:
    """Return how much a version adds, and removes, of each type of content."""
    added, removed = (
        Counter(dict(members.values_list("content__pulp_type").annotate(Count("pk"))))
        for members in (version.added_memberships, version.removed_memberships)
    )
    return added, removed


def _save_counts(version: RepositoryVersion, **counts: Counter[str]) -> None:
    row = version.counts.model
    row.objects.bulk_create(
        row(repository_version=version, count_type=kind, content_type=pulp_type, count=count)
        for kind, of_kind in counts.items()
        for pulp_type, count in of_kind.items()
        if count
    )


def _size(version: RepositoryVersion) -> int:
    size = Func("content_ids", function="cardinality", output_field=models.IntegerField())
    return RepositoryVersion.objects.filter(pk=version.pk).values_list(size, flat=True).get()
