"""Jobs: an upload enhanced in the background, followed by events or by asking again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from undark.errors import UsageError
from undark.serve.archive import stream_archive
from undark.serve.jobs import Job, Made
from undark.serve.problems import ProblemError
from undark.serve.routes.common import Here, problems
from undark.serve.routes.sending import Sending, attachment
from undark.serve.schemas import JobRequest, JobState, Problem, ResultInfo
from undark.serve.server import Server
from undark.serve.tasks import Enhance

__all__ = ["router"]

router: APIRouter = APIRouter(prefix="/v1", tags=["jobs"])

_PING_SECONDS: Final = 15
_JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/jobs",
    status_code=202,
    responses={
        202: {"headers": {"Location": {"schema": {"type": "string"}}}},
        **problems(400, 404, 422, 429),
    },
)
async def post_job(server: Here, asked: JobRequest, response: Response) -> JobState:
    """Have an upload enhanced."""
    upload = server.upload(asked.upload)
    server.coding(asked.codec, asked.crf, asked.preset, asked.bits)
    if asked.end is not None and asked.end <= asked.begin:
        raise UsageError("end must be later than begin", argument="end")
    task = Enhance(
        source=upload.path,
        label=upload.label,
        folder=upload.path.parent,
        model=server.model(asked.model),
        adjust=asked.adjust.given(),
        format=server.format(asked.format),
        quality=asked.quality,
        strip=asked.strip,
        record=asked.record,
        salvage=asked.salvage,
        begin=asked.begin,
        end=asked.end,
        codec=asked.codec,
        crf=asked.crf,
        preset=asked.preset,
        bits=asked.bits,
        video_quality=asked.video_quality,
    )
    job = server.jobs.begin(upload, task)
    response.headers["Location"] = f"{server.settings.root_path}/v1/jobs/{job.id}"
    return _state(server, job)


@router.get("/jobs/{id}", responses=problems(404, 422))
async def get_job(server: Here, id: _JobId) -> JobState:
    """How far a job is."""
    return _state(server, _job(server, id))


@router.delete("/jobs/{id}", status_code=204, responses=problems(404, 422))
async def delete_job(server: Here, id: _JobId) -> Response:
    """Cancel a job, or forget one that is over and its result."""
    await server.jobs.end(_job(server, id))
    return Response(status_code=204)


@router.get(
    "/jobs/{id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events `state` with the job's JSON; the stream ends with the job.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(404, 422, 429),
    },
)
async def get_events(
    server: Here,
    id: _JobId,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="The last event that is known already.")
    ] = None,
) -> Response:
    """Follow a job by server-sent events; `Last-Event-ID` goes on after that one."""
    job = _job(server, id)
    if server.streams >= server.limits.waiting_events:
        headers = {"Retry-After": "5"}
        raise ProblemError(429, "too many streams are open", name="full", headers=headers)
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0

    async def events() -> AsyncIterator[ServerSentEvent]:
        server.streams += 1
        try:
            async for number in server.jobs.follow(job, seen):
                state = _state(server, job).model_dump_json()
                yield ServerSentEvent(state, event="state", id=str(number))
        finally:
            server.streams -= 1

    return EventSourceResponse(events(), ping=_PING_SECONDS)


@router.get(
    "/jobs/{id}/result",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The bytes that the command line would write.",
            "content": {"application/octet-stream": _FILE},
        },
        **problems(404, 409, 416, 422),
    },
)
async def get_result(server: Here, id: _JobId) -> Response:
    """What a job has made."""
    made, hold = _held(server, _job(server, id))
    inner = FileResponse(made.path, media_type=made.mime, headers=attachment(made.name))
    return Sending(inner, hold)


@router.get(
    "/archive",
    response_class=StreamingResponse,
    responses={
        200: {"description": "A zip of results.", "content": {"application/zip": _FILE}},
        **problems(404, 409, 422),
    },
)
async def get_archive(
    server: Here,
    job: Annotated[list[str], Query(min_length=1, max_length=10_000, description="Ids of jobs.")],
) -> Response:
    """The results of several jobs, in one file."""
    results = [_held(server, _job(server, id)) for id in dict.fromkeys(job)]

    @contextmanager
    def hold() -> Generator[Callable[[], None]]:
        with ExitStack() as stack:
            has_each = [stack.enter_context(one) for _, one in results]

            def has_all() -> None:
                for has_it in has_each:
                    has_it()

            yield has_all

    inner = StreamingResponse(
        stream_archive([(made.path, made.name) for made, _ in results]),
        media_type="application/zip",
        headers=attachment("undark.zip"),
    )
    return Sending(inner, hold())


def _job(server: Server, id: str) -> Job:
    found = server.jobs.get(id)
    if found is None:
        raise ProblemError(404, "there is no such job", name="gone")
    return found


def _held(server: Server, job: Job) -> tuple[Made, AbstractContextManager[Callable[[], None]]]:
    """A job's result, and what to enter while it is sent."""
    if job.result is None:
        raise ProblemError(409, f"the job has no result: it is {job.status}", name=job.status)
    return job.result, server.jobs.fetched(job, job.result)


def _state(server: Server, job: Job) -> JobState:
    made = job.result
    return JobState(
        id=job.id,
        upload=job.upload.id,
        name=job.name,
        status=job.status,
        fraction=job.fraction,
        position=server.jobs.position(job),
        seconds_left=server.jobs.remaining(job),
        fps=job.fps,
        notices=job.notices,
        error=None if job.error is None else Problem(**job.error),
        result=None
        if made is None
        else ResultInfo(name=made.name, bytes=made.bytes, sha256=made.sha256, type=made.mime),
    )
