"""`pulp conda content`: the packages, patches and environments of repositories."""

import json
from typing import Any

import click
from pulp_cli.generic import (
    PulpCLIContext,
    chunk_size_callback,
    content_filter_options,
    create_command,
    href_callback,
    label_command,
    list_command,
    load_json_callback,
    load_string_callback,
    lookup_callback,
    pass_pulp_context,
    pulp_command,
    pulp_group,
    pulp_labels_option,
    pulp_option,
    show_command,
    type_option,
)
from pulp_glue.common.context import DATETIME_FORMATS, PulpContentContext, PulpEntityContext
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.channel import find_state
from pulp_glue.conda.context import (
    PulpCondaEnvironmentContext,
    PulpCondaPackageContext,
    PulpCondaPatchContext,
    PulpCondaRepositoryContext,
)
from pulp_glue.conda.vocabulary import EnvironmentFormat, values_of
from pulp_glue.core.context import PulpArtifactContext

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import (
    comma_callback,
    repository_option,
    required_repository_option,
)
from pulpcore.cli.conda.search import channel_help
from pulpcore.cli.conda.uploading import upload as upload_files
from pulpcore.cli.conda.uploading import upload_options

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@type_option(
    choices={
        "package": PulpCondaPackageContext,
        "patch": PulpCondaPatchContext,
        "environment": PulpCondaEnvironmentContext,
    }
)
def content() -> None:
    """Manage packages, repodata patches and environments."""


