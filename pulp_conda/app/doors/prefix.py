"""The upload API of prefix.dev, for `pixi upload prefix`, `rattler-build upload prefix` and `pixi
publish`.

    POST {server}/api/v1/upload/{channel}?force=true
    Authorization: Bearer <token>

The body is a form with the part `file`, which has the headers `X-File-Name` and `X-File-SHA256`,
and maybe the part `attestation`. Older clients send the file as the body, with the same headers.
The clients show the text of an error to their users. They skip a package with `--skip-existing` if
the answer is 409.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiohttp.web import Request, Response, StreamResponse

from pulp_conda.app.doors.delivery import deliver, status_of
from pulp_conda.app.doors.entrance import channel_of, door, identify, is_true
from pulp_conda.app.doors.receiving import (
    ReceivedFile,
    blocks_of_body,
    blocks_of_part,
    check_size,
    let_send,
    parts_of,
    received,
    text_of_part,
)
from pulp_conda.app.doors.refusal import Refusal
from pulp_conda.app.errors import BadUpload
from pulp_conda.app.uploading import check_place


@dataclass
class _Form:
    """What a request brings. `expected` has digests in hex by algorithm."""

    file: ReceivedFile | None = None
    filename: str = ""
    expected: dict[str, str] = field(default_factory=dict)
    attestation: str | None = None


def _show(refusal: Refusal) -> Response:
    return Response(status=refusal.status, text=refusal.text)


@door(_show)
async def upload(request: Request) -> StreamResponse:
    """Take a package for a channel."""
    force = is_true(request.query.get("force"))
    visitor = await identify(request)
    distribution = await channel_of(request, request.match_info["channel"])
    await visitor.may_upload(distribution, force=force)
    check_size(request.content_length or 0, "the package")
    await let_send(request)
    async with AsyncExitStack() as until_stored:
        form = await _receive(request, until_stored)
        if form.file is None:
            raise BadUpload(reason="the form has no part 'file'")
        outcome = await deliver(
            visitor,
            distribution,
            form.filename,
            form.file,
            expected=form.expected,
            attestation=form.attestation,
            force=force,
        )
    return Response(status=status_of(outcome), text=outcome.url)


async def _receive(request: Request, until_stored: AsyncExitStack) -> _Form:
    """Read the whole body of a request."""
    form = _Form()
    if not request.content_type.startswith("multipart/"):
        _name(form, request.headers, None)
        file = received(blocks_of_body(request), form.filename)
        form.file = await until_stored.enter_async_context(file)
        return form
    async for part in parts_of(request):
        if part.name == "file" and form.file is None:
            _name(form, part.headers, part.filename)
            file = received(blocks_of_part(request, part), form.filename)
            form.file = await until_stored.enter_async_context(file)
        elif part.name == "attestation" and form.attestation is None:
            form.attestation = await text_of_part(part)
        else:
            raise BadUpload(reason=f"the form has a part '{part.name}' too many")
    return form


def _name(form: _Form, headers: Mapping[str, str], filename: str | None) -> None:
    """Take the name and the digest of a file from its headers.

    Args:
        filename: The name that the form itself gives the file.

    Raises:
        BadPackageName
    """
    form.filename = headers.get("X-File-Name") or filename or ""
    check_place(form.filename)
    if sha256 := headers.get("X-File-SHA256"):
        form.expected["sha256"] = sha256
