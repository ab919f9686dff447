"""Wait a moment for uploads that come together.

Clients that were answered together send their next packages together, but not in the same
millisecond. Without a pause, the first of them would make a version, and the others another one.
Who uploads alone waits for nobody.
"""

import time
from datetime import timedelta

from django.db.models import Count, Max
from django.db.models.functions import Coalesce
from django.utils import timezone

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.vocabulary import UploadState

# As many requests are expected as came together within this time.
_RECENT = timedelta(seconds=10)

# Seconds without another upload after which nobody is expected any more, and seconds in all.
_QUIET = 0.5
_LONGEST = 2.0

_PAUSE = 0.05


def gather(repository: CondaRepository) -> None:
    """Wait until as many requests wait as came together lately, but not for long."""
    expected = _recent(repository)
    start = last_came = time.monotonic()
    waiting = _waiting(repository)
    while waiting < expected:
        time.sleep(_PAUSE)
        now, before = time.monotonic(), waiting
        waiting = _waiting(repository)
        if waiting != before:
            last_came = now
        if now > last_came + _QUIET or now > start + _LONGEST:
            return


def _waiting(repository: CondaRepository) -> int:
    uploads = CondaUpload.objects.filter(repository=repository, state=UploadState.WAITING)
    # The files of a batch come from one client.
    return uploads.aggregate(count=Count(Coalesce("batch", "pk"), distinct=True))["count"]


def _recent(repository: CondaRepository) -> int:
    """Return how many requests a task answered at once lately, at most."""
    since = timezone.now() - _RECENT
    decided = CondaUpload.objects.filter(repository=repository, decided_at__gte=since)
    # What one task decided has the same time.
    sets = decided.order_by().values("decided_at")
    sizes = sets.annotate(size=Count(Coalesce("batch", "pk"), distinct=True))
    return sizes.aggregate(largest=Max("size"))["largest"] or 0
