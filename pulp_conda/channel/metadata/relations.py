"""References of a channel to other channels, which clients load before or after it (CEP 42)."""

import re

from pulp_conda.channel.errors import BadChannelRelations

KEYS = ("base", "overrides")

# First up and then down: parts of the names of channels and of labels. Labels may have capitals
# (CEP 26).
_REFERENCE = re.compile(r"\.\.(?:/\.\.)*(?:/[a-zA-Z0-9_][a-zA-Z0-9_.-]*)*/?", re.ASCII)
_LONGEST = 1000


def check_relations(value: object) -> dict[str, str]:
    """Return the relations that are set, in the form that they have in repodata.

    A key that is not in CEP 42 is refused. It is probably a typing error, and clients would ignore
    it.

    Raises:
        BadChannelRelations: with all problems.
    """
    if not isinstance(value, dict):
        raise BadChannelRelations(reason="they are not an object")
    problems = [f"'{key}' is not known" for key in value if key not in KEYS]
    relations = {}
    for key in KEYS:
        reference = value.get(key)
        if reference is None:
            continue
        if isinstance(reference, str) and _is_reference(reference):
            relations[key] = reference.rstrip("/")
        else:
            problems.append(f"'{key}' is {reference!r}, not a path that begins with '../'")
    if len(relations) == 2 and relations["base"] == relations["overrides"]:
        problems.append(f"'base' and 'overrides' are both '{relations['base']}'")
    if problems:
        raise BadChannelRelations(reason="; ".join(problems))
    return relations


def _is_reference(text: str) -> bool:
    return len(text) <= _LONGEST and _REFERENCE.fullmatch(text) is not None
