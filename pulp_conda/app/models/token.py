"""Tokens: secrets by which programs act as a user, for some purposes and some channels.

Robots: users for programs.
"""

import hashlib
import re
import secrets
import string
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_lifecycle import AFTER_DELETE, BEFORE_CREATE, hook

from pulpcore.plugin.models import AutoAddObjPermsMixin, BaseModel, Domain
from pulpcore.plugin.util import assign_role, get_current_authenticated_user, get_domain_pk

from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.distribution import CondaDistribution, stage_of
from pulp_conda.app.models.lifecycle import CondaLifecycle
from pulp_conda.app.vocabulary import TokenScope, choices_of

# Only letters, digits and `-`: conda finds no other tokens in URLs. The start tells tokens from
# passwords, and lets programs find tokens that were published by mistake.
PREFIX = "cnd-"
_LETTERS = string.ascii_letters + string.digits
_LENGTH = 40
_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{_LENGTH}}}")

# A request writes when a token was last used only if what is written is older.
_USE_INTERVAL = timedelta(minutes=1)


class CondaToken(Audited, BaseModel, AutoAddObjPermsMixin):
    """A secret by which programs act as a user.

    It never allows more than its owner may do at that moment. Of the secret, only a digest is
    stored: 238 random bits need no salt and no slow hash.

    Fields:
        name (str): Unique among the tokens of its owner in a domain.
        owner (User): As whom it acts. The token goes with its owner.
        sha256 (str): The digest of the secret, in hex.
        scopes (list): What it is for, `TokenScope`s.
        is_limited (bool): It is for some channels only. Without it, it is for all of the domain.
        channels (list): The keys of the distributions for which it is then. No foreign keys: a
            token whose only channel is deleted is for no channel, and not for all.
        lifecycles (list): The keys of the lifecycles for all of whose stages it is then.
        expires (datetime): From when on it is refused; None for never.
        revoked (datetime): Since when it is refused, or None.
        last_used (datetime): When it was last accepted, to a minute.
    """

    SET_BY_SERVER: ClassVar[frozenset[str]] = frozenset({"last_used"})

    name = models.TextField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.TextField(choices=choices_of(TokenScope)))
    is_limited = models.BooleanField(default=False)
    channels = ArrayField(models.UUIDField(), default=list)
    lifecycles = ArrayField(models.UUIDField(), default=list)
    expires = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    # It has no content: nothing is lost if it goes with the domain.
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "owner", "name")
        permissions = [
            ("revoke_condatoken", "Can revoke tokens"),
            ("manage_roles_condatoken", "Can manage roles on conda tokens"),
        ]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.REGISTERED_CREATION_HOOKS["add_roles_for_token_owner"] = self.add_roles_for_token_owner

    def add_roles_for_token_owner(self, roles: list[str]) -> None:
        """Give roles to the user as whom the token acts, if somebody else made it."""
        if self.owner != get_current_authenticated_user():
            for role in roles:
                assign_role(role, self.owner, self)

    @property
    def act_name(self) -> str:
        return f"{self.owner.get_username()}: {self.name}"

    def set_secret(self) -> str:
        """Give the token a new secret, which is not saved yet, and return the secret."""
        secret = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        self.sha256 = digest_of(secret)
        return secret

    @property
    def is_valid(self) -> bool:
        """Whether it is accepted now."""
        is_expired = self.expires is not None and self.expires <= timezone.now()
        return self.revoked is None and not is_expired and self.owner.is_active

    def allows(self, scope: TokenScope, distribution: CondaDistribution) -> bool:
        """Say whether it is for a purpose and a channel. Its owner's rights are another question.

        Args:
            distribution: The channel that is read, that gets the packages, or that is the stage to
                which is promoted.
        """
        if scope not in self.scopes or distribution.pulp_domain_id != self.pulp_domain_id:
            return False
        if not self.is_limited or distribution.pk in self.channels:
            return True
        stage = stage_of(distribution) if self.lifecycles else None
        return stage is not None and stage.lifecycle_id in self.lifecycles

    def lifecycles_in(self, lifecycles: models.QuerySet) -> models.QuerySet:
        """Return those lifecycles with a stage to which one may promote by this token."""
        found = lifecycles.filter(pulp_domain=self.pulp_domain_id)
        if self.is_limited:
            of_channels = lifecycles.model.objects.filter(stages__distribution__in=self.channels)
            found = found.filter(Q(pk__in=self.lifecycles) | Q(pk__in=of_channels.values("pk")))
        return found

    def repositories_in(self, repositories: models.QuerySet) -> models.QuerySet:
        """Return those repositories to which one may upload by this token.

        They are those of its channels, and those of lifecycles whose first stage is one of them.
        """
        found = repositories.filter(pulp_domain=self.pulp_domain_id)
        if self.is_limited:
            channels = CondaDistribution.objects.filter(pk__in=self.channels)
            lifecycles = CondaLifecycle.objects.filter(
                Q(pk__in=self.lifecycles) | Q(stages__position=0, stages__distribution__in=channels)
            )
            found = found.filter(
                Q(pk__in=channels.filter(stage=None).values("repository"))
                | Q(pk__in=lifecycles.values("repository"))
            )
        return found

    @classmethod
    def purge(cls, domain: Domain) -> None:
        """Delete the tokens of a domain that have not been valid for a long time."""
        days = settings.CONDA_TOKEN_RETENTION_DAYS
        if days is not None:
            past = timezone.now() - timedelta(days=days)
            is_over = Q(expires__lt=past) | Q(revoked__lt=past)
            cls.objects.filter(is_over, pulp_domain=domain).delete()

    def note_use(self) -> None:
        """Write that it is used now, if that is not written yet."""
        now = timezone.now()
        if self.last_used is None or self.last_used < now - _USE_INTERVAL:
            # The condition again: of requests at the same time, one writes.
            not_yet = Q(last_used=None) | Q(last_used__lt=now - _USE_INTERVAL)
            CondaToken.objects.filter(not_yet, pk=self.pk).update(last_used=now)


class CondaRobot(Audited, BaseModel, AutoAddObjPermsMixin):
    """A user for a program: it has no password, so it only acts by tokens.

    It stays when the user goes who made it. Its user and its tokens go with it.

    Fields:
        name (str): Unique in its domain.
        user (User): Named `robot+<domain>+<name>`. Roles are given to this user.
    """

    name = models.TextField()
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("name", "pulp_domain")
        permissions = [
            ("issue_condarobot", "Can make tokens of robots"),
            ("manage_roles_condarobot", "Can manage roles on conda robots"),
        ]

    @property
    def username(self) -> str:
        """The name of the user that belongs to this name in this domain."""
        return f"robot+{self.pulp_domain.name}+{self.name}"

    @hook(BEFORE_CREATE)
    def make_user(self) -> None:
        """Make the user. One that exists already is not taken.

        Raises:
            IntegrityError: there is a user of this name.
        """
        user = get_user_model()(username=self.username)
        user.set_unusable_password()
        user.save()
        self.user = user

    @hook(AFTER_DELETE)
    def delete_user(self) -> None:
        get_user_model().objects.filter(pk=self.user_id).delete()


def is_secret(text: str) -> bool:
    """Say whether a text has the form of a token."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str | None:
    """Return the digest by which a token is stored, or None for a text that is no token."""
    if not is_secret(secret):
        return None
    return hashlib.sha256(secret.encode()).hexdigest()
