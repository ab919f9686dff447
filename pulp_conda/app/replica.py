"""Replicate the channels of another Pulp under the same names: `pulp upstream-pulp replicate`."""

from collections.abc import Iterator
from gettext import gettext as _
from typing import Any

from django.db.models import Q
from pulp_glue.common.exceptions import PulpException as GlueException

from pulpcore.plugin.exceptions import ReplicateError
from pulpcore.plugin.replica import Replicator

from pulp_conda.app.errors import ManagedByLifecycle, ReplicaNotFree
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaDistribution, CondaRemote, CondaRepository
from pulp_conda.app.models.distribution import SERVED_FIELDS, stage_of
from pulp_conda.app.serializers import CondaDistributionSerializer
from pulp_conda.app.tasks.replicate import replicate_channel, report_failure

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
    A channel that cannot be replicated is reported, and stays as it is. The others go on.
    """

    app_label = "conda"
    distribution_ctx_cls = PulpCondaDistributionContext
    remote_model_cls = CondaRemote
    repository_model_cls = CondaRepository
    distribution_model_cls = CondaDistribution
    remote_serializer_name = "CondaRemoteSerializer"
    repository_serializer_name = "CondaRepositorySerializer"
    distribution_serializer_name = "CondaDistributionSerializer"
    sync_task = replicate_channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The names of channels here that must not be deleted although they are not replicated.
        self._left_as_they_are: list[str] = []

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
        try:
            self._check_free(upstream_distribution)
            self._published_fields = self._read_published_fields(upstream_distribution)
        except (CondaError, GlueException) as error:
            self._left_as_they_are.append(upstream_distribution["name"])
            report_failure(upstream_distribution["name"], str(error))
            return None
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

    def remove_missing(self, names: list[str]) -> None:
        super().remove_missing([*names, *self._left_as_they_are])

    def _check_free(self, upstream_distribution: dict[str, Any]) -> None:
        """Refuse to change a channel that somebody made here.

        Raises:
            CondaError: `ManagedByLifecycle`, because the history of a stage would not have that
                change; `ReplicaNotFree`.
        """
        name, base_path = upstream_distribution["name"], upstream_distribution["base_path"]
        here = CondaDistribution.objects.filter(pulp_domain=self.domain)
        # pulpcore looks for a distribution by name and by path. If it found one in either way, it
        # would rename it and let it serve the replicated channel.
        same = list(here.filter(Q(name=name) | Q(base_path=base_path)))
        try:
            for local in same:
                if stage := stage_of(local):
                    raise CondaError(
                        ManagedByLifecycle(
                            distribution=local.name,
                            stage=stage.name,
                            lifecycle=stage.lifecycle.name,
                        )
                    )
                if not self._is_managed(local):
                    reason = _("channel '{name}' was not replicated from there.")
                    raise _not_free(upstream_distribution, reason.format(name=local.name))
            # The one that pulpcore would change, or none if it would make one.
            local = next((each for each in same if each.name == name), next(iter(same), None))
            serializer = CondaDistributionSerializer(
                local, data={"name": name, "base_path": base_path}, partial=local is not None
            )
            if not serializer.is_valid():
                reasons = [str(each) for of in serializer.errors.values() for each in of]
                raise _not_free(upstream_distribution, " ".join(reasons))
        except CondaError:
            self._left_as_they_are.extend(local.name for local in same)
            raise

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


def _not_free(upstream_distribution: dict[str, Any], reason: str) -> CondaError:
    name, base_path = upstream_distribution["name"], upstream_distribution["base_path"]
    return CondaError(ReplicaNotFree(name=name, base_path=base_path, reason=reason))


def _serves_nothing(distribution: dict[str, Any]) -> bool:
    return not any(distribution[field] for field in SERVED_FIELDS)


REPLICATION_ORDER = [CondaReplicator]
