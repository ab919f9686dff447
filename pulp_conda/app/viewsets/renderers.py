"""What the API answers with besides JSON."""

import json

from rest_framework.renderers import BaseRenderer
from rest_framework.settings import api_settings


class MarkdownRenderer(BaseRenderer):
    """A text in Markdown, for `Accept: text/markdown` or `?format=markdown`.

    The action makes the text, if `wants_markdown`; an error is shown as the JSON that it would be.
    """

    media_type = "text/markdown"
    format = "markdown"
    charset = "utf-8"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        if not isinstance(data, str):
            data = "".join(f"    {line}\n" for line in json.dumps(data, indent=2).splitlines())
        return data.encode()


# JSON stays what a client gets that asks for nothing.
WITH_MARKDOWN = [*api_settings.DEFAULT_RENDERER_CLASSES, MarkdownRenderer]


def wants_markdown(request):
    """Tell whether the answer to a request is to be a text in Markdown."""
    return request.accepted_renderer.format == MarkdownRenderer.format
