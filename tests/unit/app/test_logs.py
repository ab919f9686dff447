"""What is logged has no secrets, whatever handler writes it."""

import logging
import logging.config

import pytest
from django.conf import settings

import tests.support.django_setup  # noqa: F401  sets Django up, and with it the plugin


class _Lines(logging.Handler):
    """Keeps the lines that it is to write."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def lines():
    """The lines of a handler that a library added to its own logger, as pulpcore does for
    `backoff`.
    """
    handler, logger = _Lines(), logging.getLogger("some.client")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


def test_secrets_in_messages_do_not_reach_the_log(lines):
    logging.getLogger("some.client").error("'%s': %s", "https://h/t/tk-1/c?sig=tk-2", 404)
    assert lines == ["'https://h/t/***/c?sig=***': 404"]


def test_secrets_in_tracebacks_do_not_reach_the_log(lines):
    try:
        raise ValueError("https://h/t/tk-1/c")
    except ValueError:
        logging.getLogger("some.client").exception("Bad")
    assert "tk-1" not in lines[0]
    assert "ValueError: https://h/t/***/c" in lines[0]


def test_a_message_with_wrong_arguments_is_left_to_the_handlers(lines):
    record = logging.getLogger("some.client").makeRecord(
        "some.client", logging.ERROR, "x.py", 1, "%d", ("no number",), None
    )
    assert (record.msg, record.args) == ("%d", ("no number",))


def test_logging_may_be_configured_again(lines):
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger("some.client").warning("https://h/t/tk-1/c")
    assert lines == ["https://h/t/***/c"]
