"""Packages, records and channels for tests: real, tiny, and the same bytes every time.

Nothing here uses `pulp_conda.channel` but for the `PackageRecord` it returns, so tests compare with
something else.
"""

import bz2
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path

import msgpack
import zstandard

from pulp_conda.channel.records import PackageRecord

TIMESTAMP = 1_700_000_000_000


@dataclass(frozen=True)
class BuiltPackage:
    """A package file in memory, and the record that it should get."""

    filename: str
    subdir: str
    data: bytes
    record: PackageRecord


def make_record(
    name="numpy", version="1.0", build="0", *, subdir="noarch", extension=".conda", **fields
):
    """Return a record as a channel would have it; its checksums follow from its path."""
    filename = f"{name}-{version}-{build}{extension}"
    path = f"{subdir}/{filename}".encode()
    defaults = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "license": "BSD-3-Clause",
        "md5": md5(path).hexdigest(),
        "name": name,
        "sha256": sha256(path).hexdigest(),
        "size": 1000 + len(path),
        "subdir": subdir,
        "timestamp": TIMESTAMP,
        "version": version,
    }
    if subdir == "noarch":
        defaults["noarch"] = "generic"
    return PackageRecord(subdir, filename, defaults | fields)


def make_package(
    name="hello",
    version="1.0",
    build="0",
    *,
    build_number=0,
    subdir="noarch",
    extension=".conda",
    depends=(),
    noarch=None,
    files=None,
    index=None,
    info=None,
    members=(),
    info_members=(),
    stem=None,
):
    """Return a package that clients can install; the later arguments make it odd.

    Args:
        noarch: `python` for a package with `site-packages/`; `generic` is the default in the subdir
            `noarch`.
        files: What it installs: bytes by path. Files in `bin/` can be run. A text makes a symbolic
            link to it.
        index: Fields of `info/index.json` to add or change; `...` leaves a field out.
        info: Files of `info/` to add or change, bytes by name; None leaves one out.
        members: More members, as `TarInfo` or pairs of it and bytes, behind the files.
        info_members: The same, behind `info/`.
        stem: What the components of a `.conda` are called, if not as the package.
    """
    if noarch is None and subdir == "noarch":
        noarch = "generic"
    fields = {
        "build": build,
        "build_number": build_number,
        "depends": list(depends),
        "license": "BSD-3-Clause",
        "name": name,
        "noarch": noarch or ...,
        "subdir": subdir,
        "timestamp": TIMESTAMP,
        "version": version,
    }
    fields = {key: value for key, value in (fields | (index or {})).items() if value is not ...}
    files = files or {}
    texts = _info_files(fields, files) | (info or {})
    info_tar = [
        (make_member(f"info/{path}"), content)
        for path, content in texts.items()
        if content is not None
    ]
    info_tar += info_members
    pkg_tar = [*map(_file_member, files.items()), *members]

    filename = f"{name}-{version}-{build}{extension}"
    if extension == ".conda":
        stem = stem or f"{name}-{version}-{build}"
        data = pack_conda(stem, pack_tar(info_tar), pack_tar(pkg_tar))
    else:
        data = bz2.compress(pack_tar(info_tar + pkg_tar))
    fields |= {
        "md5": md5(data).hexdigest(),
        "sha256": sha256(data).hexdigest(),
        "size": len(data),
    }
    fields.setdefault("subdir", subdir)
    return BuiltPackage(filename, subdir, data, PackageRecord(subdir, filename, fields))


def make_member(name, type=tarfile.REGTYPE, *, target="", mode=0o644, size=0):
    """Return the header of a member; `target` is for links."""
    member = tarfile.TarInfo(name)
    member.type = type
    member.linkname = target
    member.mode = mode
    member.size = size
    return member


