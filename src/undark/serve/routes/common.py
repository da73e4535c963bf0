"""What the routes share: the server, parameters, and the problems that each may answer with."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request

from undark.adjust import CONTROLS
from undark.engine.frames import Quality
from undark.serve.problems import MEDIA_TYPE
from undark.serve.schemas import VIDEO_QUALITY
from undark.serve.server import Server

__all__ = ["Adjusted", "Here", "ModelName", "UploadId", "VideoQuality", "problems"]

_MEANINGS: Final = {
    400: "The request makes no sense.",
    401: "The server asks for its token.",
    403: "A page of another origin may not write here.",
    404: "There is no such thing.",
    408: "The body comes too slowly.",
    409: "It was stopped.",
    413: "Too many bytes or pixels.",
    415: "Not of a kind that undark takes.",
    416: "There is no such range.",
    421: "The server is not called by that name.",
    422: "A value makes no sense, or the file cannot be used.",
    429: "Full; `Retry-After` says when to try again.",
    503: "Not ready.",
    507: "Uploads and results fill all the room there is.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its documentation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({401, 403, 421, *statuses})
    }


def _here(request: Request) -> Server:
    return request.app.state.server


Here = Annotated[Server, Depends(_here)]
"""The server that is asked."""

UploadId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-]{16,64}$",
        description="Chosen by the client, such that nobody guesses it.",
        examples=["b2f7c1d09a4e4c1f"],
    ),
]

VideoQuality = Annotated[Quality, Query(description=VIDEO_QUALITY)]

ModelName = Annotated[
    str, Query(max_length=100, description="Name of a model, or `default`.", examples=["relight"])
]


def _value(name: str) -> Any:
    item = CONTROLS[name]
    return Query(ge=item.low, le=item.high, description=item.meaning, allow_inf_nan=False)


def _adjusted(
    strength: Annotated[float | None, _value("strength")] = None,
    exposure: Annotated[float | None, _value("exposure")] = None,
    denoise: Annotated[float | None, _value("denoise")] = None,
    local: Annotated[float | None, _value("local")] = None,
) -> dict[str, float]:
    given = {"strength": strength, "exposure": exposure, "denoise": denoise, "local": local}
    return {name: value for name, value in given.items() if value is not None}


Adjusted = Annotated[dict[str, float], Depends(_adjusted)]
"""What is asked of a result, by name; what is left out is not in it."""
