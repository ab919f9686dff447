"""A test that is skipped proves nothing, so only some reasons for it are taken."""

import pytest


class Skips:
    """A plugin of pytest that lets a test, or a whole file, fail when it is skipped for a reason
    that is not known.

    Args:
        known: Texts; a reason is known when it contains one of them.
    """

    def __init__(self, known: tuple[str, ...]):
        self._known = known

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):
        return self._checked((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self):
        return self._checked((yield))

    def _checked(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            _path, _line, reason = report.longrepr
            if not any(known in reason for known in self._known):
                report.outcome = "failed"
                report.longrepr = (
                    f"{reason}\nThis is none of the reasons for which tests may be skipped: "
                    "see tests/conftest.py"
                )
        return report
