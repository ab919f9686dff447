"""`pulp conda publisher`: workflows of CI services that upload without a stored secret."""

import typing as t
from collections.abc import Sequence

import click
from pulp_cli.generic import (
    PulpCLIContext,
    create_command,
    destroy_command,
    href_option,
    list_command,
    name_filter_options,
    name_option,
    pass_pulp_context,
    pulp_group,
    resource_option,
    show_command,
    update_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaDistributionContext, PulpCondaPublisherContext

from pulpcore.cli.conda.examples import add_examples

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@pass_pulp_context
@click.pass_context
def publisher(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Let workflows of CI services upload to a channel without a stored secret."""
    ctx.obj = PulpCondaPublisherContext(pulp_ctx)


def _claims_callback(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> dict[str, str] | None:
    """Return the values of a repeated NAME=VALUE."""
    claims = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals):
            reason = _("'{text}' is no claim. Write NAME=VALUE, for example repository_id=583231.")
            raise click.BadParameter(reason.format(text=text), param=param)
        claims[name] = value
    return claims or None


def _distribution_option(help: str, **options: t.Any) -> t.Any:
    return resource_option(
        "--distribution",
        default_plugin="conda",
        default_type="conda",
        context_table={"conda:conda": PulpCondaDistributionContext},
        href_pattern=PulpCondaDistributionContext.HREF_PATTERN,
        help=help,
        **options,
    )


def _provider_option(**options: t.Any) -> t.Any:
    return click.option(
        "--provider",
        help=_("The name of the CI service in the server's setting WORKLOAD_IDENTITY."),
        **options,
    )


def _claim_option(**options: t.Any) -> t.Any:
    return click.option(
        "--claim",
        "claims",
        multiple=True,
        callback=_claims_callback,
        help=_(
            "What the service has to say of the workflow, as NAME=VALUE. Can be given several "
            "times. All claims together replace the ones before."
        ),
        **options,
    )


_lookup_options = [href_option, name_option]

publisher.add_command(
    create_command(
        decorators=[
            click.option("--name", required=True, help=_("A name, unique in the domain.")),
            _distribution_option(
                _("The channel to which the workflow uploads, by name or href."), required=True
            ),
            _provider_option(required=True),
            _claim_option(required=True),
        ]
    )
)
publisher.add_command(
    list_command(
        decorators=[
            *name_filter_options,
            _distribution_option(_("Only publishers of this channel.")),
            click.option("--provider", help=_("Only publishers of this CI service.")),
        ]
    )
)
publisher.add_command(show_command(decorators=_lookup_options))
publisher.add_command(
    update_command(decorators=[*_lookup_options, _provider_option(), _claim_option()])
)
publisher.add_command(destroy_command(decorators=_lookup_options))

add_examples(
    publisher,
    "create --name hello-release --distribution team --provider github"
    " --claim repository_id=583231 --claim repository_owner_id=9919"
    " --claim workflow_file=.github/workflows/release.yml",
    "list --distribution team",
    "show --name hello-release",
    "update --name hello-release --claim project_id=42 --claim namespace_id=7"
    " --claim ci_config_file=.gitlab-ci.yml",
    "destroy --name hello-release",
)
