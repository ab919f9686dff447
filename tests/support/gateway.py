"""py-rattler's asynchronous half, in programs that end at once: a process that used it may crash at
its end.

`call` runs this file as such a program, and returns what it printed.
"""

import asyncio
import json
import os
import subprocess
import sys
import time

import rattler
from rattler.exceptions import SolverError
from rattler.index import index_fs

# How a client can be told to read a channel.
FORMS = {
    "shards": rattler.SourceConfig(),
    "zst": rattler.SourceConfig(sharded_enabled=False, bz2_enabled=False),
    "json": rattler.SourceConfig(sharded_enabled=False, zstd_enabled=False, bz2_enabled=False),
}

_VIRTUAL_PACKAGES = {"__unix": "0", "__linux": "5", "__glibc": "2.35", "__osx": "13", "__win": "10"}


def call(command, **arguments):
    """Run one of the functions below, and return its answer."""
    program = [sys.executable, __file__, command]
    text = json.dumps(arguments, default=str)
    done = subprocess.run(program, input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def index(folder):
    """Index a folder of packages, and write every form that rattler can."""
    await index_fs(folder, write_zst=True, write_shards=True, force=True)


async def solve(url, cache, environments, subdir="linux-64", form="shards"):
    """Solve environments, each a list of specs; None is for one that has no solution."""
    gateway = rattler.Gateway(cache_dir=cache, default_config=FORMS[form])
    solutions = []
    for specs in environments:
        try:
            records = await rattler.solve(
                [rattler.Channel(url)],
                specs,
                gateway=gateway,
                platforms=[subdir, "noarch"],
                virtual_packages=_virtual_packages(),
            )
        except SolverError:
            solutions.append(None)
        else:
            solutions.append(sorted(map(_describe, records), key=lambda record: record["url"]))
    return solutions


async def install_locked(path, platform, prefix, cache):
    """Install what a lock file says, without asking any channel what it has."""
    ((_name, environment),) = rattler.LockFile.from_path(path).environments()
    (records,) = (
        environment.conda_repodata_records_for_platform(lock_platform)
        for lock_platform in environment.platforms()
        if lock_platform.name == platform
    )
    await rattler.install(records, prefix, cache_dir=cache, show_progress=False)
    return sorted(record.url for record in records)


async def load(url, cache, names, subdirs, form="shards"):
    """Return all that a client learns of some names and of their channel."""
    gateway = rattler.Gateway(cache_dir=cache, default_config=FORMS[form])
    found = await gateway.query(
        [rattler.Channel(url)],
        subdirs,
        names,
        recursive=False,
        channel_notices=True,
        channel_relations="disabled",
    )
    relations = await gateway.channel_relations(rattler.Channel(url), "noarch")
    return {
        "records": {record.url: _describe(record) for records in found for record in records},
        "removed": sorted(package.url for packages in found.removed for package in packages),
        "notices": [notice.message for notice in found.notices],
        "base": relations and relations.base,
    }


async def query(url, cache, names, subdirs):
    """Read all records that a solve of these names may need by shards, and return how many there
    are and how many seconds it took.
    """
    gateway = rattler.Gateway(cache_dir=cache, default_config=FORMS["shards"])
    start = time.perf_counter()
    found = await gateway.query([rattler.Channel(url)], subdirs, names)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "records": sum(map(len, found))}


async def read(url, cache, names, forms=("shards", "json"), subdir="noarch"):
    """Return for each form how many records a client reads of these names, and what it says of
    those that it cannot read.
    """
    channels = [rattler.Channel(url)]
    answers = {}
    for form in forms:
        gateway = rattler.Gateway(cache_dir=cache, default_config=FORMS[form])
        count, refused = 0, {}
        for name in names:
            try:
                found = await gateway.query(channels, [subdir], [name], recursive=False)
            except Exception as error:
                refused[name] = str(error)
            else:
                count += sum(map(len, found))
        answers[form] = {"count": count, "refused": refused}
    return answers


def _virtual_packages():
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0")
        )
        for name, version in _VIRTUAL_PACKAGES.items()
    ]


def _describe(record):
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "build_number": record.build_number,
        "subdir": record.subdir,
        "depends": record.depends,
        "constrains": record.constrains,
        "extra_depends": record.extra_depends,
        "flags": record.flags,
        "sha256": record.sha256.hex(),
        "md5": record.md5 and record.md5.hex(),
        "size": record.size,
        "indexed_timestamp": str(record.indexed_timestamp),
        "url": record.url,
    }


if __name__ == "__main__":
    answer = asyncio.run(globals()[sys.argv[1]](**json.load(sys.stdin)))
    print(json.dumps(answer), flush=True)
    os._exit(0)
