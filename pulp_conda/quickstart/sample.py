"""A small channel of real packages, built on the spot, for a demo that needs no internet."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from conda_package_streaming.create import conda_builder

# 2026-01-01, so that the packages are the same on every machine and every day.
_TIMESTAMP = 1_767_225_600

GREETING = {
    "name": "greeting",
    "version": "1.0",
    "files": {"share/greeting.txt": "Hello from a conda channel"},
}
HELLO = {
    "name": "hello",
    "version": "1.0",
    "depends": ["greeting >=1"],
    "files": {
        "bin/hello": '#!/bin/sh\ncat "$(dirname "$0")/../share/greeting.txt"\necho " (hello 1.0)"\n'
    },
}
HELLO_2 = {
    **HELLO,
    "version": "2.0",
    "files": {
        "bin/hello": '#!/bin/sh\ncat "$(dirname "$0")/../share/greeting.txt"\necho "! (hello 2.0)"\n'
    },
}


def build_channel(folder, packages=(GREETING, HELLO)):
    """Write a static channel with these packages, as any web server could serve it."""
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


def build_package(folder, name, version, files, depends=()):
    """Build a noarch package from texts by path unless it is there, and return where it is."""
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


def _index(package):
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


def _add(archive, path, text, mode=0o644):
    member = tarfile.TarInfo(path)
    member.size = len(text.encode())
    member.mode = mode
    member.mtime = _TIMESTAMP
    archive.addfile(member, io.BytesIO(text.encode()))
