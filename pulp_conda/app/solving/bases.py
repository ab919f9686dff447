"""Other channels of this server, in which a curated mirror finds what it does not mirror."""

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.errors import BaseChannelCycle, NoSuchBaseChannel
from pulp_conda.app.models import CondaDistribution, CondaRepository
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.versions.state import State
from pulp_conda.channel.errors import shown


def base_states(repository: CondaRepository, base_channels: Sequence[str]) -> list[State]:
    """Return what the base channels of a repository serve now, in their order. A channel that
    serves nothing yet is left out.

    Raises:
        NoSuchBaseChannel, BaseChannelCycle: See `check_bases`.
    """
    check_bases(repository, base_channels)
    versions = [
        distribution.get_repository_publication_and_version()[1]
        for distribution in _find(base_channels, CondaDistribution.objects.all())
    ]
    return [state_of(version) for version in versions if version]


def check_bases(
    repository: CondaRepository | None,
    base_channels: Sequence[str],
    among: QuerySet[CondaDistribution] | None = None,
) -> None:
    """Check the base channels of a selection.

    Args:
        repository: The one that has the selection. None if it is not there yet.
        base_channels: The base paths of the channels.
        among: The distributions that may be named. The default is all.

    Raises:
        NoSuchBaseChannel: There is no such channel.
        BaseChannelCycle: The repository would be a base channel of itself.
    """
    waiting = list(
        _find(base_channels, CondaDistribution.objects.all() if among is None else among)
    )
    seen: set[str] = set()
    while waiting:
        distribution = waiting.pop()
        if distribution.base_path in seen:
            continue
        seen.add(distribution.base_path)
        served = distribution.get_repository_publication_and_version()[0]
        if served is None:
            continue
        if repository is not None and served.pk == repository.pk:
            raise BaseChannelCycle(channel=distribution.base_path, repository=repository.name)
        selection = CondaRepository.objects.values_list("selection", flat=True).get(pk=served.pk)
        # What these need is their own concern: a channel may be gone.
        waiting += CondaDistribution.objects.filter(
            pulp_domain=get_domain_pk(), base_path__in=(selection or {}).get("base_channels", ())
        )


def _find(
    base_channels: Sequence[str], among: QuerySet[CondaDistribution]
) -> Iterable[CondaDistribution]:
    found = {
        distribution.base_path: distribution
        for distribution in among.filter(pulp_domain=get_domain_pk(), base_path__in=base_channels)
    }
    for base_path in base_channels:
        if base_path not in found:
            raise NoSuchBaseChannel(channel=shown(base_path))
        yield found[base_path]
