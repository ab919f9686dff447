"""What of the history of stages is kept installable."""

from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

_ONE_DAY = timedelta(days=1)


def is_kept(entries=""):
    """Return the condition for an entry of the history whose state is kept: served now or lately, or asked for.

    Args:
        entries: The lookup that leads to the entries, as `conda_historyentry__` does from a publication.
    """
    days = ExpressionWrapper(
        F(f"{entries}lifecycle__retain_days") * _ONE_DAY, output_field=DurationField()
    )
    served = Q(**{f"{entries}moved_at__isnull": False})
    is_recent = (
        Q(**{f"{entries}until__isnull": True})
        | Q(**{f"{entries}lifecycle__retain_days__isnull": True})
        | Q(**{f"{entries}until__gte": Now() - days})
    )
    return served & is_recent | Q(**{f"{entries}outcome": "waiting"})
