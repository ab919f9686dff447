"""`pulp conda publication`: the metadata files of one version of a channel."""

import click
from pulp_cli.generic import (
    create_command,
    destroy_command,
    href_option,
    list_command,
    publication_filter_options,
    pulp_group,
    role_command,
    show_command,
    type_option,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaPublicationContext

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import repository_option, required_repository_option

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@type_option(choices={"conda": PulpCondaPublicationContext})
def publication() -> None:
    """Manage publications."""


lookup_options = [href_option]
create_options = [
    required_repository_option,
    click.option(
        "--version", type=int, help=_("Number of the version. The default is the latest.")
    ),
    click.option(
        "--checkpoint/--no-checkpoint",
        default=None,
        help=_("Whether to make it a checkpoint, which checkpoint distributions serve."),
    ),
]

publication.add_command(list_command(decorators=[*publication_filter_options, repository_option]))
publication.add_command(show_command(decorators=lookup_options))
publication.add_command(create_command(decorators=create_options))
publication.add_command(destroy_command(decorators=lookup_options))
publication.add_command(role_command(decorators=lookup_options))

_HREF = "--href /pulp/api/v3/publications/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/"

add_examples(
    publication,
    "create --repository team --version 3",
    "list --repository team",
    f"show {_HREF}",
    f"destroy {_HREF}",
    f"role list {_HREF}",
    f"role add {_HREF} --role conda.condapublication_viewer --user ada",
    f"role remove {_HREF} --role conda.condapublication_viewer --user ada",
    f"role my-permissions {_HREF}",
)
