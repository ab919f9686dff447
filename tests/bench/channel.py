"""Channels as conda-forge is, of any size: the same size and seed give the same bytes.

Few names have many versions, some versions have many builds, and most names have few of both. Two
thirds of the records are of linux-64, the rest are of noarch. A record has about 480 bytes.
"""

import math
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryFile

import msgpack
import orjson
import zstandard

SUBDIRS = ("linux-64", "noarch")

# What changes from one day to the next, as a part of all records, and of what kind it is.
CHANGED = 0.003
KINDS = {"added": 0.75, "fixed": 0.20, "removed": 0.05}

_LEVEL = 3
_PYTHONS = ("39", "310", "311", "312", "313")
_PREFIXES = ("", "", "", "lib", "py", "python-", "r-", "perl-", "google-cloud-", "jupyter-")
_SYLLABLES = (
    "ar",
    "bo",
    "cel",
    "dra",
    "em",
    "fi",
    "gon",
    "hu",
    "ix",
    "ju",
    "kel",
    "lo",
    "mar",
    "net",
    "op",
    "qua",
)
_LICENSES = (
    "MIT",
    "BSD-3-Clause",
    "Apache-2.0",
    "GPL-3.0-or-later",
    "LGPL-2.1-or-later",
    "MPL-2.0",
)
_COMMON = (
    "__glibc >=2.17,<3.0.a0",
    "libgcc >=13",
    "libstdcxx >=13",
    "numpy >=1.23,<3",
    "openssl >=3.4.0,<4.0a0",
    "libzlib >=1.3.1,<2.0a0",
    "icu >=75.1,<76.0a0",
    "requests >=2.28",
    "typing_extensions >=4.0",
    "setuptools",
)
_FIRST_RELEASE = 1_450_000_000_000
_DAY = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class _Name:
    """A package name of a subdir, its number of versions, and the number of builds of each version.

    It has `count` packages, so the last builds may be missing.
    """

    name: str
    versions: int
    builds: int
    count: int


@dataclass(frozen=True)
class Entry:
    """A package: its record as in repodata.json, and what its shard says of its run_exports."""

    filename: str
    record: dict
    run_exports: dict


