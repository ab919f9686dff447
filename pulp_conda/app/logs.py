"""Keep secrets out of the logs: messages of HTTP libraries, and of Pulp, contain whole URLs."""

import logging
from typing import Any

from pulp_conda.channel.secrets import mask


def mask_logs() -> None:
    """Mask secrets in all that this process logs from now on.

    Records are masked when they are made, and not by a filter of the handlers: these are replaced
    whenever logging is configured again, which every `django.setup()` does, and libraries have
    handlers of their own.
    """
    make = logging.getLogRecordFactory()
    if not isinstance(make, _MaskedRecords):
        logging.setLogRecordFactory(_MaskedRecords(make))


class _MaskedRecords:
    """Makes log records without secrets."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **options)
        try:
            message = record.getMessage()
        except Exception:
            # The caller named other arguments than the message has. The handlers report that.
            return record
        masked = mask(message)
        if masked != message:
            record.msg, record.args = masked, None
        if record.exc_info and not record.exc_text:
            record.exc_text = mask(_FORMATTER.formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        return record


_FORMATTER = logging.Formatter()
