"""Publish channels again after packages were blocked, or a block was lifted."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model

from pulpcore.plugin.models import TaskGroup
from pulpcore.plugin.tasking import dispatch

from pulp_conda.app.lifecycle.blocks import outdated_publications, publish_again
from pulp_conda.app.models import CondaBlock, CondaLifecycle, CondaRepository, MergedVersion
from pulp_conda.app.versions.blocked import repositories_with


def dispatch_for_block(block: CondaBlock, requester_pk: int) -> TaskGroup:
    """Dispatch a task that dispatches one for each repository with blocked files, and return the
    group of all.

    Call it in the transaction that makes the block.

    Args:
        requester_pk: The user who asked for it.
    """
    group = TaskGroup.objects.create(description="Publish channels without blocked packages")
    dispatch(
        publish_affected,
        task_group=group,
        kwargs={"block_pk": str(block.pk), "requester_pk": requester_pk},
    )
    return group


def dispatch_for_files(digests: Collection[str], requester_pk: int, reason: str) -> TaskGroup:
    """Dispatch a task for each repository that has or had the files of a block that is lifted, and
    return the group of all.

    Args:
        digests: The sha256 of the files.
        requester_pk: The user who lifts the block.
        reason: The public reason of the block.
    """
    group = TaskGroup.objects.create(description="Publish channels after a block was lifted")
    _dispatch_repositories(group, digests, requester_pk, reason)
    return group


def publish_affected(block_pk: str, requester_pk: int) -> dict[str, Any]:
    """Dispatch a task for each repository that has or had blocked files, in the group of this task.

    Returns:
        How many repositories there are.
    """
    block = CondaBlock.objects.filter(pk=block_pk).first()
    group = TaskGroup.current()
    if block is None:
        # It is lifted by now.
        return {"repositories": 0}
    # Once more, now that others see the block: packages may have come at the same time.
    block.match()
    digests = list(block.files.values_list("sha256", flat=True))
    count = _dispatch_repositories(group, digests, requester_pk, block.public_reason)
    return {"repositories": count}


def publish_repository(repository_pk: str, requester_pk: int, reason: str) -> dict[str, Any]:
    """Publish again what channels serve of a repository, without what is blocked now.

    Returns:
        The name of the repository, and how many publications were replaced.
    """
    # It may be deleted by now.
    repository = CondaRepository.objects.filter(pk=repository_pk).first()
    outdated = outdated_publications(repository) if repository else []
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    for publication in outdated:
        publish_again(publication, requester, reason)
    return {"repository": repository and repository.name, "published": len(outdated)}


def _dispatch_repositories(
    group: TaskGroup | None, digests: Collection[str], requester_pk: int, reason: str
) -> int:
    having = repositories_with(digests)
    virtual = MergedVersion.objects.filter(member__repository__in=having)
    # Virtual channels come last, so that they find what their channels publish again.
    repositories = [
        *CondaRepository.objects.filter(pk__in=having),
        *CondaRepository.objects.filter(versions__in=virtual.values("version")).distinct(),
    ]
    for repository in repositories:
        lifecycles = CondaLifecycle.objects.filter(
            stages__distribution__publication__repository_version__repository=repository
        ).distinct()
        dispatch(
            publish_repository,
            task_group=group,
            # Exclusively: a version that is being published now may list the files.
            exclusive_resources=[repository, *lifecycles],
            kwargs={
                "repository_pk": str(repository.pk),
                "requester_pk": requester_pk,
                "reason": reason,
            },
        )
    if group:
        TaskGroup.objects.filter(pk=group.pk).update(all_tasks_dispatched=True)
    return len(repositories)
