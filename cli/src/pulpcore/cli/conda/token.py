"""`pulp conda token` and `pulp conda robot`: how programs act as a user."""

import typing as t

import click
from pulp_cli.generic import (
    PulpCLIContext,
    destroy_command,
    href_option,
    list_command,
    lookup_callback,
    name_option,
    pass_pulp_context,
    pulp_group,
    pulp_option,
    role_command,
    show_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaRobotContext, PulpCondaTokenContext
from pulp_glue.conda.vocabulary import TokenScope

from pulpcore.cli.conda.examples import add_examples

translation = get_translation(__package__)
_ = translation.gettext

FC = t.TypeVar("FC", bound=t.Callable[..., t.Any])

pass_token_context = click.make_pass_decorator(PulpCondaTokenContext)
pass_robot_context = click.make_pass_decorator(PulpCondaRobotContext)


@pulp_group()
@pass_pulp_context
@click.pass_context
def token(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Create, rotate and revoke tokens, by which programs act as a user."""
    ctx.obj = PulpCondaTokenContext(pulp_ctx)


@pulp_group()
@pass_pulp_context
@click.pass_context
def robot(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Create robots: users without a password, for programs."""
    ctx.obj = PulpCondaRobotContext(pulp_ctx)


lookup_options = [
    href_option,
    pulp_option(
        "--name",
        callback=lookup_callback("name", PulpCondaTokenContext),
        expose_value=False,
        help=_("The name of the {entity}."),
    ),
    pulp_option(
        "--owner",
        callback=lookup_callback("owner", PulpCondaTokenContext),
        expose_value=False,
        help=_("The owner of the {entity}, if several users have one of that name."),
    ),
]


def _lookup(command: FC) -> FC:
    for option in lookup_options:
        command = option(command)
    return command


def _show_once(pulp_ctx: PulpCLIContext, made: t.Any) -> None:
    pulp_ctx.output_result(made)
    click.echo(_("'token' is the secret. It is shown only now: keep it."), err=True)


_limit_options = [
    click.option(
        "--channel",
        "channels",
        multiple=True,
        help=_("The base path of a channel for which it is. Can be given several times."),
    ),
    click.option(
        "--lifecycle",
        "lifecycles",
        multiple=True,
        help=_("A lifecycle for all of whose stages it is. Can be given several times."),
    ),
]


def _limits(command: FC) -> FC:
    for option in _limit_options:
        command = option(command)
    return command


def _scopes(is_required: bool) -> t.Callable[[FC], FC]:
    return click.option(
        "--scope",
        "scopes",
        type=click.Choice([scope.value for scope in TokenScope]),
        multiple=True,
        required=is_required,
        help=_("What it is for. Can be given several times."),
    )


@token.command()
@click.option("--name", required=True, help=_("A name, unique among the tokens of its owner."))
@click.option("--owner", help=_("A robot, or another user. The default is you."))
@_scopes(is_required=True)
@_limits
@click.option("--expires", help=_("From when on it is refused, for example '2027-12-01'."))
@pass_token_context
@pass_pulp_context
def create(pulp_ctx: PulpCLIContext, token_ctx: PulpCondaTokenContext, /, **options: t.Any) -> None:
    """Create a token, and show it once.

    Without '--channel' and '--lifecycle' it is for all channels of the domain. It never allows more
    than its owner may do.
    """
    body = {key: value for key, value in options.items() if value}
    _show_once(pulp_ctx, token_ctx.create(body))


@token.command()
@_lookup
@_scopes(is_required=False)
@_limits
@click.option("--all-channels", is_flag=True, help=_("Let it be for all channels of the domain."))
@click.option("--expires", help=_("From when on it is refused; '' for never."))
@pass_token_context
@pass_pulp_context
def update(
    pulp_ctx: PulpCLIContext,
    token_ctx: PulpCondaTokenContext,
    /,
    all_channels: bool,
    expires: str | None,
    **lists: tuple[str, ...],
) -> None:
    """Change what a token is for, or when it expires. Its secret stays.

    '--scope', '--channel' and '--lifecycle' replace what it has of the kind.
    """
    body: dict[str, t.Any] = {field: list(values) for field, values in lists.items() if values}
    if all_channels and ("channels" in body or "lifecycles" in body):
        raise click.UsageError(_("Give '--all-channels', or '--channel' and '--lifecycle'."))
    if all_channels:
        body |= {"channels": None, "lifecycles": None}
    if expires is not None:
        body["expires"] = expires or None
    pulp_ctx.output_result(token_ctx.update(body))


@token.command()
@_lookup
@click.option(
    "--expires",
    help=_("From when on the new secret is refused; '' for never. By default it stays as it is."),
)
@pass_token_context
@pass_pulp_context
def rotate(
    pulp_ctx: PulpCLIContext, token_ctx: PulpCondaTokenContext, /, expires: str | None
) -> None:
    """Give a token a new secret, and show it once. The one before is refused at once."""
    body = {} if expires is None else {"expires": expires or None}
    _show_once(pulp_ctx, token_ctx.rotate(body))


@token.command()
@_lookup
@pass_token_context
@pass_pulp_context
def revoke(pulp_ctx: PulpCLIContext, token_ctx: PulpCondaTokenContext, /) -> None:
    """Refuse a token from now on, for ever. It stays in the list."""
    pulp_ctx.output_result(token_ctx.revoke())


token.add_command(
    list_command(
        decorators=[
            click.option("--name", help=_("Only tokens of this name.")),
            click.option("--owner", help=_("Only tokens of this user or robot.")),
        ]
    )
)
token.add_command(show_command(decorators=lookup_options))
token.add_command(destroy_command(decorators=lookup_options))
token.add_command(role_command(decorators=lookup_options))


robot_lookup_options = [href_option, name_option]


@robot.command(name="create")
@click.option("--name", required=True, help=_("Letters, digits, '.', '_' and '-'."))
@pass_robot_context
@pass_pulp_context
def create_robot(pulp_ctx: PulpCLIContext, robot_ctx: PulpCondaRobotContext, /, name: str) -> None:
    """Create a robot. 'username' is the user to which roles are given."""
    pulp_ctx.output_result(robot_ctx.create({"name": name}))


robot.add_command(
    list_command(decorators=[click.option("--name", help=_("Only the robot of this name."))])
)
robot.add_command(show_command(decorators=robot_lookup_options))
robot.add_command(
    destroy_command(
        decorators=robot_lookup_options, help=_("Delete a robot with its tokens and its roles.")
    )
)
robot.add_command(role_command(decorators=robot_lookup_options))

_CI = "--owner robot+default+ci --name github"

add_examples(
    token,
    "create --name laptop --scope read",
    f"create {_CI} --scope upload --channel team/unstable --expires 2027-12-01",
    "list --owner robot+default+ci",
    f"show {_CI}",
    f"update {_CI} --channel team/unstable --channel tools --expires 2028-06-01",
    f"rotate {_CI} --expires 2028-12-01",
    f"revoke {_CI}",
    f"destroy {_CI}",
    f"role list {_CI}",
    f"role add {_CI} --role conda.condatoken_viewer --user ada",
    f"role remove {_CI} --role conda.condatoken_viewer --user ada",
    f"role my-permissions {_CI}",
)
add_examples(
    robot,
    "create --name ci",
    "list",
    "show --name ci",
    "destroy --name ci",
    "role list --name ci",
    "role add --name ci --role conda.condarobot_owner --user ada",
    "role remove --name ci --role conda.condarobot_owner --user ada",
    "role my-permissions --name ci",
)
