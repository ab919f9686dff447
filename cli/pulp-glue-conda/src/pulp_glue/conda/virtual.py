"""The channels that a virtual channel merges, named as people know them."""

import typing as t

from pulp_glue.common.context import PulpContext
from pulp_glue.common.exceptions import PulpEntityNotFound
from pulp_glue.conda.context import PulpCondaDistributionContext
from pulp_glue.conda.names import UnknownName


def find_distribution(pulp_ctx: PulpContext, text: str) -> str:
    """Return the href of a distribution.

    Parameters:
        text: Its name, or its base path if none has this name. An href is returned unchanged.

    Raises:
        UnknownName: there is none.
    """
    if text.startswith("/"):
        return text
    try:
        return PulpCondaDistributionContext(pulp_ctx, entity={"name": text}).pulp_href
    except UnknownName as error:
        # The server ignores an empty path, and would return any distribution.
        if not text:
            raise
        by_path = PulpCondaDistributionContext(pulp_ctx, entity={"base_path": text})
        try:
            return by_path.pulp_href
        except PulpEntityNotFound:
            raise error from None


def merged_channel(distribution: str, owns: t.Iterable[str] | None = None) -> dict[str, t.Any]:
    """Return an item of `merged_channels` as the server shows it, so that they can be compared.

    Parameters:
        distribution: The href of the distribution of the channel.
        owns: Patterns for the package names that come from this channel alone.
    """
    patterns = dict.fromkeys(pattern.lower() for pattern in owns or ())
    return {"distribution": distribution, "owns": list(patterns)}


def with_names(
    pulp_ctx: PulpContext, merged: t.Sequence[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Return `merged_channels` with the names of their distributions in place of the hrefs.

    The href stays if the user may not see the distribution.
    """
    if not merged:
        return []
    query = {"pulp_href__in": [each["distribution"] for each in merged]}
    found = PulpCondaDistributionContext(pulp_ctx).list_iterator(query)
    names = {each["pulp_href"]: each["name"] for each in found}
    return [
        {**each, "distribution": names.get(each["distribution"], each["distribution"])}
        for each in merged
    ]
