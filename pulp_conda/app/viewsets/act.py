from django_filters import CharFilter
from rest_framework import mixins

from pulpcore.plugin.viewsets import DATETIME_FILTER_OPTIONS, BaseFilterSet, NamedModelViewSet

from pulp_conda.app.access import view_policy
from pulp_conda.app.models import CondaAct
from pulp_conda.app.serializers import CondaActSerializer
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaActFilter(BaseFilterSet):
    actor = CharFilter(field_name="actor_name", help_text="The name of a user.")

    token = CharFilter(
        field_name="details__token", help_text="The name of the token by which it was done."
    )

    # Not a filter for choices: an unknown word finds nothing, and is no error.
    verb = CharFilter(help_text="Filter results where verb matches value")

    class Meta:
        model = CondaAct
        fields = {
            "verb": ["in"],
            "resource": ["exact", "in", "startswith"],
            "resource_name": ["exact", "icontains", "startswith"],
            "pulp_created": DATETIME_FILTER_OPTIONS,
        }


class CondaActViewSet(
    CheckedRequests, NamedModelViewSet, mixins.RetrieveModelMixin, mixins.ListModelMixin
):
    """A CondaAct says who did what to which object, and when. Nobody can change one."""

    endpoint_name = "conda/acts"
    queryset = CondaAct.objects.all()
    serializer_class = CondaActSerializer
    filterset_class = CondaActFilter
    ordering = ("-pulp_created",)
    queryset_filtering_required_permission = "conda.view_condaact"

    DEFAULT_ACCESS_POLICY = view_policy()
    LOCKED_ROLES = {"conda.condaact_viewer": ["conda.view_condaact"]}
