from pulpcore.plugin.viewsets import ContentGuardFilter, ContentGuardViewSet

from pulp_conda.app.access import model_policy, model_roles
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaContentGuard
from pulp_conda.app.serializers import CondaContentGuardSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.viewsets.noted import NotedRoles
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaContentGuardFilter(ContentGuardFilter):
    class Meta(ContentGuardFilter.Meta):
        model = CondaContentGuard


class CondaContentGuardViewSet(CheckedRequests, NotedRoles, ContentGuardViewSet):
    """A CondaContentGuard lets those users read a channel who have the role of a reader."""

    endpoint_name = "conda"
    queryset = CondaContentGuard.objects.all()
    serializer_class = CondaContentGuardSerializer
    filterset_class = CondaContentGuardFilter
    queryset_filtering_required_permission = "conda.view_condacontentguard"

    DEFAULT_ACCESS_POLICY = model_policy("condacontentguard")
    LOCKED_ROLES = model_roles("condacontentguard")

    def perform_destroy(self, instance: CondaContentGuard) -> None:
        with channel_errors_as_validation():
            try:
                super().perform_destroy(instance)
            except CondaError as refused:
                raise refused.error from None
