"""One photo or video in, its result out, in one request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from undark.serve.form import FormFile
from undark.serve.jobs import Made
from undark.serve.pool import Cost
from undark.serve.routes.common import Adjusted, Here, ModelName, VideoQuality, problems
from undark.serve.routes.sending import Sending, attachment
from undark.serve.server import Server, drain, unless_gone
from undark.serve.store import Upload
from undark.serve.tasks import Enhance, Measure

__all__ = ["router"]

router: APIRouter = APIRouter(prefix="/v1", tags=["enhance"])

_FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of a photo or video, or a form with them as `file`.",
        "content": {
            "application/octet-stream": {"schema": _FILE},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _FILE},
                }
            },
        },
    }
}


@router.post(
    "/enhance",
    response_class=Response,
    openapi_extra=_BODY,
    responses={
        200: {
            "description": "The bytes that the command line would write.",
            "content": {"image/*": {"schema": _FILE}, "video/*": {"schema": _FILE}},
        },
        **problems(400, 408, 409, 413, 415, 422, 429, 507),
    },
)
async def post_enhance(
    request: Request,
    server: Here,
    adjusted: Adjusted,
    *,
    model: ModelName = "default",
    format: Annotated[
        str | None, Query(max_length=20, description="`png`, `jpg`, ...; as the source.")
    ] = None,
    quality: Annotated[
        int | None, Query(ge=1, le=100, description="Of formats with loss; as the source.")
    ] = None,
    video_quality: VideoQuality = "balanced",
    strip: Annotated[
        Literal["all", "gps"] | None, Query(description="What metadata is left out.")
    ] = None,
    record: Annotated[bool, Query(description="Say in the result how it was made.")] = True,
    salvage: Annotated[bool, Query(description="Take what is there of a damaged photo.")] = False,
    name: Annotated[
        str, Query(max_length=1000, description="What to call the file; a form says it itself.")
    ] = "",
) -> Response:
    """Bring one photo or video to light, in one request.

    The same bytes come as `undark enhance` writes of the same file with the same values.
    """
    try:
        task = Enhance(
            source=server.store.root,
            label="",
            folder=server.store.root,
            model=server.model(model),
            adjust=adjusted,
            format=server.format(format),
            quality=quality,
            video_quality=video_quality,
            strip=strip,
            record=record,
            salvage=salvage,
        )
        await server.refuse_early(request)
        length = request.headers.get("content-length", "")
        with server.lane.place(Cost(int(length) if length.isdecimal() else 0)) as ticket:
            async with _received(request, server, name) as upload:
                measure = Measure(source=upload.path, label=upload.label)

                async def work() -> Made:
                    with server.previews.place(Cost()) as first:
                        seconds = server.limits.seconds
                        pixels = await server.previews.run(first, measure, seconds=seconds)
                    assert isinstance(pixels, int)
                    server.lane.weigh(ticket, Cost(upload.bytes, pixels))
                    ready = replace(task, source=upload.path, label=upload.label)
                    return await server.jobs.make(ready, ticket)

                made = await unless_gone(request, work())
    except BaseException:
        await drain(request)
        raise
    inner = FileResponse(made.path, media_type=made.mime, headers=attachment(made.name))
    return Sending(inner, _once(server, made))


@contextmanager
def _once(server: Server, made: Made) -> Generator[Callable[[], None]]:
    """While a result is sent that is removed afterwards, whether or not the client has it."""
    try:
        yield lambda: None
    finally:
        server.store.remove(made.path.parent)


@asynccontextmanager
async def _received(request: Request, server: Server, name: str) -> AsyncGenerator[Upload]:
    """The file that a request brings; removed afterwards."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = FormFile(request.headers["content-type"], request.stream())
        await form.begin()
        upload = await server.store.receive("", name or form.name, form.read())
    else:
        upload = await server.store.receive("", name, request.stream())
    try:
        yield upload
    finally:
        server.store.remove(upload.path.parent)
