"""Which skips of a run of tests are failures: tests/support/skips.py."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

CONFTEST = """\
from tests.support.skips import Skips

def pytest_configure(config):
    config.pluginmanager.register(Skips(("no corpus",)))
"""
TESTS = """\
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason="there is no corpus here")
def test_may_be_skipped():
    pass

@pytest.mark.skip(reason="it was red")
def test_marked():
    pass

def test_skips_itself():
    pytest.skip("not today")

@pytest.mark.xfail
def test_is_known_to_fail():
    assert False
"""
MODULES = {
    "test_here.py": TESTS,
    "test_whole_file.py": "import pytest\npytest.skip('not this file', allow_module_level=True)\n",
}


def test_a_skip_for_an_unknown_reason_is_a_failure(tmp_path):
    for name, text in {"conftest.py": CONFTEST, **MODULES}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:pulpcore -p no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-rA", "--continue-on-collection-errors", tmp_path]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    summary = done.stdout.rpartition("short test summary info")[2]
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors" in summary
    lines = summary.splitlines()
    for outcome, what in (
        ("PASSED", "test_here.py::test_passes"),
        ("ERROR", "test_here.py::test_marked"),
        ("FAILED", "test_here.py::test_skips_itself"),
        ("ERROR", "test_whole_file.py"),
        ("SKIPPED", "there is no corpus here"),
        ("XFAIL", "test_here.py::test_is_known_to_fail"),
    ):
        assert any(line.startswith(outcome) and what in line for line in lines), (outcome, what)
