"""channeldata.json: one summary per package name, for people and for conda-build.

Format: CEP 38.
"""

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadUpstreamFile, shown
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.metadata.stream import read_json
from pulp_conda.channel.package.info import TRAITS, as_stored
from pulp_conda.channel.versions import VersionKey

VERSION = 1

_TEXTS = ("dev_url", "doc_url", "home", "license", "summary")

# Bytes of an upstream's entry; a larger one counts as empty. run_exports of 500 versions take 50 KB.
_ENTRY_SIZE = 256 * 2**10

# Lower than any build number and timestamp.
_NO_RANK = (-1, 0)


class Channeldata:
    """Gathers the summaries of a channel from its packages, in memory for the names and not for the packages."""

    def __init__(self):
        self._entries = {}
        self._subdirs = {layout.NOARCH}

    def add(self, subdir, name, version, build_number, timestamp, sha256, run_exports):
        """Take a package; the same packages in the same order give the same file.

        Args:
            timestamp: When it was built, in milliseconds since 1970, or None.
            run_exports: Canonical JSON, or None if not known.
        """
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry(version)
        entry.add(subdir, version, (build_number, timestamp or 0), sha256)
        if run_exports and run_exports != "{}":
            entry.add_run_exports(version, build_number, run_exports)
        self._subdirs.add(subdir)

    def files(self):
        """Return the sha256 of the newest file of each name."""
        return {name: entry.sha256 for name, entry in self._entries.items()}

    def write(self, file, infos, summaries):
        """Write the file, sorted by names.

        Args:
            infos: `about` and `traits` by the sha256 of a file, as `PackageInfo` has them; `about` is None where nobody
                has read the file.
            summaries: What `read_channeldata` gave, by name, for names of whose newest file nothing is known. Of both
                nothing but `get` is called, once for each name, so they need not hold everything.
        """
        file.write(b'{"channeldata_version":%d,"packages":{' % VERSION)
        separator = b""
        for name in sorted(self._entries):
            entry = self._entries[name]
            fields = entry.fields(infos.get(entry.sha256), summaries.get(name) or {})
            text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
            file.write(b"%b%b:%b" % (separator, orjson.dumps(name), text))
            separator = b","
        file.write(b'},"subdirs":%b}\n' % orjson.dumps(sorted(self._subdirs)))


class _Entry:
    """What is known of a name: its newest file, and what all of its files say together."""

    __slots__ = ("_key", "_older", "_rank", "_run_exports", "_subdirs", "_timestamp", "sha256")

    def __init__(self, version):
        self._key = VersionKey(version)
        self._older = None
        self._rank = _NO_RANK
        self._run_exports = {}
        self._subdirs = []
        self._timestamp = 0
        self.sha256 = None

    def add(self, subdir, version, rank, sha256):
        if subdir not in self._subdirs:
            self._subdirs.append(subdir)
        self._timestamp = max(self._timestamp, rank[1])
        if version == self._older:
            return
        key = self._key
        if version != key.text:
            key = VersionKey(version)
            if key < self._key:
                # Packages come by file name: the next one is often of it too.
                self._older = version
                return
            if self._key < key:
                self._rank = _NO_RANK
        if self._rank < rank:
            self._key, self._rank, self.sha256 = key, rank, sha256

    def add_run_exports(self, version, build_number, run_exports):
        """Keep those of the highest build; a platform where it has none does not hide those of another."""
        known = self._run_exports.get(version)
        if known is None or known[0] < build_number:
            self._run_exports[version] = (build_number, run_exports)

    def fields(self, info, summary):
        """Return the entry of channeldata.json."""
        about, traits = summary, summary
        if info is not None and info.about is not None:
            about, traits = info.about, info.traits
        known = {
            version: orjson.Fragment(run_exports)
            for version, (_, run_exports) in self._run_exports.items()
        }
        return {
            **_description(about),
            **{trait: traits.get(trait) is True for trait in TRAITS},
            "run_exports": summary.get("run_exports", {}) | known,
            "subdirs": sorted(self._subdirs),
            "timestamp": self._timestamp // 1000,
            "version": self._key.text,
        }


def read_channeldata(file, *, url, max_size):
    """Yield (name, entry) for every package name of an upstream's file, JSON or zstd.

    An entry has what `Channeldata.write` asks for: the known keys with values of the right type, and nothing else.

    Raises:
        BadUpstreamFile: when the reading gets to the place where the file is broken, or at the end of another file.
        RepodataTooLarge: when it gets to that size.
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


def _known_fields(entry):
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


def _known_run_exports(by_version):
    known = {}
    for version, run_exports in by_version.items() if isinstance(by_version, dict) else ():
        try:
            known[version] = check_run_exports(run_exports)
        except ValueError:
            continue
    return {version: run_exports for version, run_exports in known.items() if run_exports}


def _description(about):
    """Return what CEP 38 takes from an `about.json`, or from an upstream's entry, as far as it is of the right type."""
    known = {}
    for key in _TEXTS:
        value = about.get(key)
        if isinstance(value, list):
            value = next(iter(value), None)  # Recipes may have several where CEP 34 has one.
        if isinstance(value, str) and value:
            known[key] = value
    source_url = about.get("source_url")
    urls = source_url if isinstance(source_url, list) else [source_url]
    if source_url and all(isinstance(url, str) for url in urls):
        known["source_url"] = source_url
    return known
