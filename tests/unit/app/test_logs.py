import logging

from pulp_conda.app.logs import MaskTokens


def _logged(message, *args, **options):
    record = logging.makeLogRecord({"msg": message, "args": args, **options})
    assert MaskTokens().filter(record)
    return logging.Formatter().format(record)


def test_tokens_in_urls_do_not_reach_the_log():
    line = _logged("Giving up on %s: '%s'", "https://h/t/tk-1/c/noarch", 404)
    assert line == "Giving up on https://h/t/***/c/noarch: '404'"


def test_tokens_in_tracebacks_do_not_reach_the_log():
    try:
        raise ValueError("https://h/t/tk-1/c")
    except ValueError as error:
        line = _logged("Bad", exc_info=(type(error), error, error.__traceback__))
    assert "tk-1" not in line
    assert "https://h/t/***/c" in line
