"""Keep the tokens of upstream channels out of the logs."""

import logging

from pulp_conda.channel.errors import mask


class MaskTokens(logging.Filter):
    """Rewrites log records: the retry and error messages of HTTP libraries hold whole URLs."""

    def filter(self, record):
        message = record.getMessage()
        if "/t/" in message:
            record.msg, record.args = mask(message), None
        if record.exc_info and not record.exc_text:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = mask(text)
        return True


def mask_tokens():
    """Put the filter in front of every handler that prints what HTTP clients have to say."""
    for name in (None, "backoff"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(MaskTokens())
