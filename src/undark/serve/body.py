"""A limit for every body that comes, whatever reads it."""

from __future__ import annotations

import asyncio
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undark.serve.settings import Limits
from undark.serve.store import TooLargeError

__all__ = ["LimitedBody", "SlowError"]

_FORM_BYTES = 1 << 16
"""What a form has besides its file."""


class SlowError(Exception):
    """A client sends too slowly, or no more."""


class LimitedBody:
    """Lets an app read only so many bytes, and not wait for them for ever.

    Args:
        app: What reads.
        limits: How much.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        """Limit the app."""
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size, waited = 0, 0.0
        more = True

        async def limited() -> Message:
            nonlocal size, waited, more
            if not more:  # now it can only say that the client is gone, which may take long
                return await receive()
            patience = self._limits.body_wait + size / self._limits.body_rate - waited
            begin = monotonic()
            try:
                message = await asyncio.wait_for(receive(), patience)
            except TimeoutError as error:
                more = False
                raise SlowError from error
            waited += monotonic() - begin
            more = message.get("more_body", False)
            size += len(message.get("body", b""))
            if size > self._limits.body_bytes + _FORM_BYTES:
                raise TooLargeError
            return message

        await self._app(scope, limited, send)
