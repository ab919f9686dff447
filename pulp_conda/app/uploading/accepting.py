"""Take a file that arrived, and see to it that a task adds it to its channel."""

from uuid import UUID

from django.db import transaction

from pulpcore.plugin.models import Artifact

from pulp_conda.app.artifacts import save_artifact
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.errors import WrongDigest
from pulp_conda.app.models import CondaUpload
from pulp_conda.app.uploading.arrival import Arrival
from pulp_conda.app.uploading.dispatching import ensure_task
from pulp_conda.app.uploading.domains import in_domain
from pulp_conda.app.uploading.rights import repository_of
from pulp_conda.channel import layout
from pulp_conda.channel.storable import text_problem


def accept(arrival: Arrival) -> UUID:
    """Store a file that arrived, and return the key by which its outcome is found.

    It takes as long as reading the whole file once, so an event loop calls it in a thread.

    Raises:
        LayoutError: as of `check_place`.
        WrongDigest: the bytes are not those that the client meant.
        TakesNoUploads: the channel changed since `check_rights`.
        CondaError: `DiskFull`.
    """
    check_place(arrival.filename, arrival.subdir)
    _check_digests(arrival)
    repository = repository_of(arrival.distribution)
    with in_domain(arrival.distribution.pulp_domain):
        with disk_errors():
            artifact = save_artifact(Artifact.init_and_validate(str(arrival.path)))
        with transaction.atomic():
            # So that no cleanup of orphans takes it before the row below protects it.
            Artifact.objects.select_for_update(no_key=True).get(pk=artifact.pk).touch()
            upload = CondaUpload.objects.create(
                repository=repository,
                distribution=arrival.distribution,
                user=arrival.user if arrival.user.pk else None,
                token_name=arrival.token.name if arrival.token else "",
                filename=arrival.filename,
                subdir=arrival.subdir or "",
                artifact=artifact,
                size=artifact.size,
                sha256=artifact.sha256,
                md5=arrival.md5 or "",
                attestation=list(arrival.attestation),
                force=arrival.force,
            )
        ensure_task(repository)
    return upload.pk


def check_place(filename: str, subdir: str | None = None) -> None:
    """Refuse what is surely no package by its name, before anybody sends or reads it.

    A file that looks like a package is read, also if something is wrong with its name or its
    subdir: then the answer has everything that is wrong with it.

    Raises:
        BadPackageName: the name has another extension, or cannot be stored.
        BadSubdir: the subdir cannot be stored.
    """
    if not filename.endswith(layout.EXTENSIONS) or text_problem(filename):
        layout.parse_filename(filename)
    if subdir is not None and text_problem(subdir):
        layout.check_subdir(subdir)


def _check_digests(arrival: Arrival) -> None:
    found = {"sha256": arrival.sha256, "md5": arrival.md5}
    for algorithm, expected in arrival.expected.items():
        if expected.lower() != found[algorithm]:
            raise WrongDigest(
                filename=arrival.filename,
                algorithm=algorithm,
                found=found[algorithm],
                expected=expected,
            )
