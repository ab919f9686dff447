"""The channels that belong to a channel: clients load them with it, before it or behind it (CEP 42)."""

import re

from pulp_conda.channel.errors import BadChannelRelations

KEYS = ("base", "overrides")

# Up, and then down again: parts of channel names, and of labels, which may have capitals (CEP 26).
_REFERENCE = re.compile(r"\.\.(?:/\.\.)*(?:/[a-zA-Z0-9_][a-zA-Z0-9_.-]*)*/?", re.ASCII)
_LONGEST = 1000


def check_relations(value):
    """Return the relations that are set, in the form in which repodata has them.

    A key that the CEP does not know is refused. Clients have to ignore it, so it would be a typing error that
    nobody notices.

    Raises:
        BadChannelRelations: with all that is wrong.
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


def _is_reference(text):
    return len(text) <= _LONGEST and _REFERENCE.fullmatch(text) is not None
