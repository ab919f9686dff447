"""Refuse a sync that would remove a large part of a channel.

Upstreams are sometimes empty by accident: a build of the index broke off, or a web server looks
into the wrong folder. A mirror would follow them.
"""

from collections.abc import Iterable, Iterator
from math import ceil

from django.conf import settings

from pulp_conda.app.errors import MassRemoval
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.sync.ingest import Ingest
from pulp_conda.channel.errors import listed

# Fewer packages may always go, as long as others are left: one in a channel of two is no accident.
_FEW = 10

# A subdir, or None for the whole channel; how many packages of it go; and whether new ones come.
_Part = tuple[str | None, int, bool]


def check_removals(ingest: Ingest, repository: CondaRepository) -> None:
    """Check how many packages a sync would remove, after `Ingest.compare`.

    Packages whose record or file is replaced under the same path do not count.

    Raises:
        MassRemoval: it is more than the setting allows of a subdir, or of the channel. A few may
            go in any case, if others are left there.
    """
    gone = ingest.gone()
    parts: list[_Part] = [(each.subdir, each.packages, each.has_new) for each in gone]
    if len(gone) > 1:
        total, has_new = sum(each.packages for each in gone), any(each.has_new for each in gone)
        parts.append((None, total, has_new))
    if losses := list(_losses(ingest, parts)):
        raise MassRemoval(
            repository=repository.name,
            losses=listed(losses),
            percent=settings.CONDA_MAX_REMOVED_PERCENT,
        )


def _losses(ingest: Ingest, parts: Iterable[_Part]) -> Iterator[str]:
    """Describe the parts that would lose too much."""
    percent = settings.CONDA_MAX_REMOVED_PERCENT
    for subdir, gone, has_new in parts:
        # There is no need to count beyond the number of which these are not too many.
        enough = ceil(gone * 100 / percent) if percent else None
        before = ingest.count_latest(subdir, at_most=enough)
        is_emptied = gone == before and not has_new
        if gone * 100 > percent * before and (gone >= _FEW or is_emptied):
            where = f"'{subdir}'" if subdir else "the channel"
            yield f"{gone:,} of {before:,} packages of {where}"
