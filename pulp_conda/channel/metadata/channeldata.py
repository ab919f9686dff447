"""channeldata.json: one summary for each package name, for people and for conda-build.

Format: CEP 38.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol, TypeVar

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadUpstreamFile, shown
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.metadata.splice import Document, Earlier, MergedEntries, ObjectWriter
from pulp_conda.channel.metadata.stream import read_json
from pulp_conda.channel.package.info import TRAITS, as_stored
from pulp_conda.channel.versions import VersionKey

VERSION = 1

_TEXTS = ("dev_url", "doc_url", "home", "license", "summary")

# Bytes of an entry of an upstream. A larger one counts as empty. run_exports of 500 versions have
# 50 KB.
_ENTRY_SIZE = 256 * 2**10

# Lower than any build number and timestamp.
_NO_RANK = (-1, 0)

# A package as `Channeldata.add` takes it: version, build number, timestamp, sha256, run_exports,
# license and traits.
Summarized = tuple[str, int, int | None, str, str | None, str, Collection[str] | None]

_Value = TypeVar("_Value", covariant=True)


class _Info(Protocol):
    """The metadata in a package file, as in `PackageInfo`. `about` is None if it was never read."""

    @property
    def about(self) -> Mapping[str, Any] | None: ...
    @property
    def source_urls(self) -> Sequence[str] | None: ...


class _Lookup(Protocol[_Value]):
    """A mapping, or something else that has its `get`."""

    def get(self, key: str, /) -> _Value | None: ...


class Channeldata:
    """Collects the summaries of a channel from its packages.

    The memory that it takes depends on the number of package names, and not of packages. Equal
    packages in the same order give equal files.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._subdirs = {layout.NOARCH}

    def add(
        self,
        subdir: str,
        name: str,
        version: str,
        build_number: int,
        timestamp: int | None,
        sha256: str,
        run_exports: str | None,
        *,
        license: str = "",
        traits: Collection[str] | None = None,
    ) -> None:
        """Add a package.

        Args:
            subdir: Its subdir.
            name: Its package name.
            version: Its version.
            build_number: Its build number.
            timestamp: When it was built, in milliseconds since 1970, or None.
            sha256: The digest of its file. It is only compared and returned.
            run_exports: Its run_exports as canonical JSON, or None if they are not known.
            license: The license of its record, or empty.
            traits: Those of `TRAITS` that it has, or None if its file was never read.
        """
        package = version, build_number, timestamp, sha256, run_exports, license, traits
        self.add_name(subdir, name, [package])

    def add_name(self, subdir: str, name: str, packages: Sequence[Summarized]) -> int:
        """Add all packages that a name has in a subdir, at least one.

        Returns:
            The place of the newest of them.
        """
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry()
        self._subdirs.add(subdir)
        return entry.add(subdir, packages)

    def add_subdir(self, subdir: str) -> None:
        """Note that a subdir has packages."""
        self._subdirs.add(subdir)

    def files(self) -> dict[str, str]:
        """Return the sha256 of the newest file of each name."""
        return {name: entry.sha256 for name, entry in self._entries.items()}

    def finish(
        self,
        infos: _Lookup[_Info],
        summaries: _Lookup[Mapping[str, Any]],
        earlier: Earlier | None = None,
        describe: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> Document:
        """Return the file, sorted by names.

        `get` of `infos` and `summaries` is called once for each name, so they need not have
        everything in memory.

        Args:
            infos: `about` and `source_urls` of a file by its sha256, in the form of `PackageInfo`.
                `about` is None if the file was never read.
            summaries: What `read_channeldata` yields, by package name. It is used for all that the
                packages themselves do not say.
            earlier: The file that has the entries of all names that were not added.
            describe: Called with each name that was added and its entry, in the order of names.
        """
        entries = ObjectWriter(earlier, "packages")
        for name in sorted(self._entries):
            entry = self._entries[name]
            fields = entry.fields(infos.get(entry.sha256), summaries.get(name) or {})
            text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
            entries.write([f"{orjson.dumps(name).decode()}:{text.decode()}"])
            entries.end_name(name)
            if describe:
                describe(name, fields)
        return _document(entries, self._subdirs)


def merge_channeldata(files: Sequence[Earlier], subdirs: Iterable[str]) -> Document:
    """Return a `channeldata.json` with the summaries of several.

    Args:
        files: The files. A name is taken from the one of which it is not `changed`.
        subdirs: The subdirs that have packages.
    """
    return _document(MergedEntries(files, "packages"), {layout.NOARCH, *subdirs})


def _document(entries: ObjectWriter | MergedEntries, subdirs: Iterable[str]) -> Document:
    document = Document()
    document.add(b'{"channeldata_version":%d,"packages":' % VERSION)
    document.add_object("packages", entries)
    document.add(b',"subdirs":%b}\n' % orjson.dumps(sorted(subdirs)))
    return document


class _Entry:
    """The facts about a package name, from its newest file and from all files together."""

    __slots__ = (
        "_license",
        "_newest",
        "_run_exports",
        "_subdirs",
        "_timestamp",
        "_traits",
        "_unread",
        "sha256",
    )

    def __init__(self) -> None:
        self._newest: _Newest | None = None
        self._run_exports: dict[str, tuple[int, str]] = {}
        self._subdirs: list[str] = []
        self._timestamp = 0
        self._license = ""
        self._traits: set[str] = set()
        self._unread = False
        self.sha256 = ""

    def add(self, subdir: str, packages: Sequence[Summarized]) -> int:
        """Add files of a subdir, and return the place of the newest of them."""
        if subdir not in self._subdirs:
            self._subdirs.append(subdir)
        newest = _Newest(packages[0][0])
        for place, package in enumerate(packages):
            version, build_number, timestamp, _, run_exports, _, traits = package
            if timestamp and timestamp > self._timestamp:
                self._timestamp = timestamp
            if version != newest.older:
                newest.rank(version, (build_number, timestamp or 0), place)
            if traits is None:
                self._unread = True
            else:
                self._traits.update(traits)
            if run_exports and run_exports != "{}":
                self.add_run_exports(version, build_number, run_exports)
        if self._newest is None or self._newest.is_before(newest):
            self._newest = newest
            _, _, _, self.sha256, _, self._license, _ = packages[newest.place]
        return newest.place

    def add_run_exports(self, version: str, build_number: int, run_exports: str) -> None:
        """Add the run_exports of a file. Those of the highest build number are kept.

        Files without run_exports are not added, so they do not hide the run_exports of other
        platforms.
        """
        known = self._run_exports.get(version)
        if known is None or known[0] < build_number:
            self._run_exports[version] = (build_number, run_exports)

    def fields(self, info: _Info | None, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entry of channeldata.json.

        What the packages themselves say counts more than what the upstream says of them. As in what
        conda-index writes, a name has a trait if one of its packages has it.
        """
        traits = self._traits
        if self._unread:
            traits = traits | {trait for trait in TRAITS if summary.get(trait) is True}
        known = {
            version: orjson.Fragment(run_exports)
            for version, (_, run_exports) in self._run_exports.items()
        }
        return {
            **self._description(info, summary),
            **{trait: trait in traits for trait in TRAITS},
            "run_exports": summary.get("run_exports", {}) | known,
            "subdirs": sorted(self._subdirs),
            "timestamp": self._timestamp // 1000,
            "version": self._newest.key.text if self._newest else "",
        }

    def _description(self, info: _Info | None, summary: Mapping[str, Any]) -> dict[str, Any]:
        license = {"license": self._license} if self._license else {}
        if info is None or info.about is None:
            return license | _description(summary)
        source_urls = list(info.source_urls or ())
        sources = {"source_url": source_urls[0] if len(source_urls) == 1 else source_urls}
        return _description(summary) | license | _description({**sources, **info.about})


class _Newest:
    """The newest of some files, by version, build number and timestamp; the first of equal ones.

    Attributes:
        key: Its version.
        place: Its place among the files.
        older: A version that is older.
    """

    __slots__ = ("_rank", "key", "older", "place")

    def __init__(self, version: str) -> None:
        self.key = VersionKey(version)
        self.place = 0
        self.older: str | None = None
        self._rank = _NO_RANK

    def rank(self, version: str, rank: tuple[int, int], place: int) -> None:
        """Take a file, if it is newer. Its rank is the build number and the timestamp."""
        key = self.key
        if version != key.text:
            key = VersionKey(version)
            if key < self.key:
                # Packages are sorted by file name, so the next one often has the same version.
                self.older = version
                return
            if self.key < key:
                self._rank = _NO_RANK
        if self._rank < rank:
            self.key, self._rank, self.place = key, rank, place

    def is_before(self, other: "_Newest") -> bool:
        """Say whether another file is newer."""
        if self.key < other.key:
            return True
        return self._rank < other._rank and not other.key < self.key


def read_channeldata(
    file: IO[bytes], *, url: str, max_size: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, entry) for every package name in an upstream's channeldata.json.

    An entry has the keys that `Channeldata.write` uses, with values of the right type.

    Args:
        file: JSON, or zstd of it, seekable.
        url: Where it came from. Errors name it.
        max_size: The most bytes that it may unpack to.

    Raises:
        BadUpstreamFile: the file is broken, which is raised when the reading gets to that place. Or
            it is no channeldata.json, which is raised at the end.
        RepodataTooLarge: the file is larger than the limit. It is raised when the reading gets
            there.
    """
    version = None
    depths = {"channeldata_version": 1, "packages": 2}
    values = read_json(file, depths, url=url, error=BadUpstreamFile, max_size=max_size)
    for (section, *names), value in values:
        if section == "channeldata_version":
            version = value
        if section == "packages" and names and layout.is_name(names[0]):
            yield names[0], _known_fields(value)
    if version != VERSION:
        found = shown(str(version))
        reason = f"its 'channeldata_version' is {found}, not {VERSION}"
        raise BadUpstreamFile(url=url, reason=reason)


def _known_fields(entry: Any) -> dict[str, Any]:
    try:
        entry = as_stored(entry)
    except TypeError:
        return {}
    if not isinstance(entry, dict) or len(orjson.dumps(entry)) > _ENTRY_SIZE:
        return {}
    return {
        **_description(entry),
        **{trait: entry[trait] for trait in TRAITS if isinstance(entry.get(trait), bool)},
        "run_exports": _known_run_exports(entry.get("run_exports")),
    }


def _known_run_exports(by_version: object) -> dict[str, Any]:
    known = {}
    for version, run_exports in by_version.items() if isinstance(by_version, dict) else ():
        try:
            known[version] = check_run_exports(run_exports)
        except ValueError:
            continue
    return {version: run_exports for version, run_exports in known.items() if run_exports}


def _description(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of CEP 38 from an `about.json` or an upstream's entry.

    Values of the wrong type are left out.
    """
    known: dict[str, Any] = {}
    for key in _TEXTS:
        value = about.get(key)
        if isinstance(value, list):
            value = next(iter(value), None)  # Some recipes have several, and CEP 34 allows one.
        if isinstance(value, str) and value:
            known[key] = value
    source_url = about.get("source_url")
    urls = source_url if isinstance(source_url, list) else [source_url]
    if source_url and all(isinstance(url, str) for url in urls):
        known["source_url"] = source_url
    return known
