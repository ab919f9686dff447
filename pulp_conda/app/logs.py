"""Keep the tokens of upstream channels out of the logs."""

import logging

from pulp_conda.channel.errors import mask


class MaskTokens(logging.Filter):
    """Masks tokens in log records: messages of HTTP libraries contain whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/t/" in message:
            record.msg, record.args = mask(message), None
        if record.exc_info and not record.exc_text:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = mask(text)
        return True


def mask_tokens() -> None:
    """Add the filter to every handler that prints messages of HTTP clients."""
    for name in (None, "backoff"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(MaskTokens())
