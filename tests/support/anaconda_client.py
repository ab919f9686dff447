"""The program `anaconda` of anaconda.org, in an environment of its own: it wants versions of
libraries that Pulp does not want.
"""

import fcntl
import os
import subprocess
import sys
import venv

from tests.support.stack import cache_folder

VERSION = "1.16.0"


def installed_anaconda():
    """Return the path of the program, which is installed from the package index if it is not in
    the cache.
    """
    folder = cache_folder() / f"anaconda-client-{VERSION}-{sys.version_info.minor}"
    program = folder / "bin/anaconda"
    with open(cache_folder() / "anaconda-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            venv.create(folder, with_pip=True, clear=True)
            install = [folder / "bin/python", "-m", "pip", "install", "--quiet"]
            subprocess.run([*install, f"anaconda-client=={VERSION}"], check=True)
        os.utime(folder)
    return program
