"""HTML for people who open a channel's URL in a browser: facts in, markup out.

The cost of a page does not depend on how many packages the channel has: counts come with the publication, and
the list of packages is the repodata itself.
"""

from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, PackageLoader, select_autoescape

_TEMPLATES = Environment(
    loader=PackageLoader("pulp_conda.pages"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class State:
    """Which state of a stage a page shows.

    Attributes:
        since, until: From when to when the stage served it, in UTC; `until` is None if it still does.
        now: The way to what the stage serves now, if this page has a URL of the past; None if it is what it serves.
    """

    stage: str
    lifecycle: str
    label: str
    since: datetime
    until: datetime | None
    now: str | None = None


def render_channel(name, url, package_counts, repository_version, state=None):
    """Render the front page of a channel: what it is, how to use it, what is in it.

    Args:
        name: The distribution's name.
        url: What clients are given as the channel.
        package_counts: The number of packages by subdir.
        repository_version: The number of the version that is served.
        state: A `State`, if the channel is a stage of a lifecycle.
    """
    return _TEMPLATES.get_template("channel.html").render(
        name=name,
        url=url,
        package_counts=sorted(package_counts.items()),
        total=sum(package_counts.values()),
        repository_version=repository_version,
        state=state,
    )


def render_subdir(name, subdir, package_count, metadata):
    """Render the page of a subdir: the names of its metadata files, and how many packages they list."""
    return _TEMPLATES.get_template("subdir.html").render(
        name=name,
        subdir=subdir,
        package_count=package_count,
        metadata=sorted(metadata),
    )
