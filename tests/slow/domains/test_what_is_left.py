"""After all that the tests before this one did to the Pulp of this folder, its tables are whole."""

import subprocess

from pulp_conda.quickstart.settings import environment, program
from tests.support.builders import make_channel, make_package
from tests.support.invariants import check_invariants

SCRIPT = """
from django.core.management import call_command
for issue in ("7272", "7465"):
    call_command("datarepair", issue, dry_run=True)
"""


def test_datarepair_finds_nothing_to_repair_after_all_of_this(pulp, stack, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    pulp.sync(make_mirror(subdirs=["noarch"]).repository, mirror=True)
    done = subprocess.run(
        [program("pulpcore-manager"), "shell", "-c", SCRIPT],
        env=environment(stack.state),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("Finished. (OK)") == 2, done.stdout
    check_invariants(stack)
