"""A shim that stands for conda, which is on no package index.

It hands ``conda create`` to ``pulp_conda.quickstart.client install``, a client of the same
protocol, and runs a program of the new prefix for ``conda run``; it refuses whatever else conda can
do.
"""

import sys

_CONDA = """\
#!/bin/sh
set -eu
case "$*" in
    "create --yes --name "*" --override-channels --channel "*)
        prefix=$HOME/envs/$4 url=$7 && shift 7
        exec "{python}" -m pulp_conda.quickstart.client install "$url" "$prefix" "$@" |
            "{python}" -c 'import json, sys
for package in sorted(json.load(sys.stdin), key=lambda package: package["name"]):
    print(" ", package["name"], package["url"])' ;;
    "run --name "*)
        prefix=$HOME/envs/$3 && shift 3
        exec "$prefix/bin/$@" ;;
    *)
        echo "The shim of the tests does not know: conda $*" >&2
        exit 1 ;;
esac
"""


def write_conda(path):
    """Write the program, for the Python that runs the tests."""
    path.write_text(_CONDA.format(python=sys.executable))
    path.chmod(0o755)
