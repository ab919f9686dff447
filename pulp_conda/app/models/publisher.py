"""Publishers: workflows of CI services that may upload to a channel without a stored secret."""

from typing import ClassVar

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.db import models

from pulpcore.plugin.models import BaseModel, Domain
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.distribution import CondaDistribution
from pulp_conda.app.models.repository import CondaRepository


class CondaPublisher(Audited, BaseModel):
    """A workflow that may upload to a channel.

    Fields:
        name (str): Unique in its domain.
        distribution (CondaDistribution): The channel.
        repository (CondaRepository): Where uploads to the channel came when the publisher was made.
            If they come elsewhere by now, nobody allowed that, and the publisher gets no tokens.
        provider (str): The name of the CI service in the setting `WORKLOAD_IDENTITY`.
        claims (dict): What the service has to say of the workflow: texts by the name of the claim.
    """

    SET_BY_SERVER: ClassVar[frozenset[str]] = frozenset({"repository"})

    name = models.TextField()
    distribution = models.ForeignKey(CondaDistribution, on_delete=models.CASCADE)
    repository = models.ForeignKey(CondaRepository, on_delete=models.CASCADE)
    provider = models.TextField(db_index=True)
    claims = models.JSONField()
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("name", "pulp_domain")


class UsedIdentity(BaseModel):
    """An ID token that was exchanged, and is not a second time. The row stays until it expires.

    Fields:
        issuer (str): Who signed it.
        key (str): A digest by which it is known again.
        expires (datetime): From when on the token is refused anyway.
    """

    issuer = models.TextField()
    key = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("issuer", "key")


def publishing_user(domain: Domain) -> AbstractBaseUser:
    """Return the user as whom all publishers of a domain upload. It cannot log in.

    What it may do in a channel is the role `uploader`, which is given with the first publisher of
    the channel and taken with the last one.
    """
    user, _is_new = get_user_model().objects.get_or_create(
        username=f"publisher+{domain.name}", defaults={"password": make_password(None)}
    )
    return user
