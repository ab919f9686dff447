"""The API of anaconda.org, for `anaconda upload` and `rattler-build upload anaconda`.

    HEAD   {server}
    GET    {server}/user/{owner}                  whether there is such a channel
    GET    {server}/dist/{owner}/{file}           whether it has the file
    GET    {server}/package/{owner}/{name}        and POST, if it has no package of that name
    GET    {server}/release/{owner}/{name}/{version}        likewise
    POST   {server}/stage/{owner}/{file}          gives the URL and the form for the bytes
    POST   {post_url}                             the bytes, without a token
    POST   {server}/commit/{owner}/{file}         is answered when the package is served
    DELETE {server}/dist/{owner}/{file}

`{file}` is `{name}/{version}/{subdir}/{filename}`. The owner is a channel, and everything about the
package is read from the file. The clients compare statuses exactly: 201 for the bytes and for a
deleted package or release, 200 for all else.

The form for the bytes has a ticket, signed by this server, which says who may upload which file
within a few minutes. Labels stand for channels, as the setting `CONDA_UPLOAD_LABELS` says.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from uuid import UUID
from xml.sax.saxutils import escape

from aiohttp.web import Request, Response, StreamResponse, json_response
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing

from pulpcore.plugin.util import get_domain_pk, set_domain

from pulp_conda.app.doors.delivery import hand_over, served
from pulp_conda.app.doors.entrance import Visitor, channel_of, door, identify
from pulp_conda.app.doors.receiving import (
    ReceivedFile,
    blocks_of_body,
    blocks_of_part,
    check_size,
    drain,
    let_send,
    parts_of,
    received,
    text_of_part,
)
from pulp_conda.app.doors.refusal import Refusal
from pulp_conda.app.doors.removing import find, remove
from pulp_conda.app.errors import BadUpload, NothingToRemove, WrongDigest
from pulp_conda.app.labels import labels_of
from pulp_conda.app.models import CondaDistribution, CondaPackage, CondaToken, CondaUpload
from pulp_conda.app.uploading import Arrival, check_place, repository_of
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel import layout

_SALT = "pulp_conda.app.doors.anaconda"

# How long the bytes may be sent after they were announced, and how long the rest may take.
_TICKET_SECONDS = 10 * 60
_COMMIT_SECONDS = 24 * 60 * 60

_MAIN = "main"

# Clients only look whether there are any.
_MOST_FILES = 100

_LARGEST_JSON = 16 * 2**20

# Clients send the ticket, and the length and the MD5 of the file.
_MOST_FIELDS = 10


class _File(NamedTuple):
    """A file as URLs name it."""

    subdir: str
    filename: str


@dataclass(frozen=True)
class _Ticket:
    """Who may upload which file. All are texts; `token` and `sha256` may be empty."""

    user: str
    token: str
    channel: str
    subdir: str
    filename: str
    sha256: str

    def sign(self) -> str:
        return signing.dumps(asdict(self), salt=_SALT)

    @classmethod
    def read(cls, text: object, seconds: int) -> "_Ticket":
        """Return a ticket that this server signed.

        Raises:
            Refusal: it is none, or too old.
        """
        try:
            return cls(**signing.loads(str(text), salt=_SALT, max_age=seconds))
        except signing.BadSignature:
            raise Refusal(403, "403: The upload was not announced, or too long ago.") from None


def _show(refusal: Refusal) -> Response:
    return json_response({"error": refusal.text}, status=refusal.status)


def _show_xml(refusal: Refusal) -> Response:
    """Return an error as the storage of anaconda.org writes it."""
    is_digest = WrongDigest.code in refusal.text
    code = "InvalidDigest" if is_digest else "InvalidRequest"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(refusal.text)}</Message></Error>"
    )
    return Response(status=refusal.status, text=text, content_type="application/xml")


async def greet(request: Request) -> StreamResponse:
    """Say that the server is there. Clients ask before they give a token."""
    return json_response({})


@door(_show)
async def show_user(request: Request) -> StreamResponse:
    """Show who sends the request."""
    visitor = await identify(request)
    user = visitor.user
    since = user.date_joined.isoformat()
    return json_response({"login": user.get_username(), "created_at": since, "user_type": "user"})


@door(_show)
async def show_owner(request: Request) -> StreamResponse:
    """Show the owner of a package, which is a channel."""
    await _enter(request)
    return json_response({"login": request.match_info["owner"], "user_type": "org"})


@door(_show)
async def show_package(request: Request) -> StreamResponse:
    """Show the files of a package name."""
    name, files = request.match_info["name"], await _files(request)
    return json_response({"name": name, "package_types": ["conda"], "files": files})


@door(_show)
async def show_release(request: Request) -> StreamResponse:
    """Show the files of a version of a package name."""
    version, files = request.match_info["version"], await _files(request)
    return json_response({"version": version, "distributions": files})


@door(_show)
async def register(request: Request) -> StreamResponse:
    """Let a client describe a package or a release. The file itself says all of that."""
    await _enter(request)
    await drain(request)
    return json_response({})


@door(_show)
async def unregister(request: Request) -> StreamResponse:
    """Remove a package or a release that has no files. Clients do so after a failure."""
    await _enter(request)
    try:
        await _files(request)
    except NothingToRemove:
        return json_response({}, status=201)
    raise Refusal(409, "409: It has files. Remove these.")


@door(_show)
async def show_file(request: Request) -> StreamResponse:
    """Show a file of a channel, or of a channel for which one of its labels stands."""
    _visitor, distribution = await _enter(request)
    for channel in await _all_channels(request, distribution):
        if shown := await sync_to_async(_show_file)(channel, _file(request)):
            return json_response(shown)
    raise _no_file(request)


@door(_show)
async def remove_file(request: Request) -> StreamResponse:
    """Remove a file from a channel, and from those for which its labels stand."""
    visitor, distribution = await _enter(request)
    is_found = False
    for channel in await _all_channels(request, distribution):
        if await sync_to_async(find)(channel, *_file(request)):
            await remove(visitor, channel, *_file(request))
            is_found = True
    if not is_found:
        raise _no_file(request)
    return json_response({})


@door(_show)
async def stage(request: Request) -> StreamResponse:
    """Announce a file, and say where its bytes are to be sent."""
    visitor, owner = await _enter(request)
    file = _file(request)
    check_place(file.filename, file.subdir)
    await let_send(request)
    announced = await _json(request)
    distribution = await _channel_of_labels(request, owner, announced.get("channels"))
    await visitor.may_upload(distribution)
    sha256 = str(announced.get("sha256") or "").lower()
    present = await sync_to_async(_show_file)(distribution, file)
    if present is not None and present["sha256"] != sha256:
        path = layout.package_path(*file)
        raise Refusal(409, f"409: Channel '{distribution.base_path}' has another '{path}'.")
    ticket = _Ticket(
        user=str(visitor.user.pk),
        token=str(visitor.token.pk) if visitor.token else "",
        channel=str(distribution.pk),
        subdir=file.subdir,
        filename=file.filename,
        sha256=sha256,
    ).sign()
    return json_response(
        {"post_url": _post_url(request), "form_data": {"ticket": ticket}, "dist_id": ticket}
    )


@door(_show_xml)
async def take(request: Request) -> StreamResponse:
    """Take the bytes of a file that was announced."""
    fields: dict[str, str] = {}
    count = 0
    await let_send(request)
    async for part in parts_of(request):
        # Nobody knows yet who sends this, so little of it is read before the ticket.
        count += 1
        if part.name != "file" and count <= _MOST_FIELDS:
            fields[part.name or ""] = await text_of_part(part)
            continue
        ticket = _Ticket.read(fields.get("ticket"), _TICKET_SECONDS)
        if part.name != "file":
            raise BadUpload(reason=f"the form has more than {_MOST_FIELDS} fields before its file")
        visitor, distribution = await sync_to_async(_from_ticket)(ticket)
        await visitor.may_upload(distribution)
        check_size(request.content_length or 0, ticket.filename)
        async with received(blocks_of_part(request, part), ticket.filename) as file:
            await hand_over(_arrival(ticket, visitor, distribution, file, fields))
        return Response(status=201)
    _Ticket.read(fields.get("ticket"), _TICKET_SECONDS)
    raise BadUpload(reason="the form has no part 'file'")


@door(_show)
async def commit(request: Request) -> StreamResponse:
    """Wait until a file is served whose bytes were sent."""
    await _enter(request)
    await let_send(request)
    sent = await _json(request)
    ticket = _Ticket.read(sent.get("dist_id"), _COMMIT_SECONDS)
    upload = await sync_to_async(_upload_of)(ticket)
    if upload is None:
        raise BadUpload(reason="the bytes of the file did not arrive")
    outcome = await served(upload, ticket.filename)
    return json_response({"url": outcome.url, "basename": f"{outcome.subdir}/{outcome.filename}"})


async def _enter(request: Request) -> tuple[Visitor, CondaDistribution]:
    """Return who sends a request, and the channel that the URL names as the owner."""
    visitor = await identify(request)
    distribution = await channel_of(request, request.match_info["owner"])
    await visitor.may_upload(distribution)
    return visitor, distribution


def _labels(owner: CondaDistribution) -> dict[str, str]:
    """Return the names of channels by label, of a channel."""
    names = {owner.base_path, owner.upload_alias} - {None, ""}
    return {_MAIN: owner.base_path, **labels_of(owner.pulp_domain.name, names)}


async def _all_channels(request: Request, owner: CondaDistribution) -> list[CondaDistribution]:
    """Return the channel of an owner, and those for which its labels stand."""
    channels = {owner.pk: owner}
    for name in _labels(owner).values():
        channel = await _channel_of_label(request, owner, name)
        channels[channel.pk] = channel
    return list(channels.values())


async def _channel_of_labels(
    request: Request, owner: CondaDistribution, labels: object
) -> CondaDistribution:
    """Return the channel for which labels stand.

    Args:
        labels: What the client said: a list of texts. An empty one means `main`.

    Raises:
        BadUpload: a label stands for no channel, or they stand for several.
    """
    labels = labels or [_MAIN]
    if not isinstance(labels, list):
        raise BadUpload(reason="'channels' is no list of labels")
    known, names = _labels(owner), set()
    for label in labels:
        if not isinstance(label, str) or label not in known:
            raise BadUpload(
                reason=f"the label '{label}' stands for no channel. Leave it out, or ask an "
                f"administrator to add it to the setting 'CONDA_UPLOAD_LABELS'"
            )
        names.add(known[label])
    if len(names) > 1:
        raise BadUpload(reason="its labels stand for several channels. Upload to one at a time")
    return await _channel_of_label(request, owner, names.pop())


async def _channel_of_label(
    request: Request, owner: CondaDistribution, name: str
) -> CondaDistribution:
    """Return the channel that a label stands for, which is in the domain of the owner.

    Raises:
        UnknownChannel
    """
    if name == owner.base_path:
        return owner
    return await channel_of(request, name, anywhere=False)


async def _files(request: Request) -> list[dict[str, Any]]:
    """Return the files of the package name and the version in a URL.

    Raises:
        NothingToRemove: there are none.
    """
    _visitor, distribution = await _enter(request)
    name, version = request.match_info["name"], request.match_info.get("version")
    files: list[dict[str, Any]] = []
    for channel in await _all_channels(request, distribution):
        files += await sync_to_async(_show_files)(channel, name, version)
    if not files:
        path = "/".join(filter(None, [name, version]))
        raise NothingToRemove(channel=distribution.base_path, path=path)
    return files


def _show_file(distribution: CondaDistribution, file: _File) -> dict[str, Any] | None:
    package = find(distribution, *file)
    return package and _shown(package)


def _show_files(
    distribution: CondaDistribution, name: str, version: str | None
) -> list[dict[str, Any]]:
    if "\0" in name or "\0" in (version or ""):
        return []  # PostgreSQL cannot look for it.
    packages = CondaPackage.objects.filter(_pulp_domain=get_domain_pk(), name=name)
    if version is not None:
        packages = packages.filter(version=version)
    latest = repository_of(distribution).latest_version()
    return [_shown(package) for package in VersionState(latest).having(packages)[:_MOST_FILES]]


def _shown(package: CondaPackage) -> dict[str, Any]:
    return {
        "basename": layout.package_path(package.subdir, package.filename),
        "version": package.version,
        "sha256": package.sha256,
        "md5": package.md5,
        "size": package.size,
        "attrs": {"subdir": package.subdir, "build": package.build},
    }


def _file(request: Request) -> _File:
    return _File(request.match_info["subdir"], request.match_info["file"])


def _no_file(request: Request) -> NothingToRemove:
    channel, path = request.match_info["owner"], "/".join(_file(request))
    return NothingToRemove(channel=channel, path=path)


async def _json(request: Request) -> dict[str, Any]:
    """Return the JSON object that is the body of a request.

    Raises:
        BadUpload
    """
    body = bytearray()
    async for block in blocks_of_body(request):
        body += block
        if len(body) > _LARGEST_JSON:
            raise BadUpload(reason="its JSON is too large")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadUpload(reason="its body is no JSON object")
    return value


def _post_url(request: Request) -> str:
    """Return the URL for bytes, which is next to that of `stage`."""
    origin = settings.CONTENT_ORIGIN or str(request.url.origin())
    start, _stage, _rest = request.path.partition("/anaconda/stage/")
    return f"{origin}{start}/anaconda/bytes"


def _from_ticket(ticket: _Ticket) -> tuple[Visitor, CondaDistribution]:
    """Return whose ticket it is, and for which channel, and go on in the domain of that.

    Raises:
        Refusal: the user, the token or the channel is not there any more.
    """
    user = get_user_model().objects.filter(pk=ticket.user, is_active=True).first()
    token = None
    if ticket.token:
        token = CondaToken.objects.select_related("owner").filter(pk=ticket.token).first()
    channels = CondaDistribution.objects.select_related("pulp_domain")
    distribution = channels.filter(pk=ticket.channel).first()
    is_revoked = bool(ticket.token) and (token is None or not token.is_valid)
    if user is None or distribution is None or is_revoked:
        raise Refusal(403, "403: Who announced the upload may not upload any more.")
    set_domain(distribution.pulp_domain)
    return Visitor(user, token), distribution


def _arrival(
    ticket: _Ticket,
    visitor: Visitor,
    distribution: CondaDistribution,
    file: ReceivedFile,
    fields: dict[str, str],
) -> Arrival:
    expected = {"sha256": ticket.sha256} if ticket.sha256 else {}
    if md5 := fields.get("Content-MD5"):
        try:
            expected["md5"] = base64.b64decode(md5, validate=True).hex()
        except binascii.Error:
            raise BadUpload(reason="'Content-MD5' is no Base64") from None
    return Arrival(
        distribution=distribution,
        user=visitor.user,
        token=visitor.token,
        filename=ticket.filename,
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        md5=file.md5,
        expected=expected,
        subdir=ticket.subdir,
    )


def _upload_of(ticket: _Ticket) -> UUID | None:
    """Return the key of the newest upload with a ticket, or None."""
    uploads = CondaUpload.objects.filter(
        distribution=ticket.channel, user=ticket.user, filename=ticket.filename
    )
    if ticket.sha256:
        uploads = uploads.filter(sha256=ticket.sha256)
    return uploads.order_by("-pulp_created").values_list("pk", flat=True).first()
