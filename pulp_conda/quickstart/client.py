"""A small conda client: it solves and installs with py-rattler, as pixi does.

    python -m pulp_conda.quickstart.client install URL PREFIX SPEC...
    python -m pulp_conda.quickstart.client solve URL SPEC...

It is a program of its own, because py-rattler starts threads, and a process with such threads may
crash when it ends.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rattler
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. The packages go to stdout, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m pulp_conda.quickstart.client")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="install packages into a fresh prefix")
    install.add_argument("url")
    install.add_argument("prefix", type=Path)
    install.add_argument("specs", nargs="+")
    solve = commands.add_parser("solve", help="print the packages that would be installed, as JSON")
    solve.add_argument("url")
    solve.add_argument("specs", nargs="+")
    for command in (install, solve):
        command.add_argument("--cache", type=Path, help="keep downloads here (default: nowhere)")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as temporary:
        try:
            asyncio.run(_run(options, options.cache or Path(temporary)))
        except (GatewayError, InvalidMatchSpecError, SolverError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


async def _run(options: argparse.Namespace, cache: Path) -> None:
    url = options.url.rstrip("/") + "/"
    subdir = rattler.Subdir.current()
    # With the credentials of `pixi auth login`.
    client = rattler.Client.authenticated_client()
    records = await rattler.solve(
        [rattler.Channel(url)],
        options.specs,
        gateway=rattler.Gateway(cache_dir=cache / "repodata", client=client),
        platforms=[subdir, "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    if options.command == "install":
        await rattler.install(
            records,
            options.prefix,
            cache_dir=cache / "packages",
            show_progress=False,
            client=client,
        )
    print(json.dumps([_describe(record) for record in records]))


def _describe(record: rattler.RepoDataRecord) -> dict[str, Any]:
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "subdir": str(record.subdir),
        "filename": record.file_name,
        "url": record.url,
    }


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # After asynchronous calls of py-rattler, a normal exit sometimes crashes.
    os._exit(code)
