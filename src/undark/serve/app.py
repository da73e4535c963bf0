"""The application: routes, page, guard and lifetime, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from undark.io.record import this_version
from undark.serve import problems
from undark.serve.body import LimitedBody
from undark.serve.guard import Guard
from undark.serve.routes import about, enhance, jobs, uploads
from undark.serve.server import Server
from undark.serve.settings import Settings

__all__ = ["create_app", "page_folder"]

_YEAR: Final = "public, max-age=31536000, immutable"
_DESCRIPTION: Final = """
Brings dark photos and videos to light, on this machine.

Errors are `application/problem+json` (RFC 9457); `detail` is a line for a person.
"""


class _Page(StaticFiles):
    """The page's files. Those with a hash in their names never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        fixed = path.startswith("assets/") and response.status_code == 200
        response.headers["Cache-Control"] = _YEAR if fixed else "no-cache"
        return response


def page_folder() -> Path:
    """Where the page's built files are."""
    return Path(str(resources.files("undark.serve"))) / "static"


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application; its folder and processes live as long as its lifespan.

    Args:
        settings: How it is run.

    Raises:
        ModelError: A model cannot be read.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        server: Server = app.state.server
        house = asyncio.create_task(server.run())
        try:
            yield
        finally:
            house.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await house
            await server.close()

    server = Server(settings)
    app = FastAPI(
        title="undark",
        version=this_version(),
        summary="Brings dark photos and videos to light, on this machine.",
        description=_DESCRIPTION,
        license_info={"name": "MIT"},
        # The usual pages of documentation load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.server = server
    problems.install(app)
    for router in (
        enhance.router,
        uploads.router,
        jobs.router,
        about.router,
        about.health,
    ):
        app.include_router(router)
    if page_folder().is_dir():
        # Not mounted: a mount would answer for methods that an address does not take.
        app.router.default = _Page(directory=page_folder(), html=True)
    app.add_middleware(LimitedBody, limits=settings.limits)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["Content-Disposition", "Location", "Retry-After"],
        )
    app.add_middleware(Guard, settings=settings, sessions=server.sessions, metrics=server.metrics)
    return app
