"""Results on their way to clients: none is removed while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import quote

from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

__all__ = ["Sending", "attachment"]


class Sending(Response):
    """A response within whose sending something is held.

    Args:
        inner: The response.
        hold: Entered before it is sent, left once it was sent or could not be. What it gives is
            called where the client has all of it.
    """

    def __init__(self, inner: Response, hold: AbstractContextManager[Callable[[], object]]) -> None:
        """Nothing is sent yet."""
        super().__init__()
        self._inner = inner
        self._hold = hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        wanted = whole = False
        # The server's `send` does not say that nobody is there any more.
        gone = asyncio.ensure_future(_gone(receive))

        async def watched(message: Message) -> None:
            nonlocal wanted, whole
            if message["type"] == "http.response.start":
                wanted = message["status"] == 200 and scope["method"] == "GET"
            elif not message.get("more_body", False):
                await asyncio.sleep(0)
                whole = wanted and not gone.done()
            await send(message)

        try:
            with self._hold as has_it:
                await self._inner(scope, receive, watched)
                if whole:
                    has_it()
        finally:
            gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def attachment(name: str) -> dict[str, str]:
    """The header by which a browser saves an answer under this name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    plain = plain.replace("\\", "_").replace('"', "_")
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    }
