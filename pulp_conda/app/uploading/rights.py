"""Who may upload to which channel."""

from gettext import gettext as _
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from pulp_conda.app.access import has_permission
from pulp_conda.app.authentication import token_allows
from pulp_conda.app.errors import MayNotUpload, TakesNoUploads
from pulp_conda.app.models import CondaDistribution, CondaRepository
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.uploading.domains import in_domain
from pulp_conda.app.vocabulary import TokenScope


def check_rights(
    user: AbstractBaseUser, auth: Any, distribution: CondaDistribution, *, force: bool
) -> None:
    """Check that a user may upload to a channel. Ask this before any byte is read.

    Args:
        auth: The request, or what its `auth` is: a token, or None.
        force: Whether the upload may replace another file of the same name.

    Raises:
        TakesNoUploads: nobody can upload to this channel.
        MayNotUpload: the user, or the token, may not.
    """
    repository = repository_of(distribution)
    with in_domain(distribution.pulp_domain):
        missing = _missing_permission(user, repository, force)
    if missing:
        reason = _("the permission '{}' is missing").format(missing)
    elif not token_allows(auth, TokenScope.UPLOAD, distribution):
        reason = _("the token is not for uploads to this channel")
    else:
        return
    raise MayNotUpload(
        user=user.get_username() or _("anonymous"),
        channel=distribution.name,
        repository=repository.name,
        reason=reason,
    )


def _missing_permission(
    user: AbstractBaseUser, repository: CondaRepository, force: bool
) -> str | None:
    """Return a permission that a user lacks for an upload, as for one over REST.

    Whoever may change the content may also add packages. The other way round, whoever may only add
    packages replaces none.
    """
    adding = () if force else ("conda.upload_condarepository",)
    enough = ("conda.modify_condarepository", *adding)
    if not any(has_permission(user, each, repository) for each in enough):
        return enough[-1]
    view = "conda.view_condarepository"
    return None if has_permission(user, view, repository) else view


def repository_of(distribution: CondaDistribution) -> CondaRepository:
    """Return the repository to which uploads to a channel are added.

    That of a channel, and that of a lifecycle for the lifecycle's first stage. Packages come into
    later stages by promotions.

    Raises:
        TakesNoUploads: the distribution is a later stage, always serves the same, or is a virtual
            channel.
    """
    if (stage := stage_of(distribution)) is not None:
        if stage.position:
            first = stage.lifecycle.stages.get(position=0)
            raise TakesNoUploads(
                channel=distribution.name,
                reason=_("it is the stage '{}' of lifecycle '{}'").format(
                    stage.name, stage.lifecycle.name
                ),
                advice=_("Upload to the first stage, '{}', and promote the package.").format(
                    first.distribution.name
                ),
            )
        return _writable(distribution, stage.lifecycle.repository)
    if distribution.repository_id is None:
        raise TakesNoUploads(
            channel=distribution.name,
            reason=_("it serves no repository, but one state that does not change"),
            advice=_("Upload to a channel whose distribution has a repository."),
        )
    return _writable(distribution, distribution.repository.cast())


def _writable(distribution: CondaDistribution, repository: CondaRepository) -> CondaRepository:
    if repository.is_virtual:
        raise TakesNoUploads(
            channel=distribution.name,
            reason=_("it merges other channels"),
            advice=_("Upload to one of these."),
        )
    return repository
