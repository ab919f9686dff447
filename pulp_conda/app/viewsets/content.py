"""Content is made by a task of ours."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import OperationPostponedResponse

from pulp_conda.app.tasks.content import create_content


class CreatesContent(GenericViewSet):
    """A viewset whose content is made by `create_content`."""

    def payload_of(self, serializer: Any, request: Request) -> dict[str, Any]:
        """Return the body of a request as plain JSON, for the task."""
        return dict(request.data.items())

    def dispatch_creation(self, request: Request) -> Response:
        """Dispatch the task that makes what a request describes."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        payload = self.payload_of(serializer, request)
        reserved = (serializer.validated_data.get(field) for field in ("upload", "repository"))
        task = dispatch(
            create_content,
            exclusive_resources=[each for each in reserved if each],
            kwargs={
                "serializer_name": type(serializer).__name__,
                "data": payload,
                "context": self.get_deferred_context(request),
            },
        )
        return OperationPostponedResponse(task, request)
