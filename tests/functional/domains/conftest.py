"""What races, or needs domains: it has a Pulp for itself, in which domains are enabled."""

from tests.support.domains import (  # noqa: F401
    api,
    check,
    held,
    kill_worker_of,
    make_domain,
    packages,
    paused_publish,
    pulp,
    stack,
    team,
)
