"""What the server is, which models it has, and how it is."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from undark.adjust import CONTROLS
from undark.engine.video import DEFAULT_MODEL
from undark.io.formats import FORMATS, READABLE_SUFFIXES
from undark.io.record import this_version
from undark.io.video.containers import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
from undark.models import resolve
from undark.modes import mode_of
from undark.serve.guard import COOKIE, WRONG_TOKEN_SECONDS
from undark.serve.problems import ProblemError
from undark.serve.routes.common import Here, problems
from undark.serve.schemas import (
    About,
    ControlInfo,
    FormatInfo,
    LimitInfo,
    ModelInfo,
    Models,
    Token,
)

__all__ = ["health", "router"]

_LOSSY = frozenset(("JPEG", "WEBP", "AVIF", "HEIF", "JXL"))

router: APIRouter = APIRouter(prefix="/v1", tags=["about"])
health: APIRouter = APIRouter(tags=["health"])


@router.get("/about", responses=problems())
async def about(server: Here) -> About:
    """What the server is and takes."""
    limits = server.limits
    video = importlib.util.find_spec("av") is not None
    suffixes = sorted({*VIDEO_SUFFIXES, *READ_ONLY_VIDEOS}) if video else []
    return About(
        version=this_version(),
        limits=LimitInfo(
            **{name: getattr(limits, name) for name in LimitInfo.model_fields},
        ),
        controls={
            name: ControlInfo(**{key: getattr(item, key) for key in ControlInfo.model_fields})
            for name, item in CONTROLS.items()
        },
        formats=[
            FormatInfo(
                name=item.name,
                suffix=item.suffix,
                mime=item.mime,
                quality=item.name in _LOSSY,
                reads=True,
                writes=item.is_writable,
            )
            for item in FORMATS.values()
        ],
        photo_suffixes=sorted(READABLE_SUFFIXES),
        video_suffixes=suffixes,
        video_available=video,
    )


@router.get("/models", responses=problems())
async def models(server: Here) -> Models:
    """The models that can be named."""
    found: list[ModelInfo] = []
    for model in server.models.values():
        card, mode = model.card, mode_of(model.card)
        found.append(
            ModelInfo(
                name=card.name,
                title=card.title,
                summary=card.summary,
                mode=mode.name,
                controls=[
                    name for name, item in CONTROLS.items() if item.general or name in mode.controls
                ],
                parameters=card.parameters,
                bytes=model.path.stat().st_size,
                sha256=card.sha256,
                licence=card.licence,
                steady=mode.decides,
            )
        )
    return Models(default=resolve("default").card.name, default_video=DEFAULT_MODEL, models=found)


@router.post("/session", status_code=204, responses=problems(422))
async def session(server: Here, token: Annotated[Token, Body()]) -> Response:
    """Give the token once, and get a cookie that stands for it: for browsers."""
    answer = Response(status_code=204)
    if server.sessions.needed:
        if not server.sessions.is_token(token.token):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            raise ProblemError(401, "this is not the server's token", name="token")
        answer.set_cookie(
            COOKIE,
            server.sessions.begin(),
            path=f"{server.settings.root_path}/",
            httponly=True,
            samesite="strict",
            secure=server.settings.is_public_secure,
        )
    return answer


@health.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Whether the process lives."""
    return "ok\n"


@health.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not."}})
async def readyz(request: Request) -> Response:
    """Whether work is taken."""
    server = request.app.state.server
    if server.is_ready:
        return PlainTextResponse("ready\n")
    return PlainTextResponse("not ready\n", 503)


@health.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems()},
)
async def metrics(server: Here) -> Response:
    """Counts and times for Prometheus."""
    return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)
