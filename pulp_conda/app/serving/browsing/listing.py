"""The list of the channels that a visitor may read."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from django.db.models import OuterRef, Q, Subquery

from pulpcore.plugin.util import get_domain_pk

from pulp_conda import pages
from pulp_conda.app.models import CondaDistribution, CondaPublication, HistoryEntry
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.serving.browsing.visitor import Made, Visitor
from pulp_conda.app.serving.channel import served_now
from pulp_conda.pages.facts import Listing

_SHOWN = 100


def channels_page(visitor: Visitor, is_known: bool) -> Made:
    """Return the list of channels, a part of which `?q=` and `?after=` choose.

    Args:
        is_known: Whether the visitor gave credentials, so that a login would show no more.
    """
    text, after = visitor.asked("q"), visitor.asked("after")
    readable = (each for each in _channels(text, after) if visitor.may_read(each))
    shown = list(islice(readable, _SHOWN + 1))
    more = None
    if len(shown) > _SHOWN:
        shown.pop()
        more = pages.query_string(q=text, after=shown[-1].base_path)
    html = pages.render_listing(
        [_listing(channel, visitor) for channel in shown],
        site=visitor.site,
        text=text,
        more=more,
        may_log_in=not is_known,
    )
    return Made.html(html, is_personal=True)


def _channels(text: str, after: str) -> Iterator[CondaDistribution]:
    wanted = Q(pulp_domain=get_domain_pk(), base_path__gt=after)
    if text:
        wanted &= Q(base_path__icontains=text)
    current = HistoryEntry.objects.filter(
        stage__distribution=OuterRef("pk"), moved_at__isnull=False, until=None
    )
    channels = CondaDistribution.objects.filter(wanted).annotate(
        moved_at=Subquery(current.values("moved_at")[:1]),
        moved_to=Subquery(current.values("publication")[:1]),
    )
    return iter(channels.select_related("stage", "content_guard").order_by("base_path").iterator())


def _listing(channel: Any, visitor: Visitor) -> Listing:
    files = changed = None
    if stage_of(channel):
        changed = channel.moved_at
        publications = CondaPublication.objects.filter(pk=channel.moved_to)
        counts = publications.values_list("package_counts", flat=True).first()
        files = None if counts is None else sum(counts.values())
    elif state := served_now(channel):
        changed, _ = state.find_date()
        files = sum(state.publication.package_counts.values())
    return Listing(
        name=channel.base_path,
        href=f"{visitor.site}{quote(channel.base_path)}/",
        is_private=channel.private,
        files=files,
        changed=changed,
    )