def pack_tar(members):
    """Return a tar archive of `TarInfo` objects, or of pairs of them and their bytes.

    Headers are written as they are, so an archive may lie about sizes.
    """
    blocks = []
    for member in members:
        member, content = member if isinstance(member, tuple) else (member, b"")
        if content:
            member.size = len(content)
        blocks.append(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        blocks.append(content + bytes(-len(content) % tarfile.BLOCKSIZE))
    return b"".join(blocks) + bytes(2 * tarfile.BLOCKSIZE)


def pack_conda(stem, info_tar, pkg_tar):
    """Return a `.conda` file of two uncompressed tar archives."""
    compress = zstandard.ZstdCompressor().compress
    return pack_zip(
        {
            "metadata.json": b'{"conda_pkg_format_version": 2}',
            f"pkg-{stem}.tar.zst": compress(pkg_tar),
            f"info-{stem}.tar.zst": compress(info_tar),
        }
    )


def pack_zip(members, compression=zipfile.ZIP_STORED):
    """Return a ZIP file of bytes by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def make_channel(folder, packages, subdirs=(), removed=()):
    """Write a channel of static files, and return its folder.

    It has the subdirs of the packages, those that are named, those that were there before, and
    `noarch`. `removed` are file names of noarch that were there once. For a hotfix, give a package
    another record: `dataclasses.replace(package, record=...)`.
    """
    folder = Path(folder)
    packages = list(packages)
    before = {path.parent.name for path in folder.glob("*/repodata.json")}
    for subdir in {"noarch", *subdirs, *before, *(package.subdir for package in packages)}:
        (folder / subdir).mkdir(parents=True, exist_ok=True)
        repodata = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": {},
            "removed": list(removed) if subdir == "noarch" else [],
            "repodata_version": 1,
        }
        for package in packages:
            if package.subdir == subdir:
                if package.record.in_v3:
                    stem, extension = package.filename.split(package.record.build + ".")
                    of_v3 = repodata.setdefault("v3", {}).setdefault(extension, {})
                    of_v3[stem + package.record.build] = package.record.fields
                else:
                    key = "packages.conda" if package.filename.endswith(".conda") else "packages"
                    repodata[key][package.filename] = package.record.fields
                (folder / subdir / package.filename).write_bytes(package.data)
        text = json.dumps(repodata, indent=1, sort_keys=True).encode()
        (folder / subdir / "repodata.json").write_bytes(text)
        (folder / subdir / "repodata.json.zst").write_bytes(zstandard.compress(text))
    return folder


def add_shards(folder, *, run_exports=None, packages_url="", shards_folder="shards", **info):
    """Write the sharded form beside every `repodata.json` of a channel of static files (CEP 16).

    Args:
        run_exports: By file name, what shards say of packages (CEP 21).
        packages_url: `info.base_url`.
        shards_folder: Where the shards are, below each subdir. For another place, give
            `shards_base_url` and move them.
        info: More keys of the index's `info`.
    """
    for repodata in Path(folder).glob("*/repodata.json"):
        subdir = repodata.parent
        shards = _shards(json.loads(repodata.read_text()), run_exports or {})
        (subdir / shards_folder).mkdir(exist_ok=True)
        digests = {}
        for name, shard in sorted(shards.items()):
            data = zstandard.compress(msgpack.packb(shard))
            digests[name] = sha256(data).digest()
            (subdir / shards_folder / f"{digests[name].hex()}.msgpack.zst").write_bytes(data)
        index = {
            "version": 1,
            "info": {
                "subdir": subdir.name,
                "base_url": packages_url,
                "shards_base_url": f"./{shards_folder}/",
                "created_at": "2026-11-01T00:00:00Z",
                **info,
            },
            "shards": digests,
        }
        data = zstandard.compress(msgpack.packb(index))
        (subdir / "repodata_shards.msgpack.zst").write_bytes(data)


def _shards(repodata, run_exports):
    """The content of each shard, by package name."""
    shards = {}

    def shard(name):
        return shards.setdefault(name, {"packages": {}, "packages.conda": {}, "removed": []})

    def in_shard(record, filename):
        record = dict(record)
        for key in ("md5", "sha256"):
            if record.get(key):
                record[key] = bytes.fromhex(record[key])
        if filename in run_exports:
            record["run_exports"] = run_exports[filename]
        return record

    for section in ("packages", "packages.conda"):
        for filename, record in repodata.get(section, {}).items():
            shard(record["name"])[section][filename] = in_shard(record, filename)
    for extension, records in repodata.get("v3", {}).items():
        for stem, record in records.items():
            v3 = shard(record["name"]).setdefault("v3", {"conda": {}, "tar.bz2": {}})
            v3[extension][stem] = in_shard(record, f"{stem}.{extension}")
    for filename in repodata.get("removed", []):
        shard(filename.rsplit("-", 2)[0])["removed"].append(filename)
    return shards


def _info_files(index, files):
    entries = [_path_entry(path, files) for path in files]
    texts = {
        "index.json": index,
        "about.json": {"summary": f"{index['name']}, for tests"},
        "paths.json": {"paths": entries, "paths_version": 1},
    }
    if index.get("noarch") == "python":
        texts["link.json"] = {"noarch": {"type": "python"}, "package_metadata_version": 1}
    return {name: json.dumps(text, sort_keys=True).encode() for name, text in texts.items()} | {
        "files": "".join(f"{path}\n" for path in files).encode()
    }


def _path_entry(path, files):
    content = files[path]
    path_type = "hardlink"
    if isinstance(content, str):
        # CEP 34: of a link, what it leads to counts.
        path_type = "softlink"
        content = files.get(f"{Path(path).parent}/{content}", b"")
    return {
        "_path": path,
        "path_type": path_type,
        "sha256": sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def _file_member(item):
    path, content = item
    if isinstance(content, str):
        return make_member(path, tarfile.SYMTYPE, target=content, mode=0o777)
    return make_member(path, mode=0o755 if path.startswith("bin/") else 0o644), content
