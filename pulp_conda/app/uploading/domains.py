"""Work in the domain of a channel, whatever the domain of the request is."""

from collections.abc import Iterator
from contextlib import contextmanager

from pulpcore.plugin.models import Domain
from pulpcore.plugin.util import get_domain, set_domain


@contextmanager
def in_domain(domain: Domain) -> Iterator[None]:
    """Let everything in a `with` block happen in a domain."""
    before = get_domain()
    set_domain(domain)
    try:
        yield
    finally:
        set_domain(before)
