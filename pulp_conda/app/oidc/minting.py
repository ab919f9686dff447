"""A workflow that a publisher expects gets a token to upload."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from gettext import gettext as _
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from pulpcore.plugin.models import Domain

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.errors import BadIdentityToken, NoPublisher, TakesNoUploads
from pulp_conda.app.models import CondaPublisher, CondaToken, UsedIdentity
from pulp_conda.app.models.act import acting_as, note_act
from pulp_conda.app.models.publisher import publishing_user
from pulp_conda.app.oidc.claims import differences, is_of_origin, spell
from pulp_conda.app.oidc.identity import Identity
from pulp_conda.app.uploading import repository_of
from pulp_conda.app.uploading.domains import in_domain
from pulp_conda.app.vocabulary import ActVerb, TokenScope

# What acts tell of a workflow, if its provider says it.
_TOLD = (
    *("repository", "workflow_file", "project_path", "ci_config_file", "environment"),
    *("ref", "sha", "run_id", "run_attempt", "pipeline_id", "job_id", "actor", "user_login", "sub"),
)
_LONGEST = 300


def mint(identity: Identity, domain: Domain | None = None) -> str:
    """Return the secret of a token to upload to the channels whose publishers expect a workflow.

    Args:
        domain: Only publishers of this domain. None for all.

    Raises:
        NoPublisher: there is none.
        BadIdentityToken: the ID token was used before.
    """
    publishers = _publishers_for(identity, domain)
    with transaction.atomic(), in_domain(publishers[0].pulp_domain):
        _use_once(identity)
        return _issue(publishers, identity)


def _publishers_for(identity: Identity, domain: Domain | None) -> list[CondaPublisher]:
    found = CondaPublisher.objects.filter(provider=identity.provider).select_related(
        "distribution__pulp_domain", "repository", "pulp_domain"
    )
    if domain is not None:
        found = found.filter(pulp_domain=domain)
    candidates = [each for each in found.order_by("name") if _is_in_force(each)]
    expecting = [each for each in candidates if not differences(each.claims, identity.claims)]
    if not expecting:
        raise NoPublisher(reason=_reason(candidates, identity.claims))
    if len({each.pulp_domain_id for each in expecting}) > 1:
        reason = _("publishers in more than one domain expect it: name the domain in the URL")
        raise NoPublisher(reason=reason)
    return expecting


def _is_in_force(publisher: CondaPublisher) -> bool:
    """Say whether uploads to the channel still come where somebody allowed them."""
    try:
        return repository_of(publisher.distribution).pk == publisher.repository_id
    except TakesNoUploads:
        return False


def _reason(candidates: Collection[CondaPublisher], claims: Mapping[str, Any]) -> str:
    """Return which claims are not as expected, without what is expected, and by whom.

    Everybody can get a token of a public provider. So who is from elsewhere learns nothing but
    that.
    """
    related = [each for each in candidates if is_of_origin(each.claims, claims)]
    wrong = [differences(each.claims, claims) for each in related or candidates]
    if not wrong:
        return _("there is no publisher for this provider")
    names = min(wrong, key=len) if related else sorted({name for each in wrong for name in each})
    told = ", ".join(f"'{name}' is {_shown(claims.get(name))}" for name in names)
    return _("none expects that the claim {}").format(told)


def _use_once(identity: Identity) -> None:
    UsedIdentity.objects.filter(expires__lt=timezone.now()).delete()
    _row, is_new = UsedIdentity.objects.get_or_create(
        issuer=identity.issuer, key=identity.key, defaults={"expires": identity.expires}
    )
    if not is_new:
        raise BadIdentityToken(reason=_("it was used before, and can be used once"))


def _issue(publishers: list[CondaPublisher], identity: Identity) -> str:
    """Make the token, and note for each publisher which workflow got it."""
    domain = publishers[0].pulp_domain
    owner = publishing_user(domain)
    now = timezone.now()
    # They are of no use any more, and there is one for each run of a workflow.
    CondaToken.objects.filter(owner=owner, pulp_domain=domain, expires__lt=now).delete()
    told = {name: _told(identity.claims[name]) for name in _TOLD if name in identity.claims}
    names = ", ".join(each.name for each in publishers)
    with acting_as(owner):
        token, secret = issue_token(
            owner=owner,
            name=f"{names}: {_source(told)}"[:_LONGEST] + f" #{uuid4().hex[:8]}",
            scopes=[TokenScope.UPLOAD],
            channels=[each.distribution_id for each in publishers],
            expires=now + timedelta(seconds=settings.CONDA_PUBLISHER_TOKEN_SECONDS),
            domain=domain,
        )
        for publisher in publishers:
            details = {"channel": publisher.distribution.name, "token": token.name, "claims": told}
            note_act(ActVerb.MINTED, publisher, publisher.name, domain.pk, **details)
    return secret


def _source(told: Mapping[str, str]) -> str:
    """Return where a workflow is from, for people."""
    where = told.get("repository") or told.get("project_path") or told.get("sub", "")
    run = told.get("run_id") or told.get("pipeline_id")
    return f"{where} run {run}" if run else where


def _told(value: Any) -> str:
    return (spell(value) or "")[:_LONGEST]


def _shown(value: Any) -> str:
    return _("missing") if value is None else f"'{_told(value)}'"