@dataclass(frozen=True)
class Channel:
    """A channel with so many records.

    Attributes:
        next_day: The same channel a day later, see `CHANGED`.
    """

    records: int
    seed: int = 1
    next_day: bool = False

    def names(self, subdir):
        """Yield (name, its entries, what was removed of them) of a subdir, sorted."""
        for planned in self._plan[subdir]:
            entries = self._entries(subdir, planned)
            yield planned.name, *self._change(subdir, planned, entries)

    def changed_names(self, subdir):
        """Return the names of which the next day has something else."""
        return self._changes[subdir].keys()

    def counts(self):
        """Count the records of each subdir, and what the next day changed of them by kind."""
        counts = {subdir: sum(name.count for name in self._plan[subdir]) for subdir in SUBDIRS}
        if not self.next_day:
            return counts, Counter()
        changes = Counter()
        for subdir in SUBDIRS:
            of_subdir = Counter()
            for kind, number in self._changes[subdir].values():
                of_subdir[kind] += number
            counts[subdir] += of_subdir["added"] - of_subdir["removed"]
            changes += of_subdir
        return counts, changes

    def write_flat(self, folder):
        """Write `repodata.json` and its zstd form for each subdir."""
        for subdir in SUBDIRS:
            target = Path(folder) / subdir
            target.mkdir(parents=True, exist_ok=True)
            plain = target / "repodata.json"
            with plain.open("wb") as file:
                self._write_repodata(subdir, file)
            compressor = zstandard.ZstdCompressor(level=_LEVEL)
            with plain.open("rb") as source, (target / "repodata.json.zst").open("wb") as packed:
                compressor.copy_stream(source, packed, size=plain.stat().st_size)

    def write_shards(self, folder):
        """Write the shards of each subdir and their index.

        Shards that are there already stay as they are.
        """
        compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        for subdir in SUBDIRS:
            shards = Path(folder) / subdir / "shards"
            shards.mkdir(parents=True, exist_ok=True)
            digests = {}
            for name, entries, removed in self.names(subdir):
                data = compress(msgpack.packb(_shard(entries, removed)))
                digest = digests[name] = sha256(data)
                path = shards / f"{digest.hexdigest()}.msgpack.zst"
                if not path.exists():
                    path.write_bytes(data)
            index = {
                "version": 1,
                "info": {"subdir": subdir, "base_url": "", "shards_base_url": "./shards/"},
                "shards": {name: digest.digest() for name, digest in digests.items()},
            }
            path = shards.with_name("repodata_shards.msgpack.zst")
            path.write_bytes(compress(msgpack.packb(index)))

    @cached_property
    def _plan(self):
        """The names of each subdir, sorted."""
        noarch = self.records // 3
        return {
            "linux-64": sorted(
                self._draw("linux-64", self.records - noarch), key=lambda name: name.name
            ),
            "noarch": sorted(self._draw("noarch", noarch), key=lambda name: name.name),
        }

    def _draw(self, subdir, records):
        chance = self._chance(subdir)
        names = set()
        while records:
            name = self._draw_name(chance)
            if name in names:
                continue
            names.add(name)
            if subdir == "noarch":
                versions = chance.lognormvariate(1.9, 1.1)
                builds = 1 if chance.random() < 0.85 else 2
            else:
                versions = chance.lognormvariate(1.6, 1.15)
                builds = chance.choices((1, 3, 4, 5, 8, 20), (40, 10, 20, 15, 10, 5))[0]
            versions = min(1 + int(versions), 500)
            count = min(versions * builds, records)
            yield _Name(name, versions, builds, count)
            records -= count

    @staticmethod
    def _draw_name(chance):
        stem = "".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3, 4, 4, 5))))
        suffix = chance.choice(("", "", "", "", "-dev", "-tools", "2", "_core"))
        return f"{chance.choice(_PREFIXES)}{stem}{suffix}"

    @cached_property
    def _pool(self):
        """Specs that packages depend on."""
        chance = self._chance("pool")
        specs = list(_COMMON)
        while len(specs) < 400:
            major = chance.randrange(1, 9)
            specs.append(f"{self._draw_name(chance)} >={major}.{chance.randrange(9)},<{major + 1}")
        return specs

    def _entries(self, subdir, planned):
        chance = self._chance(f"{subdir}/{planned.name}")
        entries = []
        for number in range(planned.versions):
            left = planned.count - len(entries)
            entries += self._version(chance, subdir, planned, number, min(planned.builds, left))
        return entries

    def _version(self, chance, subdir, planned, number, builds):
        """Return the packages of a version, which have most in common."""
        name = planned.name
        version = f"{1 + number // 40}.{number // 4 % 10}.{number % 4}"
        is_noarch = subdir == "noarch"
        is_old = number < planned.versions // 3
        extension = ".tar.bz2" if is_old else ".conda"
        depends = chance.sample(self._pool, chance.randrange(3, 6))
        license = chance.choice(_LICENSES)
        timestamp = _FIRST_RELEASE + (number * 17 + chance.randrange(17)) * _DAY // 3
        size = int(chance.lognormvariate(12, 2))
        constrains = chance.sample(self._pool, 1) if chance.random() < 0.1 else None
        run_exports = {}
        if len(name) % 5 == 0:
            run_exports = {"weak": [f"{name} >={version},<{2 + number // 40}.0a0"]}
        digests = chance.randbytes(52 * builds).hex()
        for variant in range(builds):
            digest = digests[104 * variant : 104 * variant + 104]
            build_number, of_python = divmod(variant, len(_PYTHONS))
            record = {
                "build": f"pyh{digest[:7]}_{build_number + variant}",
                "build_number": build_number + variant,
                "depends": ["python >=3.9", *depends],
                "license": license,
                "md5": digest[8:40],
                "name": name,
                "sha256": digest[40:],
                "size": size + variant,
                "subdir": subdir,
                "timestamp": timestamp + variant * 1000,
                "version": version,
            }
            if is_noarch:
                record["noarch"] = "python"
            else:
                python = _PYTHONS[of_python]
                record["build"] = f"py{python}h{digest[:7]}_{build_number}"
                record["build_number"] = build_number
                minor = int(python[1:])
                record["depends"] = [
                    f"python >=3.{minor},<3.{minor + 1}.0a0",
                    f"python_abi 3.{minor}.* *_cp{python}",
                    *depends,
                ]
            if constrains:
                record["constrains"] = constrains
            if license[0] in "ML":
                record["license_family"] = license.partition("-")[0]
            filename = f"{name}-{version}-{record['build']}{extension}"
            yield Entry(filename, record, run_exports)

    @cached_property
    def _changes(self):
        """By subdir and name: what happens to it until the next day, and to how many records."""
        changes = {}
        for subdir, planned in self._plan.items():
            of_subdir = changes[subdir] = {}
            chance = self._chance(f"{subdir} tomorrow")
            names = _shuffled(chance, planned)
            total = CHANGED * sum(name.count for name in planned)
            for kind, part in KINDS.items():
                left = max(1, round(total * part))
                while left and names:
                    name = names.pop()
                    # A release, a fix of what was released in a year or so, a broken build.
                    most = {"added": name.builds, "fixed": 10, "removed": 3}[kind]
                    number = min(left, most, name.count if kind != "removed" else name.count - 1)
                    if number:
                        of_subdir[name.name] = kind, number
                        left -= number
        return changes

    def _change(self, subdir, planned, entries):
        kind, number = None, 0
        if self.next_day:
            kind, number = self._changes[subdir].get(planned.name, (None, 0))
        if kind == "added":
            chance = self._chance(f"{subdir}/{planned.name} tomorrow")
            entries += self._version(chance, subdir, planned, planned.versions, number)
        elif kind == "fixed":
            for entry in entries[-number:]:
                entry.record["depends"] = [*entry.record["depends"], "pinned-by-hotfix <2"]
        elif kind == "removed":
            return entries[:-number], [entry.filename for entry in entries[-number:]]
        return entries, []

    def _write_repodata(self, subdir, file):
        removed = []
        with TemporaryFile() as conda:
            file.write(b'{"info":{"subdir":"%b"},"packages":{' % subdir.encode())
            separators = {file: b"", conda: b""}
            for _, entries, gone in self.names(subdir):
                removed += gone
                for entry in entries:
                    section = conda if entry.filename.endswith(".conda") else file
                    record = orjson.dumps(entry.record)
                    section.write(
                        b'%b"%b":%b' % (separators[section], entry.filename.encode(), record)
                    )
                    separators[section] = b","
            file.write(b'},"packages.conda":{')
            conda.seek(0)
            shutil.copyfileobj(conda, file, 2**20)
        file.write(b'},"removed":%b,"repodata_version":1}' % orjson.dumps(removed))

    def _chance(self, of):
        return Random(f"{self.seed}/{of}")


def _shuffled(chance, names):
    """Names in the order in which things happen to them: to the large ones rather sooner."""
    keyed = [(chance.random() ** (1 / math.sqrt(name.count)), name) for name in names]
    return [name for _, name in sorted(keyed, key=lambda pair: pair[0])]


def _shard(entries, removed):
    shard = {"packages": {}, "packages.conda": {}, "removed": removed}
    for entry in entries:
        section = "packages.conda" if entry.filename.endswith(".conda") else "packages"
        record = entry.record
        shard[section][entry.filename] = record | {
            "md5": bytes.fromhex(record["md5"]),
            "sha256": bytes.fromhex(record["sha256"]),
            "run_exports": entry.run_exports,
        }
    return shard
