"""Errors as clients see them: `application/problem+json` (RFC 9457), a line each, no traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from undark.errors import UndarkError
from undark.serve.body import SlowError
from undark.serve.pool import FullError, RefusedError
from undark.serve.store import NoRoomError, TooLargeError
from undark.serve.tasks import Failure, failure_of

__all__ = ["MEDIA_TYPE", "NO_ROOM", "ProblemError", "as_problem", "install", "problem"]

NO_ROOM: Final = (
    "the server has no more room; download and remove what is done, remove uploads, or try again"
    " later"
)
"""What to tell where uploads and results fill the store."""

MEDIA_TYPE: Final = "application/problem+json"

_log = logging.getLogger("undark.serve")

_STATUS: Final = {
    "UsageError": 422,
    "UnreadableError": 422,
    "DamagedError": 422,
    "UnsupportedError": 415,
    "OutputError": 422,
    "ModelError": 422,
    "MissingExtraError": 415,
    "TooSlowError": 422,
    "DiedError": 422,
    "StoppedError": 409,
}
"""Status by the class of an error; others are the server's own fault."""


class ProblemError(Exception):
    """A problem to be told to a client.

    Args:
        status: Of HTTP.
        detail: A line for a person: what is wrong, and what to do.
        name: Kind of problem, for programs.
        headers: To be sent with it.
    """

    def __init__(
        self, status: int, detail: str, *, name: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what is to be told."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name
        self.headers: dict[str, str] = dict(headers or {})


def problem(status: int, detail: str, *, name: str = "") -> dict[str, Any]:
    """A problem as JSON has it."""
    return {
        "type": f"urn:undark:problem:{name}" if name else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def as_problem(failure: Failure) -> dict[str, Any]:
    """A failure of a task as a problem."""
    status = _STATUS.get(failure.kind, 500)
    if failure.kind in ("UnsupportedError", "DamagedError") and failure.argument == "pixels":
        status = 413
    return problem(status, failure.message, name=_name(failure.kind))


def _name(kind: str) -> str:
    """``DamagedError`` as ``damaged``."""
    return kind.removesuffix("Error").lower()


def install(app: FastAPI) -> None:
    """Have the app answer every error with a problem."""

    @app.exception_handler(ProblemError)
    def _(_: Request, error: ProblemError) -> JSONResponse:
        return _answer(problem(error.status, error.detail, name=error.name), error.headers)

    @app.exception_handler(RefusedError)
    def _(_: Request, error: RefusedError) -> JSONResponse:
        return _answer(as_problem(error.failure))

    @app.exception_handler(UndarkError)
    def _(_: Request, error: UndarkError) -> JSONResponse:
        return _answer(as_problem(failure_of(error)))

    @app.exception_handler(FullError)
    def _(_: Request, error: FullError) -> JSONResponse:
        seconds = {"Retry-After": str(round(error.seconds))}
        return _answer(problem(429, str(error), name="full"), seconds)

    @app.exception_handler(NoRoomError)
    def _(_: Request, _error: NoRoomError) -> JSONResponse:
        return _answer(problem(507, NO_ROOM, name="no-room"), {"Retry-After": "60"})

    @app.exception_handler(TooLargeError)
    def _(_: Request, _error: TooLargeError) -> JSONResponse:
        return _answer(problem(413, "the file has more bytes than this server takes"))

    @app.exception_handler(SlowError)
    def _(_: Request, _error: SlowError) -> JSONResponse:
        headers = {"Connection": "close"}
        return _answer(problem(408, "the file comes too slowly"), headers)

    @app.exception_handler(ClientDisconnect)
    def _(_: Request, _error: ClientDisconnect) -> JSONResponse:
        return _answer(problem(400, "the client went away"))

    @app.exception_handler(RequestValidationError)
    def _(_: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(problem(422, _worded(error), name="usage"))

    @app.exception_handler(HTTPException)
    def _(_: Request, error: HTTPException) -> JSONResponse:
        detail = {404: "there is nothing at this address", 405: "this method is not for here"}
        told = detail.get(error.status_code, str(error.detail))
        return _answer(problem(error.status_code, told), dict(error.headers or {}))

    @app.exception_handler(Exception)
    def _(_: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected %s", type(error).__name__, exc_info=error)
        return _answer(problem(500, "the server has met an unexpected error; see its log"))


def _answer(content: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(content, content["status"], dict(headers or {}), media_type=MEDIA_TYPE)


def _worded(error: RequestValidationError) -> str:
    """All that is wrong with a request, in one line."""
    lines: list[str] = []
    for item in error.errors():
        place = [str(part) for part in item["loc"] if part not in ("query", "body", "path")]
        lines.append(f"{'.'.join(place) or 'the body'}: {item['msg'].lower()}")
    return "; ".join(lines)
