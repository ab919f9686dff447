"""What people ask about the package names of a channel: the newest version, a summary, the links,
and which names depend on one.

It is made together with the metadata files of a channel, from what these files serve. Clients do
not read it, so no CEP has a format for it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgpack
import orjson
import zstandard

from pulp_conda.channel.matchspec import leading_name
from pulp_conda.channel.versions import VersionKey

# Characters of a summary that are kept. A link that is longer is left out.
_LONGEST = 2000

_LEVEL = 3


class SubdirFacts(NamedTuple):
    """What a package name has in one subdir.

    Attributes:
        version: The newest version there, in the order of conda.
        build_number: The highest build number that this version has there.
        files: The number of files.
        size: The bytes of all files, as their records say.
        timestamp: When the last of them was built, in milliseconds since 1970, or 0.
    """

    version: str
    build_number: int
    files: int
    size: int
    timestamp: int


class NameFacts(NamedTuple):
    """What a channel has of one package name.

    Texts are as somebody wrote them: a link may be anything, and a summary may have any characters.

    Attributes:
        version: The newest version of all subdirs, in the order of conda.
        summary: One line, or empty if nobody knows one.
        license: That of the newest file, or empty.
        home, dev_url, doc_url: Links, or empty.
        source_urls: Where the sources are that it was built from.
        timestamp: When the last of its files was built, in milliseconds since 1970, or 0.
        has_run_exports: Whether run_exports are known of one of its files.
        subdirs: What it has in each subdir, sorted.
        depends: The names that it depends on, sorted: those of the newest build in each subdir that
            has the newest version.
    """

    name: str
    version: str
    summary: str
    license: str
    home: str
    dev_url: str
    doc_url: str
    source_urls: tuple[str, ...]
    timestamp: int
    has_run_exports: bool
    subdirs: Mapping[str, SubdirFacts]
    depends: tuple[str, ...]


class MatchKind(StrEnum):
    """Why a search finds a name, the best first."""

    EXACT = "exact"
    PREFIX = "prefix"
    NAME = "name"
    SUMMARY = "summary"


class Names:
    """Gathers the facts about names, subdir by subdir."""

    def __init__(self) -> None:
        # Dependencies as one text: a channel has some hundred thousand of them.
        self._found: dict[str, dict[str, tuple[SubdirFacts, str]]] = {}

    def add(self, subdir: str, name: str, facts: SubdirFacts, newest: str) -> None:
        """Add what a name has in a subdir.

        Args:
            newest: The record of the newest build there, as JSON.
        """
        depends = orjson.loads(newest).get("depends") or []
        named = {leading_name(spec).lower() for spec in depends if isinstance(spec, str)}
        joined = " ".join(sorted(named - {""}))
        self._found.setdefault(name, {})[subdir] = (facts, joined)

    def take(self, name: str, summary: Mapping[str, Any]) -> NameFacts:
        """Return what was gathered of a name, and forget it.

        Args:
            summary: The entry of the name in channeldata.json.
        """
        found = self._found.pop(name)
        version = summary["version"]
        depends = {
            each
            for facts, joined in found.values()
            if _is_same(facts.version, version)
            for each in joined.split()
        }
        source = summary.get("source_url", ())
        return NameFacts(
            name,
            version,
            " ".join(summary.get("summary", "").split())[:_LONGEST],
            summary.get("license", "")[:_LONGEST],
            _link(summary.get("home", "")),
            _link(summary.get("dev_url", "")),
            _link(summary.get("doc_url", "")),
            tuple(filter(None, map(_link, [source] if isinstance(source, str) else source))),
            max(facts.timestamp for facts, _ in found.values()),
            bool(summary["run_exports"]),
            {subdir: found[subdir][0] for subdir in sorted(found)},
            tuple(sorted(depends)),
        )


def _is_same(version: str, other: str) -> bool:
    return version == other or VersionKey(version) == VersionKey(other)


def _link(url: str) -> str:
    return url if len(url) <= _LONGEST else ""


def encode_facts(facts: NameFacts) -> bytes:
    """Return facts in the form in which they are stored."""
    packed: bytes = msgpack.packb(tuple(facts))
    return packed


def decode_facts(data: bytes) -> NameFacts:
    """Return what `encode_facts` got."""
    facts = NameFacts(*msgpack.unpackb(data))
    return facts._replace(
        source_urls=tuple(facts.source_urls),
        subdirs={subdir: SubdirFacts(*found) for subdir, found in facts.subdirs.items()},
        depends=tuple(facts.depends),
    )


def searched_line(facts: NameFacts) -> str:
    """Return the line of a name in which a search looks. Names are lower case (CEP 26)."""
    return f"{facts.name}\n{facts.summary.casefold()}"


def search(lines: Iterable[str], text: str) -> dict[MatchKind, list[str]]:
    """Return all names that have each word of a text in the name or in the summary.

    They are in the order of the lines, by what fits: the whole name, its beginning, words in it, or
    words in the summary. A text without words finds all names.

    Args:
        lines: What `searched_line` returned.
    """
    words = text.casefold().split()
    whole = " ".join(words)
    longest, *others = sorted(words, key=len, reverse=True) or [""]
    found: dict[MatchKind, list[str]] = {kind: [] for kind in MatchKind}
    of_prefix, of_name, of_summary = (found[kind] for kind in list(MatchKind)[1:])
    for line in lines:
        if longest not in line or (others and not _has_all(line, others)):
            continue
        name = name_of(line)
        if name.startswith(whole):
            of_prefix.append(name)
        elif longest in name and _has_all(name, others):
            of_name.append(name)
        else:
            of_summary.append(name)
    if whole in of_prefix:
        of_prefix.remove(whole)
        found[MatchKind.EXACT] = [whole]
    return found


def _has_all(text: str, words: Iterable[str]) -> bool:
    return all(word in text for word in words)


def dependencies_line(facts: NameFacts) -> str:
    """Return the line of a name in which others look for what it depends on: the names with a space
    before and behind each.
    """
    return f"{facts.name}\n {' '.join(facts.depends)} "


def dependents_of(lines: Iterable[str], name: str) -> list[str]:
    """Return the names that depend on a name, in the order of the lines.

    Args:
        lines: What `dependencies_line` returned.
    """
    if len(name.split()) != 1:
        return []
    wanted = f" {name.lower()} "
    return [name_of(line) for line in lines if wanted in line]


def name_of(line: str) -> str:
    """Return the name that a line belongs to."""
    return line.partition("\n")[0]


def encode_lines(lines: Iterable[str]) -> bytes:
    """Return lines in the form in which they are stored."""
    return zstandard.compress("\0".join(lines).encode(), _LEVEL)


def decode_lines(data: bytes) -> list[str]:
    """Return what `encode_lines` got."""
    text = zstandard.decompress(data).decode()
    return text.split("\0") if text else []


def encode_block(facts: Mapping[str, bytes]) -> bytes:
    """Return what `encode_facts` returned for some names, in the form in which it is stored."""
    return zstandard.compress(msgpack.packb(facts), _LEVEL)


def decode_block(data: bytes) -> dict[str, bytes]:
    """Return what `encode_block` got."""
    facts: dict[str, bytes] = msgpack.unpackb(zstandard.decompress(data))
    return facts
