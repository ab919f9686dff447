"""What a publisher may do: what its users gave it, and no longer than it is there."""

from pulp_conda.app import team
from pulp_conda.app.models import CondaPublisher, CondaRepository, CondaToken
from pulp_conda.app.models.publisher import publishing_user
from pulp_conda.app.vocabulary import ChannelRole


def allow(publisher: CondaPublisher) -> None:
    """Let a new publisher upload to its channel."""
    user = publishing_user(publisher.pulp_domain)
    team.grant(publisher.repository, ChannelRole.UPLOADER, [user], [])


def forbid(publisher: CondaPublisher) -> None:
    """Take from a publisher that was deleted what it may do, unless another one needs it."""
    withdraw_tokens(publisher)
    others = CondaPublisher.objects.filter(repository_id=publisher.repository_id)
    repository = CondaRepository.objects.filter(pk=publisher.repository_id).first()
    if repository is not None and not others.exists():
        user = publishing_user(publisher.pulp_domain)
        team.revoke(repository, ChannelRole.UPLOADER, [user], [])


def withdraw_tokens(publisher: CondaPublisher) -> None:
    """Delete the tokens that publishers of the channel got, which are valid for some minutes."""
    user = publishing_user(publisher.pulp_domain)
    of_channel = {"channels__contains": [publisher.distribution_id]}
    CondaToken.objects.filter(owner=user, **of_channel).delete()
