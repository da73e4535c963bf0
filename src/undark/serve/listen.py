"""Listening: uvicorn, with a limit of connections and of the time that a header may take."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from undark.errors import UsageError
from undark.serve.settings import Limits, Settings

__all__ = ["address", "bound", "listen"]

_BACKLOG: Final = 512
_KEEP_ALIVE: Final = 8
_GRACE: Final = 10
_HEADER_BYTES: Final = 32 << 10


def _protocol(limits: Limits) -> type[H11Protocol]:
    class _Limited(H11Protocol):
        """Connections beyond the limit are closed, and so are those with no whole request."""

        count: ClassVar[int] = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            _Limited.count += 1
            self._timer: asyncio.TimerHandle | None = None
            self._idle_since = self.loop.time()
            if _Limited.count > limits.connections:
                transport.close()
                return
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            _Limited.count -= 1
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            """Close the connection where nothing is answered and no header comes for too long.

            Whatever trickles in meanwhile, be it the rest of a body that was refused, is no reason
            to wait.
            """
            now = self.loop.time()
            # None before the first request, whatever its type says.
            busy = self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]
            if busy:
                self._idle_since = now
            if now - self._idle_since >= limits.header_seconds:
                self.transport.close()
            else:
                self._timer = self.loop.call_later(min(1.0, limits.header_seconds), self._look)

    return _Limited


def bound(settings: Settings) -> socket.socket:
    """The socket to listen at.

    Raises:
        UsageError: The address is taken, or is none of this machine's.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, number, _, place = found[0]
        listening = socket.socket(family, kind, number)
        if sys.platform != "win32":  # where it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(place)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen at {settings.host}, port {settings.port}:"
            f" {error.strerror or error}; choose another port",
            argument="port",
        ) from error
    return listening


def address(settings: Settings, listening: socket.socket) -> str:
    """The page's address, for a browser on this machine."""
    host, port = str(listening.getsockname()[0]), int(listening.getsockname()[1])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{settings.root_path}/"


def listen(
    app: FastAPI, settings: Settings, listening: socket.socket, *, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; then finish what was begun, for a while.

    Args:
        app: What answers.
        settings: How it is run.
        listening: Where, as `bound` gives it.
        ready: Called once requests are taken.
    """
    config = uvicorn.Config(
        app,
        http=_protocol(settings.limits),
        ws="none",
        log_config=None,
        access_log=False,  # the guard's own holds no names
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        backlog=_BACKLOG,
    )
    server = _Server(config, ready)
    server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, that says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """End in good order, and with exit code 0: uvicorn's own raises the signal again."""
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
