"""Failed logins, by which those who guess are slowed down."""

import hashlib
import hmac
import math
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Value, When
from django.utils import timezone

# How long failures count, and the longest time that somebody has to wait.
_FORGOTTEN_AFTER = timedelta(hours=1)
_LONGEST_WAIT = timedelta(minutes=5)


class FailedLogin(models.Model):
    """How often somebody at an address gave a wrong password for a user, or a wrong token.

    It is a row, because all processes of the API and of the content app have to count together:
    otherwise each more of them would give more guesses. Only failures write. Rows are removed an
    hour after the last failure.

    Fields:
        address (str): As `client_address` returns it.
        login (str): A keyed digest of the name of the user: people type passwords there by mistake.
            Empty for tokens.
        count (int): How many failures there were, none of them an hour after the one before.
        last (datetime): When the last one was.
    """

    address = models.TextField()
    login = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=1)
    last = models.DateTimeField(db_index=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("address", "login")

    @classmethod
    def note(cls, address: str, username: str | None) -> None:
        """Count a failure.

        Args:
            username: For whom the password was; None for a token.
        """
        now = timezone.now()
        is_over = When(last__lt=now - _FORGOTTEN_AFTER, then=Value(1))
        key = {"address": address, "login": login_of(username)}
        count = Case(is_over, default=F("count") + 1)
        if not cls.objects.filter(**key).update(count=count, last=now):
            cls.objects.filter(last__lt=now - _FORGOTTEN_AFTER).delete()
            cls.objects.bulk_create([cls(**key, last=now)], ignore_conflicts=True)

    @classmethod
    def seconds_to_wait(cls, address: str, username: str | None) -> int:
        """Return for how many seconds nothing is checked that comes from there. 0 for not at all.

        The first failures, as many as the setting `CONDA_FAILED_LOGINS` has, cost nothing. Each
        one after them doubles the time, from a second up to five minutes.
        """
        free = settings.CONDA_FAILED_LOGINS
        if free is None:
            return 0
        now = timezone.now()
        failed = cls.objects.filter(
            address=address,
            login=login_of(username),
            count__gte=free,
            last__gt=now - _LONGEST_WAIT,
        ).first()
        if failed is None:
            return 0
        exponent = min(failed.count - free, 10)
        until = failed.last + min(timedelta(seconds=2**exponent), _LONGEST_WAIT)
        return max(0, math.ceil((until - now).total_seconds()))


def login_of(username: str | None) -> str:
    """Return what a row has in the place of the name of a user; None is for tokens."""
    if username is None:
        return ""
    key = settings.SECRET_KEY.encode()
    # Surrogates are possible in what a client sends.
    return hmac.new(key, username.encode(errors="replace"), hashlib.sha256).hexdigest()
