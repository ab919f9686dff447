"""HTML for people who open a channel's URL in a browser: facts in, markup out.

The cost of a page does not depend on how many packages the channel has: counts come with the publication, and
the list of packages is the repodata itself.
"""

from jinja2 import Environment, PackageLoader, select_autoescape

_TEMPLATES = Environment(
    loader=PackageLoader("pulp_conda.pages"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_channel(name, url, package_counts, repository_version):
    """Render the front page of a channel: what it is, how to use it, what is in it.

    Args:
        name: The distribution's name.
        url: What clients are given as the channel.
        package_counts: The number of packages by subdir.
        repository_version: The number of the version that is served.
    """
    return _TEMPLATES.get_template("channel.html").render(
        name=name,
        url=url,
        package_counts=sorted(package_counts.items()),
        total=sum(package_counts.values()),
        repository_version=repository_version,
    )


def render_subdir(name, subdir, package_count, metadata):
    """Render the page of a subdir: the names of its metadata files, and how many packages they list."""
    return _TEMPLATES.get_template("subdir.html").render(
        name=name,
        subdir=subdir,
        package_count=package_count,
        metadata=sorted(metadata),
    )
