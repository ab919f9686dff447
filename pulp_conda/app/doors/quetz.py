"""The upload API of Quetz: `rattler-build upload quetz`, `pixi upload quetz`, `pixi publish`.

    POST {server}/api/channels/{channel}/upload/{file}?force=false&sha256=<hex>
    X-API-Key: <token>

The body is the file, in chunks without a length. The clients show of an error only its status line,
so the reason is there as well.
"""

from aiohttp.web import Request, Response, StreamResponse

from pulp_conda.app.doors.delivery import deliver, status_of
from pulp_conda.app.doors.entrance import channel_of, door, identify, is_true
from pulp_conda.app.doors.receiving import blocks_of_body, check_size, let_send, received
from pulp_conda.app.doors.refusal import Refusal
from pulp_conda.app.uploading import check_place

# What clients and proxies take for a status line is limited.
_LONGEST_PHRASE = 200


def show(refusal: Refusal) -> Response:
    """Return an answer with its reason as text and in the status line."""
    line = " ".join(refusal.text.split()).encode("ascii", "replace").decode()
    phrase = line[:_LONGEST_PHRASE]
    return Response(status=refusal.status, reason=phrase, text=f"{refusal.text}\n")


@door(show)
async def upload(request: Request) -> StreamResponse:
    """Take a package for a channel."""
    force, filename = is_true(request.query.get("force")), request.match_info["file"]
    visitor = await identify(request)
    distribution = await channel_of(request, request.match_info["channel"])
    await visitor.may_upload(distribution, force=force)
    check_place(filename)
    check_size(request.content_length or 0, filename)
    await let_send(request)
    sha256 = request.query.get("sha256")
    async with received(blocks_of_body(request), filename) as file:
        outcome = await deliver(
            visitor,
            distribution,
            filename,
            file,
            expected={"sha256": sha256} if sha256 else {},
            force=force,
        )
    return Response(status=status_of(outcome), text=outcome.url)
