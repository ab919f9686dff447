"""`pulp conda distribution`: the URLs of channels."""

import click
from pulp_cli.generic import (
    common_distribution_create_options,
    content_guard_option,
    create_command,
    destroy_command,
    distribution_filter_options,
    distribution_lookup_option,
    href_option,
    label_command,
    list_command,
    load_json_callback,
    name_option,
    pulp_group,
    pulp_labels_option,
    role_command,
    show_command,
    type_option,
    update_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaDistributionContext

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import comma_callback, private_option, repository_option

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@type_option(choices={"conda": PulpCondaDistributionContext})
def distribution() -> None:
    """Manage distributions."""


lookup_options = [href_option, name_option, distribution_lookup_option]
nested_lookup_options = [distribution_lookup_option]
update_options = [
    repository_option,
    click.option(
        "--version",
        type=int,
        help=_("Number of the repository version to serve. The default is always the latest."),
    ),
    click.option("--publication", help=_("Href of the one publication to serve.")),
    content_guard_option,
    private_option,
    click.option(
        "--hidden/--not-hidden", default=None, help=_("Whether lists of channels leave it out.")
    ),
    click.option(
        "--checkpoint/--no-checkpoint",
        default=None,
        help=_("Whether to serve the checkpoints of the repository, each at a URL with its date."),
    ),
    click.option(
        "--notices",
        callback=load_json_callback,
        help=_(
            "Notices that clients show to their users, as a JSON list or @file with one. Each is "
            "an object with 'message', 'level' and 'expires_at'."
        ),
    ),
    click.option(
        "--cors-origins",
        callback=comma_callback,
        help=_(
            "Web sites whose scripts may read the channel, for example 'https://example.org', or "
            "'*' for all. If empty: none. Default: all, and none if there is a content guard."
        ),
    ),
    click.option(
        "--upload-alias",
        help=_(
            "Name without slashes by which upload tools find the channel, unique on the server. "
            "If empty: none."
        ),
    ),
    pulp_labels_option,
]
create_options = [*common_distribution_create_options, *update_options]

distribution.add_command(list_command(decorators=[*distribution_filter_options, repository_option]))
distribution.add_command(show_command(decorators=lookup_options))
distribution.add_command(create_command(decorators=create_options))
distribution.add_command(
    update_command(decorators=[*lookup_options, *update_options, click.option("--base-path")])
)
distribution.add_command(destroy_command(decorators=lookup_options))
distribution.add_command(label_command(decorators=nested_lookup_options, help=_("Manage labels.")))
distribution.add_command(role_command(decorators=lookup_options))

add_examples(
    distribution,
    "create --name team --base-path team/stable --repository team",
    "list --base-path-contains team",
    "show --name team",
    "update --name team --repository team --version 3",
    "update --name team --private",
    "destroy --name team",
    "label set --distribution team --key owner --value data",
    "label show --distribution team --key owner",
    "label unset --distribution team --key owner",
    "role list --name team",
    "role add --name team --role conda.condadistribution_viewer --user ada",
    "role remove --name team --role conda.condadistribution_viewer --user ada",
    "role my-permissions --name team",
)
