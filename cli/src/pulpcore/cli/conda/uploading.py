"""Upload many files with a progress bar. Several commands use this."""

import typing as t
from collections.abc import Sequence
from pathlib import Path

import click
from pulp_cli.generic import PulpCLIContext, chunk_size_callback
from pulp_glue.common.exceptions import PulpException
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaRepositoryContext
from pulp_glue.conda.upload import Progress, Report, Upload, find_packages

from pulpcore.cli.conda.options import all_of, dry_run_option
from pulpcore.cli.conda.output import show
from pulpcore.cli.conda.progress import Interrupted, bars
from pulpcore.cli.conda.spelling import Spelling
from pulpcore.cli.conda.table import render

translation = get_translation(__package__)
_ = translation.gettext

upload_options = all_of(
    (
        click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path)),
        click.option(
            "--overwrite",
            is_flag=True,
            help=_("Let a package replace another file with the same name."),
        ),
        click.option(
            "--subdir",
            help=_("Subdir of old packages that do not name it, for example 'linux-64'."),
        ),
        click.option(
            "--chunk-size",
            callback=chunk_size_callback,
            help=_(
                "Send larger files in pieces of this size, for example '5MB'. The default is 20MB."
            ),
        ),
        dry_run_option,
    )
)


def upload(
    pulp_ctx: PulpCLIContext,
    repository_ctx: PulpCondaRepositoryContext,
    paths: Sequence[Path],
    dry_run: bool,
    **options: t.Any,
) -> None:
    """Upload files and the packages in folders, and report the result for each file.

    Exits with 1 if the server refused a file.
    """
    try:
        files = find_packages(paths)
    except PulpException as error:
        raise click.BadParameter(str(error), param_hint="'PATHS'") from None
    if dry_run:
        pulp_ctx.fake_mode = True
    drawn = bars()
    upload = Upload(repository_ctx, show=lambda progress: drawn.draw(_reports(progress)), **options)
    report = upload.report
    try:
        with drawn:
            upload.run(files)
    except KeyboardInterrupt:
        reason = _("Run the command again to continue. Files that have arrived are not sent again.")
        raise Interrupted(f"\n{reason}") from None
    finally:
        if report.refused:
            spelling = Spelling(click.get_current_context())
            rows = [
                {"refused": file, "why": spelling.sentence(why)}
                for file, why in report.refused.items()
            ]
            click.echo(render(rows), err=True)
    result = {
        "version": report.version,
        "added": sorted(report.added),
        "present": sorted(report.present),
        "refused": report.refused,
    }
    show(pulp_ctx, result, [_sentence(report, dry_run)])
    if report.refused:
        raise click.exceptions.Exit(1)


def _reports(progress: Progress) -> list[dict[str, t.Any]]:
    """Return the progress in the form of the progress reports of Pulp's tasks."""
    message = _("Uploading packages") if progress.file or progress.done else _("Reading packages")
    reports: list[dict[str, t.Any]] = [
        {"message": message, "done": progress.done, "total": progress.count}
    ]
    if progress.file:
        name = Path(progress.file).name
        reports.append(
            {"message": name, "done": progress.sent, "total": progress.size, "suffix": _("bytes")}
        )
    return reports


def _sentence(report: Report, dry_run: bool) -> str:
    parts = [_("{count:,} added"), _("{count:,} already present"), _("{count:,} refused")]
    counts = [len(report.added), len(report.present), len(report.refused)]
    text = ", ".join(
        part.format(count=count) for part, count in zip(parts, counts, strict=True) if count
    )
    if dry_run:
        return _("Nothing was changed. Without --dry-run, of the files: {text}.").format(text=text)
    if report.version is None:
        return _("No new version. Files: {text}.").format(text=text)
    return _("Version {version}. Files: {text}.").format(version=report.version, text=text)
