"""Files of clients: sent once, looked at, previewed as often as a slider moves."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from undark.adjust import Adjust
from undark.serve.pool import Cost
from undark.serve.problems import ProblemError
from undark.serve.routes.common import Adjusted, Here, ModelName, UploadId, VideoQuality, problems
from undark.serve.schemas import UploadInfo
from undark.serve.server import Server, drain, unless_gone
from undark.serve.store import Upload
from undark.serve.tasks import Facts, Part, Probe, Show, Shown

__all__ = ["router"]

router: APIRouter = APIRouter(prefix="/v1/uploads", tags=["uploads"])

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of a photo or video.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_Length = Annotated[
    int | None, Query(ge=0, le=1_000_000, description="Of a part, in pixels of the full photo.")
]


@router.put(
    "/{id}",
    status_code=201,
    responses=problems(400, 408, 409, 413, 415, 422, 429, 507),
    openapi_extra=_BODY,
)
async def put_upload(
    request: Request,
    server: Here,
    id: UploadId,
    name: Annotated[str, Query(max_length=1000, description="What to call the file.")] = "",
) -> UploadInfo:
    """Send a file. It is kept until an hour after it was last asked for."""
    if id in server.store.uploads:
        await drain(request)
        raise ProblemError(409, "there is an upload of that id already; choose another")
    await server.refuse_early(request)
    try:
        upload = await server.store.receive(id, name, request.stream())
    except BaseException:
        await drain(request)
        raise
    try:
        with server.previews.place(Cost()) as ticket:
            task = Probe(source=upload.path, label=upload.label)
            work = server.previews.run(ticket, task, seconds=server.limits.seconds)
            found = await unless_gone(request, work)
        assert isinstance(found, Facts)
        upload.facts = found
        if id in server.store.uploads:
            raise ProblemError(409, "there is an upload of that id already; choose another")
    except BaseException:
        server.store.remove(upload.path.parent)
        raise
    server.store.uploads[id] = upload
    return _info(upload)


@router.get("/{id}", responses=problems(404, 422))
async def get_upload(server: Here, id: UploadId) -> UploadInfo:
    """What an upload is."""
    return _info(server.upload(id))


@router.delete("/{id}", status_code=204, responses=problems(404, 422))
async def delete_upload(server: Here, id: UploadId) -> Response:
    """Forget an upload; jobs of it go on."""
    server.store.forget(server.upload(id))
    return Response(status_code=204)


@router.get(
    "/{id}/preview",
    response_class=Response,
    responses={
        200: {
            "description": "An image of at most `preview_pixels` (`/v1/about`).",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/jpeg", "image/png")
            },
        },
        304: {"description": "The client has it already."},
        **problems(400, 404, 413, 415, 422, 429),
    },
)
async def get_preview(
    request: Request,
    server: Here,
    id: UploadId,
    adjusted: Adjusted,
    *,
    before: Annotated[bool, Query(description="Show the source itself.")] = False,
    model: ModelName = "default",
    max_pixels: Annotated[int | None, Query(ge=1, description="Of the image at most.")] = None,
    video_quality: VideoQuality = "balanced",
    at: Annotated[float, Query(ge=0, le=1e6, description="Seconds into a video.")] = 0.0,
    x: _Length = None,
    y: _Length = None,
    w: _Length = None,
    h: _Length = None,
) -> Response:
    """An upload as a browser can show it: upright, 8 bits, before or after.

    With `x`, `y`, `w` and `h`, this part of the full photo at its full size, as a job would make
    it; without, the whole of it, made small first.
    """
    upload = server.upload(id)
    video = upload.facts is not None and upload.facts.kind == "video"
    asked = Adjust(**adjusted) if not before else Adjust()
    show = Show(
        source=upload.path,
        label=upload.label,
        before=before,
        model=server.model(model),
        adjust=asked,
        pixels=min(max_pixels or server.limits.preview_pixels, server.limits.preview_pixels),
        at=at if video else 0.0,
        video_quality=video_quality if video else "balanced",
        part=_part(x, y, w, h),
    )
    tag = f'"{hashlib.sha256(f"{upload.sha256}{show!r}".encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    shown = await _shown(request, server, upload, show)
    return Response(shown.data, media_type=shown.mime, headers=headers)


async def _shown(request: Request, server: Server, upload: Upload, show: Show) -> Shown:
    with server.store.held(upload), server.previews.place(Cost()) as ticket:
        work = server.previews.run(ticket, show, seconds=server.limits.seconds)
        found = await unless_gone(request, work)
    assert isinstance(found, Shown)
    return found


def _part(x: int | None, y: int | None, w: int | None, h: int | None) -> Part | None:
    if x is None and y is None and w is None and h is None:
        return None
    if x is None or y is None or not w or not h:
        raise ProblemError(422, "a part needs x, y, w and h, and w and h of at least 1")
    return Part(x, y, w, h)


def _info(upload: Upload) -> UploadInfo:
    facts = upload.facts
    assert facts is not None
    return UploadInfo(
        id=upload.id,
        name=upload.label,
        bytes=upload.bytes,
        sha256=upload.sha256,
        kind="video" if facts.kind == "video" else "photo",
        width=facts.width,
        height=facts.height,
        seconds=facts.seconds,
        bits=facts.bits,
        alpha=facts.alpha,
        format=facts.format,
        colours=facts.colours,
        notices=list(facts.notices),
        record=facts.record,
    )
