"""From which sources a package was built, as far as the recipe in the package says it.

conda-build writes the recipe with all values filled in as `meta.yaml`, rattler-build writes
`rendered_recipe.yaml` (CEP 34). Only the section with the sources is read: the rest may be large,
and is often no plain YAML.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pulp_conda.channel.environments.plain_yaml import PlainYaml, PlainYamlError, read_plain
from pulp_conda.channel.secrets import without_secrets

# The files that may be there, the one that is preferred first, each with the sections that may have
# the sources and the keys that lead to them.
_SECTIONS = (
    ("info/recipe/rendered_recipe.yaml", (("finalized_sources",), ("recipe", "source"))),
    ("info/recipe/meta.yaml.rendered", (("source",),)),
    ("info/recipe/meta.yaml", (("source",),)),
    ("info/meta.yaml", (("source",),)),
)

RECIPES = tuple(member for member, _ in _SECTIONS)

# The section ends where the next key stands at the beginning of a line.
_SECTION = r"^{}[ \t]*:.*(?:\n(?:[ \t#-].*)?)*"

_MOST_VALUES = 10_000
_MOST_URLS = 100
_LONGEST = 4096  # characters of a URL


def read_source_urls(kept: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the URLs of the sources that a package was built from, without secrets.

    A recipe that cannot be read counts as missing, and so do sources that have no host, such as
    files of the machine that built the package.

    Args:
        kept: The files of the package by name, of which `RECIPES` are read.
    """
    for member, sections in _SECTIONS:
        if member not in kept:
            continue
        text = kept[member].decode(errors="replace")
        for keys in sections:
            urls = dict.fromkeys(filter(_is_url, _urls(_find(text, keys))))
            if urls:
                return tuple(map(without_secrets, urls))[:_MOST_URLS]
    return ()


def _find(text: str, keys: tuple[str, ...]) -> PlainYaml:
    """Return the value behind keys of a YAML text, or None."""
    section = re.search(_SECTION.format(keys[0]), text, re.MULTILINE)
    if section is None:
        return None
    try:
        value = read_plain(section[0], _MOST_VALUES)
    except PlainYamlError:
        return None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _urls(sources: PlainYaml) -> Iterator[str]:
    """Yield the URLs of a source or a list of them. A source may have a list of mirrors."""
    for source in sources if isinstance(sources, list) else [sources]:
        url = source.get("url") if isinstance(source, dict) else None
        for text in url if isinstance(url, list) else [url]:
            if isinstance(text, str):
                yield text


def _is_url(text: str) -> bool:
    try:
        return len(text) <= _LONGEST and text.isprintable() and bool(urlsplit(text).netloc)
    except ValueError:
        return False
