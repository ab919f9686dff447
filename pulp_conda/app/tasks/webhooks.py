"""Deliver the messages of lifecycles to their webhooks: at least once, with several attempts.

A task that sends a delivery first sets its next attempt to a minute later. So no other task sends
it at the same time, and if the worker is killed, the delivery is due again after the minute. A
schedule of Pulp starts a task when the next attempt is due.
"""

import asyncio
import logging
import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import aiohttp
import orjson
from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from pulpcore.plugin.models import TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_default_domain

from pulp_conda.app.models import WebhookDelivery
from pulp_conda.app.vocabulary import DeliveryState
from pulp_conda.channel.webhooks import webhook_headers

# How many seconds to wait after the first failed attempt, the second, and so on.
DELAYS = (10, 60, 10 * 60, 60 * 60, 6 * 60 * 60)

# Deliveries that are older are deleted, and those beyond the newest ones of their lifecycle.
KEPT = timedelta(days=90)
MOST_KEPT = 1000

_TIMEOUT = 10  # seconds
# Longer than an attempt may take.
_TAKEN = timedelta(minutes=1)
_LONGEST_RUN = 30  # seconds
_MOST_ATTEMPTS_KEPT = 50

_SCHEDULE = "Deliver webhooks of conda lifecycles"
_INTERVAL = timedelta(hours=1)

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """The answer of a webhook.

    Fields:
        status: The HTTP status, or None if there was no answer.
        error: What went wrong, or None.
    """

    status: int | None
    error: str | None


def deliver(lifecycle_pk: str) -> None:
    """Send the deliveries of a lifecycle that are due, the oldest first.

    After half a minute, another task goes on, so that other tasks do not have to wait.
    """
    end = time.monotonic() + _LONGEST_RUN
    while delivery := _take(lifecycle_pk):
        _note(delivery.pk, _attempt(delivery))
        if time.monotonic() > end:
            dispatch(deliver, args=(lifecycle_pk,))
            return


def deliver_due() -> None:
    """Dispatch tasks that send all deliveries that are due in all domains, and delete old ones."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=now)
    for lifecycle_pk in due.order_by().values_list("lifecycle", flat=True).distinct():
        dispatch(deliver, args=(str(lifecycle_pk),))
    _forget(now)
    _set_alarm()


async def send(url: str, headers: dict[str, str], body: bytes, timeout: float = _TIMEOUT) -> Answer:
    """Send a POST request to a webhook, and return its answer.

    The body of the answer is not read, and the error has no text from the network. Both could tell
    a user of Pulp about hosts in a network that only the server can reach.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "pulp_conda", **headers}
    try:
        # Without `trust_env`: it would also send passwords of the server's own .netrc, to a host
        # that a user chose.
        async with (
            asyncio.timeout(timeout),
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return Answer(None, f"no answer within {timeout} seconds")
    except aiohttp.ClientSSLError:
        return Answer(None, "no secure connection: see the certificate")
    except aiohttp.ClientConnectorDNSError:
        return Answer(None, "the host is not known")
    except (aiohttp.ClientConnectorError, OSError):
        return Answer(None, "no connection")
    except (aiohttp.ClientError, ValueError):
        return Answer(None, "no HTTP answer")
    if 200 <= status < 300:
        return Answer(status, None)
    if 300 <= status < 400:
        return Answer(status, f"it answered {status}, and redirects are not followed")
    return Answer(status, f"it answered {status}")


@transaction.atomic
def _take(lifecycle_pk: str) -> WebhookDelivery | None:
    """Return a delivery that is due, or None. No other task gets the same one for a minute."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(
        lifecycle=lifecycle_pk, state=DeliveryState.PENDING, next_attempt_at__lte=now
    )
    delivery = due.select_for_update(skip_locked=True).order_by("pulp_created").first()
    if delivery:
        delivery.next_attempt_at = now + _TAKEN
        delivery.save()
        _set_alarm()
    return delivery


def _attempt(delivery: WebhookDelivery) -> dict[str, Any]:
    """Send a delivery, and return the result as `WebhookDelivery.attempts` has it."""
    now, start = timezone.now(), time.monotonic()
    lifecycle = delivery.lifecycle
    if lifecycle.webhook_url:
        body = orjson.dumps(delivery.payload, option=orjson.OPT_SORT_KEYS)
        headers = webhook_headers(
            str(delivery.pk), int(now.timestamp()), body, lifecycle.webhook_secret
        )
        answer = asyncio.run(send(lifecycle.webhook_url, headers, body))
    else:
        answer = Answer(None, "the lifecycle has no webhook any more")
    seconds = round(time.monotonic() - start, 3)
    return {"at": now.isoformat(), **answer._asdict(), "seconds": seconds}


@transaction.atomic
def _note(delivery_pk: UUID, attempt: dict[str, Any]) -> None:
    """Store the result of an attempt, and when to try again."""
    # The lifecycle may be deleted by now.
    for delivery in WebhookDelivery.objects.select_for_update().filter(pk=delivery_pk):
        delivery.attempts = [*delivery.attempts, attempt][-_MOST_ATTEMPTS_KEPT:]
        tries = len(delivery.attempts)
        if attempt["error"] is None:
            delivery.state, delivery.next_attempt_at = DeliveryState.DELIVERED, None
        elif delivery.state != DeliveryState.PENDING:
            # This attempt took so long that another one has finished the delivery.
            pass
        elif tries > len(DELAYS):
            delivery.state, delivery.next_attempt_at = DeliveryState.FAILED, None
            log.warning(
                "Webhook of lifecycle '%s': delivery %s is given up after %d attempts: %s.",
                delivery.lifecycle.name,
                delivery.pk,
                tries,
                attempt["error"],
            )
        else:
            wait = timedelta(seconds=DELAYS[tries - 1])
            delivery.next_attempt_at = timezone.now() + wait
        delivery.save()
        _set_alarm()


def _set_alarm() -> None:
    """Let Pulp start `deliver_due` when the next attempt is due, or in an hour.

    Call it in the transaction that changes when an attempt is due. Deliveries that are due now
    have a task already.
    """
    TaskSchedule.objects.update_or_create(
        name=_SCHEDULE,
        pulp_domain=get_default_domain(),
        defaults={
            "task_name": f"{deliver_due.__module__}.{deliver_due.__name__}",
            "dispatch_interval": _INTERVAL,
            # Django calls the function after it locked the row, so it sees what others committed.
            "next_dispatch": _next_alarm,
        },
    )


def _next_alarm() -> datetime:
    now = timezone.now()
    coming = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__gt=now)
    first = coming.aggregate(first=Min("next_attempt_at"))["first"]
    return min(filter(None, (first, now + _INTERVAL)))


def _forget(now: datetime) -> None:
    WebhookDelivery.objects.filter(pulp_created__lt=now - KEPT).delete()
    counts = WebhookDelivery.objects.order_by().values("lifecycle").annotate(count=Count("pk"))
    for row in counts.filter(count__gt=MOST_KEPT):
        deliveries = WebhookDelivery.objects.filter(lifecycle=row["lifecycle"])
        newest = deliveries.order_by("-pulp_created").values("pk")[:MOST_KEPT]
        deliveries.exclude(pk__in=newest).delete()
