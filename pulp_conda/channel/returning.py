"""How a client goes back after its channel went back.

conda and mamba never downgrade by themselves: their `update --all` keeps a package that the channel
does not have any more. They go back when they are asked to install a spec that the installed
package does not match.
"""

from collections.abc import Collection
from typing import TypeAlias

from pulp_conda.channel.errors import BadMatchSpec
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.versions import VersionKey

# A version and a build number.
Build: TypeAlias = tuple[str, int]

# Versions that one spec rules out, one by one. People read the spec.
_MOST_VERSIONS = 20


def spec_to_return(name: str, withdrawn: Collection[Build], kept: Collection[Build]) -> str | None:
    """Return a MatchSpec that the kept packages of a name match, and none of the withdrawn ones.

    Args:
        name: The package name.
        withdrawn: What the channel does not have any more, at least one.
        kept: What the channel has, at least one.

    Returns:
        None if no spec tells them apart: a withdrawn package has the version and the build number
        of a kept one.
    """
    spelled = _spellings({version for version, _ in (*withdrawn, *kept)})
    withdrawn = [(spelled[version], number) for version, number in withdrawn]
    kept = [(spelled[version], number) for version, number in kept]
    versions = {version for version, _ in kept}
    highest = max(map(VersionKey, versions))
    gone = sorted({version for version, _ in withdrawn} - versions, key=VersionKey)
    lower = [version for version in gone if VersionKey(version) < highest]
    is_higher_gone = len(lower) < len(gone)
    excluded = "".join(f",!={version}" for version in lower)
    rebuilt = {build for build in withdrawn if build[0] in versions}
    if rebuilt:
        spec = _spec_of_older_builds(name, highest.text, rebuilt, kept)
    elif is_higher_gone:
        spec = f"{name} <={highest.text}{excluded}"
    else:
        spec = f"{name} {excluded.removeprefix(',')}"
    if spec is None or len(lower) > _MOST_VERSIONS or not _is_spec(spec):
        return None
    return spec


def _spellings(versions: Collection[str]) -> dict[str, str]:
    """Return one spelling for all versions that are equal, such as 1.0 and 1.0.0."""
    spelled: dict[str, str] = {}
    last = ""
    for version in sorted(versions, key=VersionKey):
        if not last or VersionKey(last) != VersionKey(version):
            last = version
        spelled[version] = last
    return spelled


def _spec_of_older_builds(
    name: str, version: str, withdrawn: Collection[Build], kept: Collection[Build]
) -> str | None:
    """Return a spec of the kept builds of the highest version, if their build number tells them."""
    if {build[0] for build in withdrawn} != {version}:
        return None
    most = max(number for build, number in kept if build == version)
    if min(number for _, number in withdrawn) <= most:
        return None
    return f'{name}[version="=={version}",build_number="<={most}"]'


def _is_spec(spec: str) -> bool:
    try:
        Query(spec)
    except BadMatchSpec:
        return False
    return True
