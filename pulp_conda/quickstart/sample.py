"""A small channel of real packages that are built here, so that the demo needs no internet."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conda_package_streaming.create import conda_builder

# The start of 2026 in seconds since 1970. Each build gives the same packages.
_TIMESTAMP = 1_767_225_600

GREETING: dict[str, Any] = {
    "name": "greeting",
    "version": "1.0",
    "files": {"share/greeting.txt": "Hello from a conda channel"},
}
GREETING_2: dict[str, Any] = {
    "name": "greeting",
    "version": "2.0",
    "files": {"share/greeting.txt": "Hello from a channel that we repaired"},
}
HELLO: dict[str, Any] = {
    "name": "hello",
    "version": "1.0",
    "depends": ["greeting >=1"],
    "files": {
        "bin/hello": '#!/bin/sh\ncat "$(dirname "$0")/../share/greeting.txt"\necho " (hello 1.0)"\n'
    },
}
HELLO_2: dict[str, Any] = {
    **HELLO,
    "version": "2.0",
    "files": {
        "bin/hello": (
            '#!/bin/sh\ncat "$(dirname "$0")/../share/greeting.txt"\necho "! (hello 2.0)"\n'
        )
    },
}


def build_channel(folder: Path, packages: Iterable[Mapping[str, Any]] = (GREETING, HELLO)) -> None:
    """Write the files of a channel that any web server can serve.

    Args:
        packages: The arguments of `build_package` for each package.
    """
    subdir = Path(folder) / "noarch"
    subdir.mkdir(parents=True, exist_ok=True)
    records = {}
    for package in packages:
        path = build_package(subdir, **package)
        data = path.read_bytes()
        records[path.name] = {
            **_index(package),
            "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    repodata = {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": records}
    (subdir / "repodata.json").write_text(json.dumps(repodata, indent=2))


def build_package(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    depends: Iterable[str] = (),
) -> Path:
    """Build a noarch package unless it is there, and return its path.

    Args:
        files: The texts of its files by path.
    """
    stem = f"{name}-{version}-0"
    package = Path(folder) / f"{stem}.conda"
    if package.exists():
        return package
    package.parent.mkdir(parents=True, exist_ok=True)
    index = _index({"name": name, "version": version, "depends": depends})
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size_in_bytes": len(text.encode()),
        }
        for path, text in files.items()
    ]
    with conda_builder(stem, folder) as archive:
        _add(archive, "info/index.json", json.dumps(index))
        _add(archive, "info/paths.json", json.dumps({"paths_version": 1, "paths": paths}))
        for path, text in files.items():
            _add(archive, path, text, mode=0o755 if path.startswith("bin/") else 0o644)
    return package


def _index(package: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": package["name"],
        "version": package["version"],
        "build": "0",
        "build_number": 0,
        "depends": list(package.get("depends", ())),
        "noarch": "generic",
        "subdir": "noarch",
        "license": "CC0-1.0",
        "timestamp": _TIMESTAMP * 1000,
    }


def _add(archive: tarfile.TarFile, path: str, text: str, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(path)
    member.size = len(text.encode())
    member.mode = mode
    member.mtime = _TIMESTAMP
    archive.addfile(member, io.BytesIO(text.encode()))
