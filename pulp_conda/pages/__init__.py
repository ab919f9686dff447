"""HTML for people who open the URL of a channel in a browser: facts in, markup out.

The cost of a page does not depend on the number of packages. The publication has the counts, and
the list of packages is the repodata itself.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, select_autoescape

_TEMPLATES = Environment(
    loader=PackageLoader("pulp_conda.pages"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)

_STYLE = _TEMPLATES.get_template("style.css").render()

# What a page may load and do: a header for browsers (CSP, level 3). The one style is in the page.
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class State:
    """Which state of a stage a page shows.

    Attributes:
        label: The name of the state as URLs have it: `v42`, or `v42.1` for single packages on top.
        since: When the stage began to serve it, in UTC.
        until: When the stage stopped serving it, in UTC. None if it still serves it.
        now: The URL of what the stage serves now. None if this page shows that.
    """

    stage: str
    lifecycle: str
    label: str
    since: datetime
    until: datetime | None
    now: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A stage that served nothing yet.

    Attributes:
        is_first: Whether it serves what is published, and not what is promoted to it.
    """

    stage: str
    lifecycle: str
    is_first: bool


def render_empty_channel(
    name: str, url: str, waiting: Waiting | None, private: bool = False
) -> str:
    """Return the front page of a channel that served nothing yet.

    Args:
        name: The name of the distribution.
        url: The URL that clients use as the channel.
        waiting: The stage, if the channel is one of a lifecycle.
        private: Whether clients have to log in.
    """
    return _TEMPLATES.get_template("empty_channel.html").render(
        name=name,
        url=url,
        host=_host_of(url),
        waiting=waiting,
        private=private,
        package_counts=[("noarch", 0)],
    )


def render_channel(
    name: str,
    url: str,
    package_counts: Mapping[str, int],
    repository_version: int,
    state: State | None = None,
    private: bool = False,
) -> str:
    """Return the front page of a channel: what it is, how to use it, what is in it.

    Args:
        name: The name of the distribution.
        url: The URL that clients use as the channel.
        package_counts: The number of packages by subdir.
        repository_version: The number of the version that is served.
        state: The state that is shown, if the channel is a stage of a lifecycle.
        private: Whether clients have to log in.
    """
    return _TEMPLATES.get_template("channel.html").render(
        name=name,
        url=url,
        host=_host_of(url),
        private=private,
        package_counts=sorted(package_counts.items()),
        total=sum(package_counts.values()),
        repository_version=repository_version,
        state=state,
    )


def _host_of(url: str) -> str:
    """Return the host of a channel, without its port: clients keep credentials by it."""
    return urlsplit(url).hostname or "HOST"


def render_subdir(name: str, subdir: str, package_count: int, metadata: Iterable[str]) -> str:
    """Return the page of a subdir: its metadata files, and how many packages they list.

    Args:
        metadata: The names of the files.
    """
    return _TEMPLATES.get_template("subdir.html").render(
        name=name,
        subdir=subdir,
        package_count=package_count,
        metadata=sorted(metadata),
    )
