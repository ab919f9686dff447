"""A format of answers besides JSON: Markdown."""

import json
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings


class MarkdownRenderer(BaseRenderer):
    """A text in Markdown, for `Accept: text/markdown` or `?format=markdown`.

    The action has to write the text if `wants_markdown` is true. Errors are written as JSON in a
    code block.
    """

    media_type = "text/markdown"
    format = "markdown"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: dict[str, Any] | None = None,
    ) -> bytes:
        if not isinstance(data, str):
            data = "".join(f"    {line}\n" for line in json.dumps(data, indent=2).splitlines())
        return data.encode()


JSON_LINES = "application/jsonl"


class JSONLinesRenderer(JSONRenderer):
    """A JSON object in each line, for `Accept: application/jsonl`. Errors are written as JSON.

    The action writes the lines.
    """

    media_type = JSON_LINES
    format = "jsonl"


# JSON is the default for requests without a format.
WITH_JSON_LINES = [*api_settings.DEFAULT_RENDERER_CLASSES, JSONLinesRenderer]
WITH_MARKDOWN = [*api_settings.DEFAULT_RENDERER_CLASSES, MarkdownRenderer]


def wants_markdown(request: Request) -> bool:
    """Say whether the answer to a request has to be a text in Markdown."""
    return request.accepted_renderer.format == MarkdownRenderer.format
