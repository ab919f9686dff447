"""How another Pulp's channels are kept here under the same names: `pulp upstream-pulp replicate`."""

from gettext import gettext as _

from django.db.models import Q

from pulpcore.plugin.exceptions import ReplicateError
from pulpcore.plugin.replica import Replicator

from pulp_conda.app.errors import ManagedByLifecycle
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaDistribution, CondaRemote, CondaRepository
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.tasks.sync import synchronize

try:
    from pulp_glue.conda.context import (
        PulpCondaDistributionContext,
        PulpCondaPublicationContext,
        PulpCondaRepositoryContext,
    )
except ImportError:  # The extra "replica"; without it, Pulp does everything else.
    PulpCondaDistributionContext = None

# What of a repository is written into the metadata of its channel.
_PUBLISHED_FIELDS = ("channel_relations", "legacy_metadata")


class CondaReplicator(Replicator):
    """A channel is replicated as clients see it: what its URL serves, with its patches applied, and its notices.

    A stage arrives as a channel of its own. Its lifecycle, its gates and its past stay where they are.
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

    def upstream_distributions(self, q=None):
        if self.distribution_ctx_cls is None:
            raise ReplicateError(
                _(
                    "conda channels need the Python package 'pulp-glue-conda', which this server does not have. "
                    "Install it in the version that 'pulp-conda' has, and restart the workers."
                )
            )
        for distribution in super().upstream_distributions(q):
            # The dates below it are channels, but its own URL is none.
            if not distribution["checkpoint"]:
                yield distribution

    def create_or_update_remote(self, upstream_distribution):
        self._check_free(upstream_distribution)
        self._published_fields = self._read_published_fields(upstream_distribution)
        return super().create_or_update_remote(upstream_distribution)

    def repository_extra_fields(self, remote):
        return {"autopublish": True, **self._published_fields}

    def distribution_extra_fields(self, repository, upstream_distribution):
        fields = super().distribution_extra_fields(repository, upstream_distribution)
        return fields | {"notices": upstream_distribution["notices"]}

    def sync_params(self, repository, remote):
        return {"remote_pk": str(remote.pk), "repository_pk": str(repository.pk), "mirror": True}

    def _check_free(self, upstream_distribution):
        """Refuse to point a stage somewhere else: its history would not know of it."""
        # Found by one or the other, a distribution would be renamed and would serve what the upstream does.
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

    def _read_published_fields(self, upstream_distribution):
        """Return what the upstream's repository says of the metadata, of which the metadata is not read."""
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
        return {field: entity[field] for field in _PUBLISHED_FIELDS}


REPLICATION_ORDER = [CondaReplicator]
