"""Files that are put where they will be: the API of Artifactory, and plain `curl -T`.

    PUT    {server}/{channel}/{subdir}/{file}
    DELETE {server}/{channel}/{subdir}/{file}
    Authorization: Bearer <token>, or Basic

The URL of a channel's content takes them as well. There, a PUT may leave out the subdir: `curl -T`
puts the name of the file behind a URL that ends in a slash. Artifactory's headers `X-Checksum-*`
say what the file should be.
"""

from aiohttp.web import Request, Response, StreamResponse, json_response

from pulp_conda.app.doors.delivery import deliver
from pulp_conda.app.doors.entrance import Visitor, channel_of, door, identify
from pulp_conda.app.doors.quetz import show
from pulp_conda.app.doors.receiving import (
    ReceivedFile,
    blocks_of_body,
    check_size,
    let_send,
    received,
)
from pulp_conda.app.doors.removing import remove
from pulp_conda.app.errors import BadUpload
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.uploading import Outcome, check_place
from pulp_conda.channel import layout

_CHECKSUMS = {"X-Checksum-Sha256": "sha256", "X-Checksum-Md5": "md5"}


@door(show)
async def put(request: Request) -> StreamResponse:
    """Take a package at a URL of Artifactory's API."""
    visitor = await identify(request)
    channel, subdir, filename = _split(request.match_info["path"])
    return await _take(request, visitor, await channel_of(request, channel), subdir, filename)


@door(show)
async def delete(request: Request) -> StreamResponse:
    """Remove a package at a URL of Artifactory's API."""
    visitor = await identify(request)
    channel, subdir, filename = _split(request.match_info["path"])
    await remove(visitor, await channel_of(request, channel), subdir, filename)
    return Response(status=204)


async def put_into(
    request: Request, visitor: Visitor, distribution: CondaDistribution, path: str
) -> Response:
    """Take a package at a URL of a channel's content.

    Args:
        path: The path below the channel.

    Raises:
        Refusal, ChannelError
    """
    subdir, _slash, filename = path.rpartition("/")
    return await _take(request, visitor, distribution, subdir or None, filename)


async def delete_from(visitor: Visitor, distribution: CondaDistribution, path: str) -> Response:
    """Remove a package at a URL of a channel's content; see `put_into`."""
    subdir, _slash, filename = path.rpartition("/")
    await remove(visitor, distribution, subdir, filename)
    return Response(status=204)


def _split(path: str) -> tuple[str, str, str]:
    """Return the channel, the subdir and the name of a file.

    Raises:
        BadUpload: the path has fewer parts.
    """
    channel, _slash, rest = path.rpartition("/")
    channel, _slash, subdir = channel.rpartition("/")
    if not channel:
        raise BadUpload(reason="its path is not '<channel>/<subdir>/<file>'")
    return channel, subdir, rest


async def _take(
    request: Request,
    visitor: Visitor,
    distribution: CondaDistribution,
    subdir: str | None,
    filename: str,
) -> Response:
    """Take the body of a request for a channel.

    Args:
        subdir: The subdir in the URL, or None if it has none.

    Raises:
        Refusal, ChannelError
    """
    await visitor.may_upload(distribution, force=False)
    check_place(filename, subdir)
    check_size(request.content_length or 0, filename)
    await let_send(request)
    expected = {
        algorithm: request.headers[header]
        for header, algorithm in _CHECKSUMS.items()
        if header in request.headers
    }
    async with received(blocks_of_body(request), filename) as file:
        outcome = await deliver(
            visitor, distribution, filename, file, expected=expected, subdir=subdir
        )
        return _deployed(outcome, file)


def _deployed(outcome: Outcome, file: ReceivedFile) -> Response:
    """Return the answer of Artifactory: where the file is, and what it is."""
    return json_response(
        {
            "uri": outcome.url,
            "downloadUri": outcome.url,
            "path": f"/{layout.package_path(outcome.subdir, outcome.filename)}",
            # Artifactory has numbers as texts.
            "size": str(file.size),
            "checksums": {"md5": file.md5, "sha256": file.sha256},
        },
        status=201,
    )
