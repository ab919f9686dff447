"""Send what lifecycles tell their webhooks: at least once, and again later if nobody took it.

A delivery that is due is taken by moving its next attempt out of the way, so that no other task sends it meanwhile; if
the worker is killed, it comes up again by that. A schedule of Pulp wakes up for the next attempt that is due.
"""

import asyncio
import logging
import time
from datetime import timedelta

import aiohttp
import orjson
from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from pulpcore.plugin.models import TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_default_domain

from pulp_conda.app.models import WebhookDelivery
from pulp_conda.channel.webhooks import webhook_headers

# After how many seconds to try again, after each failed attempt.
DELAYS = (10, 60, 10 * 60, 60 * 60, 6 * 60 * 60)

# What is older, or comes after so many newer ones of its lifecycle, is forgotten.
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


def deliver(lifecycle_pk):
    """Send what is due of a lifecycle, oldest first. After half a minute, another task goes on with it."""
    end = time.monotonic() + _LONGEST_RUN
    while delivery := _take(lifecycle_pk):
        _note(delivery.pk, _attempt(delivery))
        if time.monotonic() > end:
            dispatch(deliver, args=(lifecycle_pk,))
            return


def deliver_due():
    """Start to send what is due, of all lifecycles in all domains, and forget what is old."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(state="pending", next_attempt_at__lte=now)
    for lifecycle_pk in due.order_by().values_list("lifecycle", flat=True).distinct():
        dispatch(deliver, args=(str(lifecycle_pk),))
    _forget(now)
    _set_alarm()


async def send(url, headers, body, timeout=_TIMEOUT):
    """POST and return (status, None) or (status or None, what went wrong).

    Nothing of the answer's body is read, and nothing that the network says goes into the text: both could tell a user of
    Pulp what is where in a network that only the server sees.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "pulp_conda", **headers}
    try:
        # Without `trust_env`, as it would also send the passwords of the server's own .netrc to whom a user names.
        async with (
            asyncio.timeout(timeout),
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return None, f"no answer within {timeout} seconds"
    except aiohttp.ClientSSLError:
        return None, "no secure connection: see the certificate"
    except aiohttp.ClientConnectorDNSError:
        return None, "the host is not known"
    except (aiohttp.ClientConnectorError, OSError):
        return None, "no connection"
    except (aiohttp.ClientError, ValueError):
        return None, "no HTTP answer"
    if 200 <= status < 300:
        return status, None
    if 300 <= status < 400:
        return status, f"it answered {status}, and redirects are not followed"
    return status, f"it answered {status}"


@transaction.atomic
def _take(lifecycle_pk):
    """Return a delivery that is due, which for a minute nobody else takes, or None."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(
        lifecycle=lifecycle_pk, state="pending", next_attempt_at__lte=now
    )
    delivery = due.select_for_update(skip_locked=True).order_by("pulp_created").first()
    if delivery:
        delivery.next_attempt_at = now + _TAKEN
        delivery.save()
        _set_alarm()
    return delivery


def _attempt(delivery):
    """Send a delivery, and return how it went."""
    now, start = timezone.now(), time.monotonic()
    lifecycle = delivery.lifecycle
    if lifecycle.webhook_url:
        body = orjson.dumps(delivery.payload, option=orjson.OPT_SORT_KEYS)
        headers = webhook_headers(
            str(delivery.pk), int(now.timestamp()), body, lifecycle.webhook_secret
        )
        status, error = asyncio.run(send(lifecycle.webhook_url, headers, body))
    else:
        status, error = None, "the lifecycle has no webhook any more"
    seconds = round(time.monotonic() - start, 3)
    return {"at": now.isoformat(), "status": status, "error": error, "seconds": seconds}


@transaction.atomic
def _note(delivery_pk, attempt):
    """Write down how an attempt went, and when to try again."""
    # The lifecycle may be deleted by now.
    for delivery in WebhookDelivery.objects.select_for_update().filter(pk=delivery_pk):
        delivery.attempts = [*delivery.attempts, attempt][-_MOST_ATTEMPTS_KEPT:]
        tries = len(delivery.attempts)
        if attempt["error"] is None:
            delivery.state, delivery.next_attempt_at = "delivered", None
        elif delivery.state != "pending":
            # This attempt took so long that another one has decided.
            pass
        elif tries > len(DELAYS):
            delivery.state, delivery.next_attempt_at = "failed", None
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


def _set_alarm():
    """Let Pulp start `deliver_due` when the next attempt is due, or in an hour.

    To be called in the transaction that changes when that is. What is due already has a task that was dispatched for it.
    """
    TaskSchedule.objects.update_or_create(
        name=_SCHEDULE,
        pulp_domain=get_default_domain(),
        defaults={
            "task_name": f"{deliver_due.__module__}.{deliver_due.__name__}",
            "dispatch_interval": _INTERVAL,
            # Called when the row is locked: what others committed before counts.
            "next_dispatch": _next_alarm,
        },
    )


def _next_alarm():
    now = timezone.now()
    coming = WebhookDelivery.objects.filter(state="pending", next_attempt_at__gt=now)
    first = coming.aggregate(first=Min("next_attempt_at"))["first"]
    return min(filter(None, (first, now + _INTERVAL)))


def _forget(now):
    WebhookDelivery.objects.filter(pulp_created__lt=now - KEPT).delete()
    counts = WebhookDelivery.objects.order_by().values("lifecycle").annotate(count=Count("pk"))
    for row in counts.filter(count__gt=MOST_KEPT):
        deliveries = WebhookDelivery.objects.filter(lifecycle=row["lifecycle"])
        newest = deliveries.order_by("-pulp_created").values("pk")[:MOST_KEPT]
        deliveries.exclude(pk__in=newest).delete()