def _artifact_callback(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> PulpEntityContext | None:
    pulp_ctx = ctx.find_object(PulpCLIContext)
    assert pulp_ctx is not None
    return PulpArtifactContext(pulp_ctx, entity={"sha256": value}) if value else None


def _attestations_callback(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> str | None:
    """Return the bundles of all files as one JSON list in a text, as the upload form expects it."""
    bundles: list[Any] = []
    for value in values:
        document = load_json_callback(ctx, param, value)
        bundles += document if isinstance(document, list) else [document]
    return json.dumps(bundles) if bundles else None


def _packages(*args: str, also: tuple[type[PulpContentContext], ...] = (), **kwargs: Any) -> Any:
    return pulp_option(*args, allowed_with_contexts=(PulpCondaPackageContext, *also), **kwargs)


def _patches(*args: str, **kwargs: Any) -> Any:
    return pulp_option(*args, allowed_with_contexts=(PulpCondaPatchContext,), **kwargs)


def _environments(*args: str, **kwargs: Any) -> Any:
    return pulp_option(*args, allowed_with_contexts=(PulpCondaEnvironmentContext,), **kwargs)


def _lookup(field: str) -> dict[str, Any]:
    return {"callback": lookup_callback(field, PulpContentContext), "expose_value": False}


# The options that select one package, patch or environment. `pulp conda repository content` uses
# them, too.
content_lookup_options: list[Any] = [
    pulp_option(
        "--href",
        callback=href_callback(PulpContentContext),
        expose_value=False,
        help=_("Href or PRN of the {entity}."),
    ),
    _packages("--sha256", help=_("SHA-256 of the file, in hex."), **_lookup("sha256")),
    _packages("--filename", help=_("Name of the file."), **_lookup("filename")),
    _packages("--subdir", help=_("Subdir of the package."), **_lookup("subdir")),
    _environments("--name", help=_("Name of the environment."), **_lookup("name")),
]
_NAMED = (PulpCondaEnvironmentContext,)
_ABOUT_FILES = (PulpCondaPatchContext,)
_DATE = {"type": click.DateTime(formats=DATETIME_FORMATS)}
list_options: list[Any] = [
    *content_filter_options,
    _packages("--name", also=_NAMED, help=_("Only {entities} of this name.")),
    _packages(
        "--name-in",
        "name__in",
        multiple=True,
        help=_("Only of these names. Can be specified multiple times."),
    ),
    _packages("--name-contains", "name__contains", help=_("Only with this text in the name.")),
    _packages("--version", help=_("Only with this version.")),
    _packages(
        "--match",
        help=_("Only what this match spec matches, for example 'numpy >=2', newest first."),
    ),
    *(
        _packages(
            f"--version-{comparison}",
            f"version__{comparison}",
            help=_("With --name: only versions {what} this one, in conda's order.").format(
                what=what
            ),
        )
        for comparison, what in (
            ("lt", _("before")),
            ("lte", _("up to")),
            ("gt", _("after")),
            ("gte", _("from")),
        )
    ),
    _packages(
        "--version-startswith",
        "version__startswith",
        help=_("Only versions that start with this text, for example '1.26'."),
    ),
    _packages("--build", help=_("Only with this build string.")),
    _packages(
        "--build-contains",
        "build__contains",
        help=_("Only with this text in the build string, for example 'py313'."),
    ),
    _packages("--build-number", type=int, help=_("Only with this build number.")),
    _packages("--subdir", also=_ABOUT_FILES, help=_("Only {entities} of this subdir.")),
    _packages("--filename", also=_ABOUT_FILES, help=_("Only {entities} of this file.")),
    _packages(
        "--filename-contains",
        "filename__contains",
        help=_("Only with this text in the file name, for example '-py313'."),
    ),
    _packages("--license", help=_("Only with this license.")),
    _packages(
        "--license-contains",
        "license__icontains",
        help=_("Only with this text in the license, for example 'gpl'."),
    ),
    _packages("--noarch", help=_("Only noarch packages of this kind: 'python' or 'generic'.")),
    _packages("--depends", help=_("Only packages that depend on a package of this name.")),
    _packages("--sha256", help=_("Only with this SHA-256.")),
    _packages("--md5", help=_("Only with this MD5.")),
    _packages("--size-gte", "size__gte", type=int, help=_("Only with this many bytes or more.")),
    _packages("--size-lte", "size__lte", type=int, help=_("Only with this many bytes or fewer.")),
    _patches("--author", help=_("Only by this author.")),
    _patches(
        "--reason-contains", "reason__icontains", help=_("Only with this text in the reason.")
    ),
    _patches(
        "--expires-after", "expires_at__gt", help=_("Only if it expires after this."), **_DATE
    ),
    _patches(
        "--expires-before", "expires_at__lt", help=_("Only if it expires before this."), **_DATE
    ),
    _environments(
        "--format", "environment_format", help=_("Only in this format, for example 'pixi.toml'.")
    ),
]
create_options: list[Any] = [
    _packages("--file", type=click.File("rb"), help=_("The package file to upload.")),
    _packages("--file-url", help=_("The URL from which the server downloads the package.")),
    _packages(
        "--artifact-sha256",
        "artifact",
        callback=_artifact_callback,
        help=_("SHA-256 of a file that the server already has."),
    ),
    _packages(
        "--subdir",
        also=_ABOUT_FILES,
        help=_(
            "The subdir of the records that a patch changes. For a package: its subdir, if the "
            "file does not name it, as in old packages."
        ),
    ),
    _packages(
        "--attestation",
        multiple=True,
        callback=_attestations_callback,
        help=_(
            "A Sigstore bundle as JSON, or @file with one or a list. Can be specified multiple "
            "times."
        ),
    ),
    _packages(
        "--overwrite",
        is_flag=True,
        default=None,
        help=_("Replace another file with the same name in the repository."),
    ),
    _packages(
        "--chunk-size",
        callback=chunk_size_callback,
        help=_("Upload larger files in pieces of this size, for example '10MB'."),
    ),
    _patches("--reason", required=True, help=_("Why the patch is needed.")),
    _patches("--credit", help=_("Others to thank or to ask. The author is the user.")),
    _patches(
        "--expires-at",
        help=_("When the patch ends, for example '2027-01-31T00:00:00Z'."),
    ),
    _patches(
        "--instructions",
        callback=load_json_callback,
        help=_("JSON object as in 'patch_instructions.json', or @file with one."),
    ),
    _patches(
        "--package",
        help=_("Href of a package that contains patches. Use it in place of --instructions."),
    ),
    _environments("--name", required=True, help=_("Name of the environment.")),
    _environments(
        "--source",
        required=True,
        callback=load_string_callback,
        help=_("The text of the file, or @file."),
    ),
    _environments(
        "--format",
        required=True,
        type=click.Choice(values_of(EnvironmentFormat)),
        help=_("Format of the source."),
    ),
    _environments("--section", help=_("Name of the environment in a pixi manifest.")),
    _environments(
        "--platforms",
        callback=comma_callback,
        help=_("Platforms to solve it for, for example 'linux-64,osx-arm64'."),
    ),
    _environments(
        "--virtual-packages",
        callback=load_json_callback,
        help=_("JSON object with the virtual packages of each platform, or @file with one."),
    ),
    repository_option,
    pulp_labels_option,
]


@pulp_command()
@required_repository_option
@upload_options
@pass_pulp_context
@click.pass_obj
def upload(
    content_ctx: PulpContentContext,
    pulp_ctx: PulpCLIContext,
    /,
    repository: PulpCondaRepositoryContext,
    **options: Any,
) -> None:
    """Upload package files, and all packages in folders, as one new version of a repository.

    Files that the server already has are not sent again. If the server refuses a file, the other
    files are still uploaded.
    """
    # The type is checked here. A command that is only allowed for some types is not listed in the
    # help of the group.
    if not isinstance(content_ctx, PulpCondaPackageContext):
        raise click.UsageError(_("Only packages can be uploaded. For other types, use `create`."))
    upload_files(pulp_ctx, repository, **options)


def _of_channel(context: click.Context) -> None:
    """Let --channel mean the version of the repository that it names."""
    if channel := context.params.pop("channel", None):
        if context.params.get("repository_version"):
            raise click.UsageError(_("Give --channel or --repository-version, but not both."))
        pulp_ctx = context.find_object(PulpCLIContext)
        assert pulp_ctx is not None
        context.params["repository_version"] = find_state(pulp_ctx, channel)


_list_content = list_command(
    decorators=[*list_options, click.option("--channel", help=channel_help)]
)
_list_content.option_processors.append(_of_channel)
content.add_command(_list_content)
content.add_command(show_command(decorators=content_lookup_options))
content.add_command(create_command(decorators=create_options))
content.add_command(upload)
content.add_command(label_command(decorators=content_lookup_options, help=_("Manage labels.")))

add_examples(
    content,
    "list --name numpy --version-gte 1.26 --subdir linux-64 --channel forge/stable",
    "--type patch list --subdir noarch",
    "show --subdir noarch --filename tzdata-2025b-h78e105d_0.conda",
    "--type environment show --name analysis",
    "create --file tzdata-2025b-h78e105d_0.conda --repository team",
    "--type patch create --subdir noarch --reason 'scipy 1.10 needs numpy <2'"
    " --instructions @patch.json --repository team",
    "--type environment create --name analysis --format environment.yml"
    " --source @environment.yml --repository team",
    "upload --repository team dist/ tzdata-2025b-h78e105d_0.conda",
    "label set --filename tzdata-2025b-h78e105d_0.conda --key tested --value yes",
    "label show --filename tzdata-2025b-h78e105d_0.conda --key tested",
    "label unset --filename tzdata-2025b-h78e105d_0.conda --key tested",
)
