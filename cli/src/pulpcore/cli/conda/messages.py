"""The error messages of commands: what is wrong, where, and what to do next."""

import re
import typing as t
from collections.abc import Iterator
from urllib.parse import urlsplit

import click
import requests
from pulp_cli.generic import PulpCLIContext, PulpGroup
from pulp_glue.common.exceptions import (
    PulpAuthenticationFailed,
    PulpHTTPError,
    PulpNotAutorized,
    UnsafeCallError,
    ValidationError,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.answers import sentences
from pulp_glue.conda.context import PulpCondaRepositoryContext
from pulp_glue.conda.names import UnknownName

from pulpcore.cli.conda.output import choose_format
from pulpcore.cli.conda.progress import show_progress
from pulpcore.cli.conda.spelling import Spelling, running

translation = get_translation(__package__)
_ = translation.gettext


class CondaGroup(PulpGroup):
    """The group `pulp conda`. It rewrites errors of its commands, and shows progress of tasks."""

    def invoke(self, ctx: click.Context) -> t.Any:
        pulp_ctx = ctx.find_object(PulpCLIContext)
        assert pulp_ctx is not None
        choose_format(ctx, pulp_ctx)
        show_progress(pulp_ctx, verbose=bool(ctx.find_root().params.get("verbose")))
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            # pulp-cli turns errors of pulp-glue into this class. Subclasses have other sources.
            if type(error) is not click.ClickException:
                raise
            message = _retold(error, pulp_ctx)
            if message is None:
                # The error of a task, or of our own.
                message = "\n".join(map(_spelling().sentence, str(error).splitlines()))
            raise click.ClickException(message) from error
        except (requests.RequestException, ValueError, KeyError) as error:
            # pulp-glue does not catch these errors. They occur while it reads the description of
            # the API, or if that lacks an operation.
            message = _retold(error, pulp_ctx) or _about_api(error, pulp_ctx)
            if message is None:
                raise
            raise click.ClickException(message) from error


def _retold(error: BaseException, pulp_ctx: PulpCLIContext) -> str | None:
    for each in _causes(error):
        for kind, retell in _RETELLINGS:
            if isinstance(each, kind):
                return retell(each, pulp_ctx)
    if "'pulp status'" in str(error):
        return _plugin(error, pulp_ctx)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def name_with_suggestions(error: UnknownName) -> str:
    """Return the error, and the similar names that there are."""
    near = error.nearest()
    if not near:
        return str(error)
    names = _(" or ").join(f"'{name}'" for name in near)
    return _("{error} Did you mean {names}?").format(error=error, names=names)


def _name(error: UnknownName, pulp_ctx: PulpCLIContext) -> str:
    return name_with_suggestions(error)


def _login(error: PulpAuthenticationFailed, pulp_ctx: PulpCLIContext) -> str:
    if pulp_ctx.username is None:
        reason = _("{server} needs a login.")
    else:
        reason = _("{server} does not accept user '{user}' with this password.")
    text = _("Correct --username and --password, or the configuration: pulp config edit")
    return f"{reason.format(server=_server(pulp_ctx), user=pulp_ctx.username)} {text}"


def _permission(error: PulpNotAutorized, pulp_ctx: PulpCLIContext) -> str:
    if pulp_ctx.username == "__token__":
        return _(
            "The token may not do this ({operation}): it has no scope for it, or its owner has no "
            "role for it."
        ).format(operation=error.operation_id)
    return _(
        "User '{user}' may not do this ({operation}). Ask an administrator for a role. See: pulp "
        "role list --name-contains conda"
    ).format(user=pulp_ctx.username, operation=error.operation_id)


def _answer(error: PulpHTTPError, pulp_ctx: PulpCLIContext) -> str:
    text = sentences(error, _spelling().reason)
    if error.status_code >= 500 and (cid := pulp_ctx.api.cid):
        text += _(" Search the logs for the correlation id '{cid}'.").format(cid=cid)
    return text


def _unsafe(error: UnsafeCallError, pulp_ctx: PulpCLIContext) -> str:
    return _("This command ends here, because --dry-run does not send requests that change data.")


def _invalid(error: ValidationError, pulp_ctx: PulpCLIContext) -> str:
    """Return the reasons without repeats. pulp-glue lists the same ones for each request type."""
    head, *reasons = re.split(r"^  \S+/\S+: ", str(error), flags=re.MULTILINE)
    reasons = list(dict.fromkeys(reason.strip() for reason in reasons)) or [head]
    reasons = [reason.replace(" a array", " a list") for reason in reasons]
    # In glue, stages.0.name is body[stages][0][name]. It has quotes around it in some reasons.
    return "\n".join(re.sub(r"'?body((?:\[\w+\])+)'?", _path, reason) for reason in reasons)


def _path(match: re.Match[str]) -> str:
    return _spelling().path(match[1][1:-1].split("]["))


def _spelling() -> Spelling:
    return Spelling(running(click.get_current_context()))


def _encoding(error: UnicodeError, pulp_ctx: PulpCLIContext) -> str:
    return _(
        "The encoding of this terminal cannot show some characters of the output. Set another "
        "encoding, for example: export LC_ALL=C.UTF-8"
    )


def _tls(error: requests.exceptions.SSLError, pulp_ctx: PulpCLIContext) -> str:
    return _(
        "There is no secure connection to {server}: {reason}. If its certificate is from your own "
        "CA, set the environment variable PULP_CA_BUNDLE to the file of that CA."
    ).format(server=_server(pulp_ctx), reason=_root(error))


def _timeout(error: requests.Timeout, pulp_ctx: PulpCLIContext) -> str:
    return _("{server} does not answer in time. Try again, or correct --base-url.").format(
        server=_server(pulp_ctx)
    )


def _connection(error: requests.ConnectionError, pulp_ctx: PulpCLIContext) -> str:
    return _("{server} cannot be reached: {reason}. Start it, or correct --base-url.").format(
        server=_server(pulp_ctx), reason=_root(error)
    )


def _no_pulp(error: requests.HTTPError, pulp_ctx: PulpCLIContext) -> str:
    assert error.response is not None
    status = error.response.status_code
    if status >= 500:
        text = _("{server} answered {status}: the server, or a proxy before it, has an error.")
    else:
        text = _(
            "There is no Pulp at {server}: it answered {status} to {url}. Correct --base-url or "
            "--api-root."
        )
    return text.format(server=_server(pulp_ctx), status=status, url=error.response.url)


def _about_api(error: Exception, pulp_ctx: PulpCLIContext) -> str | None:
    """Return what is wrong with the description of the API, or None for any other error."""
    if isinstance(error, ValueError):
        if pulp_ctx._api is not None:
            return None
        return _(
            "There is no Pulp at {server}: it does not send the description of an API. Correct "
            "--base-url or --api-root."
        ).format(server=_server(pulp_ctx))
    operation = error.args[0] if error.args else None
    if isinstance(operation, str) and "_" in operation and operation not in pulp_ctx.api.operations:
        return _("The API of {server} has no '{operation}'. {advice}").format(
            server=_server(pulp_ctx), operation=operation, advice=_advice()
        )
    return None


def _plugin(error: BaseException, pulp_ctx: PulpCLIContext) -> str:
    (needed,) = PulpCondaRepositoryContext.NEEDS_PLUGINS
    if pulp_ctx.has_plugin(needed):
        return str(error)
    version = pulp_ctx.component_versions.get(needed.name)
    there = _("version {version}").format(version=version) if version else _("none")
    return _(
        "This command needs the plugin pulp_conda {specifier} on the server, and {server} has "
        "{there}. {advice}"
    ).format(specifier=needed.specifier, server=_server(pulp_ctx), there=there, advice=_advice())


def _advice() -> str:
    return _("Update the server. If it is up to date, run: pulp --refresh-api status")


def _server(pulp_ctx: PulpCLIContext) -> str:
    url = urlsplit(click.get_current_context().find_root().params["base_url"])
    # A URL can contain a password, which must not be in logs.
    return f"'{url._replace(netloc=url.netloc.rpartition('@')[2]).geturl()}'"


def _root(error: BaseException) -> str:
    """Return the reason from the operating system or OpenSSL inside of the nested errors."""
    text = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    if not text:
        for each in (getattr(error, "reason", None), *error.args, error.__cause__):
            if isinstance(each, BaseException):
                return _root(each)
    return str(text or error).rstrip(".")


# The first match is used, so subclasses come before their base classes.
_RETELLINGS: list[tuple[type[BaseException], t.Callable[[t.Any, PulpCLIContext], str]]] = [
    (UnknownName, _name),
    (PulpAuthenticationFailed, _login),
    (PulpNotAutorized, _permission),
    (PulpHTTPError, _answer),
    (requests.exceptions.SSLError, _tls),
    (requests.Timeout, _timeout),
    (requests.ConnectionError, _connection),
    (requests.HTTPError, _no_pulp),
    (UnsafeCallError, _unsafe),
    (ValidationError, _invalid),
    (UnicodeError, _encoding),
]
