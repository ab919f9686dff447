"""Replicate the channels of another Pulp under the same names: `pulp upstream-pulp replicate`."""

from collections.abc import Iterator
from gettext import gettext as _
from typing import Any

from django.db.models import Q

from pulpcore.plugin.exceptions import ReplicateError
from pulpcore.plugin.replica import Replicator

from pulp_conda.app.errors import ManagedByLifecycle
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaDistribution, CondaRemote, CondaRepository
from pulp_conda.app.models.distribution import SERVED_FIELDS, stage_of
from pulp_conda.app.tasks.sync import synchronize

try:
    from pulp_glue.conda.context import (
        PulpCondaDistributionContext,
        PulpCondaPublicationContext,
        PulpCondaRepositoryContext,
    )
except ImportError:  # It is in the extra "replica". Pulp does everything else without it.
    PulpCondaDistributionContext = None

# The fields of a repository that a publication writes into the metadata of the channel.
_PUBLISHED_FIELDS = ("channel_relations", "legacy_metadata", "subdirs", "shards")


class CondaReplicator(Replicator):
    """Replicates a channel as clients see it: the packages, the patched records and the notices.

    A stage becomes a channel of its own. Its lifecycle, gates and history are not replicated.
    """

    app_label = "conda"
    distribution_ctx_cls = PulpCondaDistributionContext
    remote_model_cls = CondaRemote
    repository_model_cls = CondaRepository
    distribution_model_cls = CondaDistribution
    remote_serializer_name = "CondaRemoteSerializer"
    repository_serializer_name = "CondaRepositorySerializer"
    distribution_serializer_name = "CondaDistributionSerializer"
    sync_task = synchronize

    def upstream_distributions(self, q: str | None = None) -> Iterator[dict[str, Any]]:
        if self.distribution_ctx_cls is None:
            raise ReplicateError(
                _(
                    "conda channels need the Python package 'pulp-glue-conda', which this server "
                    "does not have. Install it in the version that 'pulp-conda' has, and restart "
                    "the workers."
                )
            )
        for distribution in super().upstream_distributions(q):
            # The URLs of single checkpoints are channels, but the URL above them is not.
            if not distribution["checkpoint"]:
                yield distribution

    def create_or_update_remote(self, upstream_distribution: dict[str, Any]) -> CondaRemote | None:
        self._check_free(upstream_distribution)
        self._published_fields = self._read_published_fields(upstream_distribution)
        # pulpcore leaves out a distribution that serves nothing, and deletes what it was here. It
        # is a channel without packages, for example a stage to which nothing was promoted yet.
        served = {"publication": True} if _serves_nothing(upstream_distribution) else {}
        return super().create_or_update_remote({**upstream_distribution, **served})

    def repository_extra_fields(self, remote: CondaRemote) -> dict[str, Any]:
        return {"autopublish": True, **self._published_fields}

    def distribution_extra_fields(
        self, repository: CondaRepository, upstream_distribution: dict[str, Any]
    ) -> dict[str, Any]:
        fields = super().distribution_extra_fields(repository, upstream_distribution)
        return fields | {"notices": upstream_distribution["notices"]}

    def requires_syncing(self, distro: dict[str, Any]) -> bool:
        if _serves_nothing(distro):
            repositories = CondaRepository.objects.filter(name=distro["name"])
            repository = repositories.get(pulp_domain=self.domain)
            return bool(repository.latest_version().count(content_type="conda.package"))
        return super().requires_syncing(distro)

    def sync_params(self, repository: CondaRepository, remote: CondaRemote) -> dict[str, Any]:
        return {
            "remote_pk": str(remote.pk),
            "repository_pk": str(repository.pk),
            "mirror": True,
            # The upstream is a Pulp that guards itself, and a replication has no request to ask.
            "allow_mass_removal": True,
        }

    def _check_free(self, upstream_distribution: dict[str, Any]) -> None:
        """Refuse to change what a stage serves: its history would not have that change.

        Raises:
            CondaError: `ManagedByLifecycle`.
        """
        # pulpcore looks for a distribution by name and by path. If it found one in either way, it
        # would rename it and let it serve the replicated channel.
        same = Q(name=upstream_distribution["name"]) | Q(
            base_path=upstream_distribution["base_path"]
        )
        for local in CondaDistribution.objects.filter(same, pulp_domain=self.domain):
            if stage := stage_of(local):
                raise CondaError(
                    ManagedByLifecycle(
                        distribution=local.name, stage=stage.name, lifecycle=stage.lifecycle.name
                    )
                )

    def _read_published_fields(self, upstream_distribution: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the upstream's repository that a sync does not find in metadata."""
        repository = upstream_distribution["repository"]
        if publication := upstream_distribution["publication"]:
            repository = PulpCondaPublicationContext(self.pulp_ctx, publication).entity[
                "repository"
            ]
        elif version := upstream_distribution["repository_version"]:
            repository = version.rsplit("versions/", 1)[0]
        if not repository:
            return {}
        entity = PulpCondaRepositoryContext(self.pulp_ctx, repository).entity
        # An earlier release does not have all of them.
        return {field: entity[field] for field in _PUBLISHED_FIELDS if field in entity}


def _serves_nothing(distribution: dict[str, Any]) -> bool:
    return not any(distribution[field] for field in SERVED_FIELDS)


REPLICATION_ORDER = [CondaReplicator]
