"""Make `.conda` files of packages that are there as `.tar.bz2`."""

from typing import Any

from pulpcore.plugin.util import get_url

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.results import checked
from pulp_conda.app.uploading.converting import choose, convert_asked, convert_chosen
from pulp_conda.channel.errors import ChannelError


def convert_uploads(repository_pk: str) -> dict[str, Any]:
    """Convert what was uploaded to a repository. Another task adds the new files to it.

    Returns:
        "converted": how many packages were converted; "size": the bytes of the new files; "failed":
        {"path", "code", "text"} for each package that was not.

    Raises:
        CondaError: `DiskFull`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    return checked(convert_asked(repository).as_report())


def convert_packages(
    repository_pk: str, specs: list[str] | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Convert packages that the latest version of a repository has, and return the report.

    Args:
        specs: MatchSpecs of the packages. None or an empty list means all.
        dry_run: Say what there is to convert, and change nothing.

    Returns:
        "count", "size": how many packages there are to convert, and the bytes of their files;
        "converted_before": how many were; "kept": the `.conda` files that stay although they were
        not made of the `.tar.bz2` beside them; "not_here": the packages whose bytes are not on this
        server; "made": the result of `convert_uploads`, or None; "task": the task that adds the new
        files to the repository, or None.

    Raises:
        CondaError: `DiskFull` or `BadMatchSpec`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    try:
        choice = choose(repository, specs or [])
    except ChannelError as error:
        raise CondaError(error) from None
    made, task = (None, None) if dry_run else convert_chosen(repository, choice.keys)
    return checked(
        {
            "dry_run": dry_run,
            **choice.as_report(),
            "made": made and made.as_report(),
            "task": task and get_url(task),
        }
    )
