"""How channels are, as metrics of OpenTelemetry.

Names and units follow its conventions: a namespace, words with dots between, and units of UCUM. A
task sends them again and again, as that of pulpcore does. `docs/admin/guides/monitor.md` has a
table of them, and `deploy/alerts.yml` has rules for them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Q
from django.utils import timezone
from opentelemetry.metrics import Meter

from pulpcore.plugin.models import Domain

from pulp_conda.app.models import CondaRepository
from pulp_conda.app.monitoring.conditions import Condition, StageCondition, channels, conditions_of
from pulp_conda.app.vocabulary import EntryOutcome, GateVerdict

# How many channels are looked at together.
_BATCH = 200

# A token that acted in this time counts as used.
_USED_WITHIN = timedelta(days=1)

Attributes = Mapping[str, str]


class ChannelMetric(NamedTuple):
    """A gauge of each channel; `read` returns None if there is nothing to say."""

    name: str
    unit: str
    description: str
    read: Callable[[Condition, datetime], int | None]


class StageMetric(NamedTuple):
    """A gauge of each stage."""

    name: str
    unit: str
    description: str
    read: Callable[[StageCondition, datetime], int]


class DomainMetric(NamedTuple):
    """A gauge of each domain, `read` for all of them at once, by the name of the domain."""

    name: str
    unit: str
    description: str
    read: Callable[[datetime], dict[str, int]]


def _age(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment).total_seconds()))


def _not_passed(stage: StageCondition, now: datetime) -> int:
    last = stage.verdict
    if last is None or last["outcome"] != EntryOutcome.BLOCKED:
        return 0
    return sum(gate["verdict"] != GateVerdict.PASSED for gate in last["gates"])


def _tokens_used(now: datetime) -> dict[str, int]:
    used = Count("conda_condatoken", filter=Q(conda_condatoken__last_used__gte=now - _USED_WITHIN))
    return dict(Domain.objects.annotate(used=used).values_list("name", "used"))


CHANNEL_METRICS = (
    ChannelMetric(
        "conda.channel.packages",
        "{package}",
        "How many packages are published.",
        lambda channel, now: channel.packages,
    ),
    ChannelMetric(
        "conda.channel.withheld",
        "{file}",
        "How many files are not listed, because their packages are blocked.",
        lambda channel, now: channel.withheld,
    ),
    ChannelMetric(
        "conda.channel.referenced.size",
        "By",
        "How many bytes the files of the packages have.",
        lambda channel, now: channel.referenced_size,
    ),
    ChannelMetric(
        "conda.channel.stored.size",
        "By",
        "How many of these bytes are on the server.",
        lambda channel, now: channel.stored_size,
    ),
    ChannelMetric(
        "conda.channel.publication.age",
        "s",
        "How long ago the newest publication was made.",
        lambda channel, now: _age(channel.published_at, now),
    ),
    ChannelMetric(
        "conda.channel.sync.age",
        "s",
        "How long ago the last good sync began.",
        lambda channel, now: _age(channel.checked_at, now),
    ),
    ChannelMetric(
        "conda.channel.sync.failures",
        "{sync}",
        "How many syncs have failed since the last good one.",
        lambda channel, now: channel.failures,
    ),
    ChannelMetric(
        "conda.channel.lag",
        "s",
        "How far what is published may be behind the upstream.",
        lambda channel, now: channel.lag,
    ),
    ChannelMetric(
        "conda.channel.problems",
        "{problem}",
        "How many problems `pulp conda status` shows.",
        lambda channel, now: len(channel.problems),
    ),
)

STAGE_METRICS = (
    StageMetric(
        "conda.stage.behind",
        "s",
        "Since when the stage before has something newer. 0 if it has not.",
        lambda stage, now: _age(stage.behind_since, now) or 0,
    ),
    StageMetric(
        "conda.stage.requests.waiting",
        "{request}",
        "How many requests wait for an approval.",
        lambda stage, now: stage.waiting,
    ),
    StageMetric(
        "conda.stage.promotions",
        "{promotion}",
        "How often something was promoted to the stage.",
        lambda stage, now: stage.promotions,
    ),
    StageMetric(
        "conda.stage.gates.failed",
        "{gate}",
        "How many gates did not pass when they blocked the last promotion.",
        _not_passed,
    ),
)

DOMAIN_METRICS = (
    DomainMetric(
        "conda.tokens.used",
        "{token}",
        "How many tokens were used in the last 24 hours.",
        _tokens_used,
    ),
)

# A counter in the content app: see `BlockedRequests`.
BLOCKED_REQUESTS = "conda.requests.blocked"


def record(meter: Meter) -> None:
    """Set all gauges, for all domains."""
    now = timezone.now()
    gauges = {
        metric.name: meter.create_gauge(metric.name, metric.unit, metric.description)
        for metric in (*CHANNEL_METRICS, *STAGE_METRICS, *DOMAIN_METRICS)
    }
    for channel in _conditions():
        of_channel = _named(channel)
        for metric in CHANNEL_METRICS:
            if (value := metric.read(channel, now)) is not None:
                gauges[metric.name].set(value, of_channel)
        for stage in channel.stages:
            of_stage = {
                **of_channel,
                "conda.lifecycle.name": stage.lifecycle,
                "conda.stage.name": stage.name,
            }
            for of_stages in STAGE_METRICS:
                gauges[of_stages.name].set(of_stages.read(stage, now), of_stage)
    for of_domains in DOMAIN_METRICS:
        for domain, count in of_domains.read(now).items():
            gauges[of_domains.name].set(count, {"pulp.domain.name": domain})


def _conditions() -> Iterator[Condition]:
    found = channels(CondaRepository.objects.all())
    found = found.select_related("pulp_domain", "condition", "conda_condarefresh")
    found = found.prefetch_related("merged_channels").order_by("pk")
    keys = list(found.values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        yield from conditions_of(found.filter(pk__in=keys[start : start + _BATCH]))


def _named(channel: Condition) -> Attributes:
    repository = channel.repository
    return {
        "pulp.domain.name": repository.pulp_domain.name,
        "conda.channel.name": repository.name,
    }


class BlockedRequests:
    """Counts the requests for packages that are answered with 451, because they are blocked."""

    def __init__(self, meter: Meter) -> None:
        self._counter = meter.create_counter(
            BLOCKED_REQUESTS,
            "{request}",
            "How many requests were for packages that are blocked.",
        )

    def add(self, domain: str, base_path: str) -> None:
        """Count a request to the channel at a base path."""
        self._counter.add(1, {"pulp.domain.name": domain, "conda.channel.base_path": base_path})
