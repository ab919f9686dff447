from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from pulpcore.plugin.viewsets import (
    DATETIME_FILTER_OPTIONS,
    BaseFilterSet,
    NamedModelViewSet,
)

from pulp_conda.app.access import model_policy, model_roles, statement
from pulp_conda.app.errors import TokenRevoked
from pulp_conda.app.models import CondaRobot, CondaToken
from pulp_conda.app.serializers import (
    CondaRobotSerializer,
    CondaRotateTokenSerializer,
    CondaTokenSecretSerializer,
    CondaTokenSerializer,
)
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.viewsets.noted import NotedRoles
from pulp_conda.app.viewsets.requests import CheckedRequests

_TOKEN = "condatoken"
_ROBOT = "condarobot"

_TIMES = [*DATETIME_FILTER_OPTIONS, "isnull"]


class CondaRobotFilter(BaseFilterSet):
    class Meta:
        model = CondaRobot
        fields = {"name": ["exact", "in", "icontains"]}


class CondaRobotViewSet(
    CheckedRequests,
    NamedModelViewSet,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.DestroyModelMixin,
    NotedRoles,
):
    """A CondaRobot is a user for a program: it has no password, and acts by tokens.

    It stays when the user goes who made it. Its tokens and its roles go with it.
    """

    endpoint_name = "conda/robots"
    queryset = CondaRobot.objects.select_related("user")
    serializer_class = CondaRobotSerializer
    filterset_class = CondaRobotFilter
    queryset_filtering_required_permission = "conda.view_condarobot"

    DEFAULT_ACCESS_POLICY = model_policy(_ROBOT, immutable=True)
    LOCKED_ROLES = model_roles(_ROBOT, "issue", immutable=True)

    def perform_create(self, serializer: Serializer) -> None:
        _save(self, serializer)


class CondaTokenFilter(BaseFilterSet):
    owner = CharFilter(field_name="owner__username", help_text="The name of a user.")

    class Meta:
        model = CondaToken
        fields = {
            "name": ["exact", "in", "icontains"],
            "expires": _TIMES,
            "revoked": _TIMES,
            "last_used": _TIMES,
        }


class CondaTokenViewSet(
    CheckedRequests,
    NamedModelViewSet,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    NotedRoles,
):
    """A CondaToken is a secret by which programs act as a user, for some purposes and channels."""

    endpoint_name = "conda/tokens"
    queryset = CondaToken.objects.select_related("owner")
    serializer_class = CondaTokenSerializer
    filterset_class = CondaTokenFilter
    queryset_filtering_required_permission = "conda.view_condatoken"

    DEFAULT_ACCESS_POLICY = model_policy(
        _TOKEN,
        immutable=True,
        extra=[
            statement("revoke", _TOKEN, "revoke"),
            # Also to change one: who has the secret may do more by it then.
            statement(
                ["rotate", "update", "partial_update"],
                _TOKEN,
                "view",
                "may_issue_for_owner",
                view=False,
            ),
        ],
    )
    DEFAULT_ACCESS_POLICY["creation_hooks"].append(
        {
            "function": "add_roles_for_token_owner",
            "parameters": {"roles": [f"conda.{_TOKEN}_owner"]},
        }
    )
    LOCKED_ROLES = model_roles(_TOKEN, "revoke", immutable=True)

    @extend_schema(
        summary="Create a token",
        description="The answer has the token itself, which is shown only this once.",
        responses={201: CondaTokenSecretSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _save(self, serializer)
        return self._show(serializer.instance, serializer.secret, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Rotate a token",
        description="Give a token a new secret, which is shown only this once. The one before is "
        "refused from the next request on.",
        request=CondaRotateTokenSerializer,
        responses={200: CondaTokenSecretSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaRotateTokenSerializer)
    def rotate(self, request: Request, pk: str, **kwargs: Any) -> Response:
        token = self.get_object()
        context = {**self.get_serializer_context(), "token": token}
        serializer = CondaRotateTokenSerializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        with channel_errors_as_validation():
            if token.revoked is not None:
                raise TokenRevoked(name=token.name)
        token.expires = serializer.validated_data["expires"]
        secret = token.set_secret()
        token.save()
        return self._show(token, secret, status.HTTP_200_OK)

    @extend_schema(
        summary="Revoke a token",
        description="Refuse a token from the next request on, for ever. It stays in the list.",
        request=None,
        responses={200: CondaTokenSerializer},
    )
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str, **kwargs: Any) -> Response:
        token = self.get_object()
        if token.revoked is None:
            token.revoked = timezone.now()
            token.save()
        return Response(self.get_serializer(token).data)

    def _show(self, token: CondaToken, secret: str, code: int) -> Response:
        context = {**self.get_serializer_context(), "secret": secret}
        shown = CondaTokenSecretSerializer(token, context=context).data
        headers = {"Location": shown["pulp_href"], "Cache-Control": "no-store"}
        return Response(shown, status=code, headers=headers)


def _save(view: CheckedRequests, serializer: Serializer) -> None:
    """Save a new object. Of two requests for one name at the same time, the later is refused."""
    try:
        with transaction.atomic():
            serializer.save()
    except IntegrityError:
        view.get_serializer(data=view.request.data).is_valid(raise_exception=True)
        raise
