"""Which states of the history of stages stay installable."""

from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from pulp_conda.app.vocabulary import EntryOutcome

_ONE_DAY = timedelta(days=1)


def is_kept(entries: str = "") -> Q:
    """Return the condition for entries of the history whose state has to stay installable.

    Their stage serves it now, or served it within the last `retain_days` of the lifecycle, or a
    request to serve it waits for an answer.

    Args:
        entries: The lookup from the queried model to its entries, for example
            `conda_historyentry__` for publications. Empty for the entries themselves.
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
    return served & is_recent | Q(**{f"{entries}outcome": EntryOutcome.WAITING})
