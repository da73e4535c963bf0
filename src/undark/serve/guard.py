"""Who may ask for what: hosts, origins and tokens; and the headers that every answer bears."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import secrets
from http.cookies import CookieError, SimpleCookie
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undark.serve.metrics import Metrics
from undark.serve.problems import MEDIA_TYPE, problem
from undark.serve.settings import Settings

__all__ = ["COOKIE", "WRONG_TOKEN_SECONDS", "Guard", "Sessions"]

COOKIE: Final = "undark-session"

_SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_OPEN: Final = ("/healthz", "/readyz")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_MOST_SESSIONS: Final = 1000
WRONG_TOKEN_SECONDS: Final = 0.5
"""How long whoever gives a wrong token waits for the answer."""

_log = logging.getLogger("undark.serve.access")


class Sessions:
    """Browsers that have given the token, each by a cookie of its own.

    Args:
        token: The token; empty where none is needed.
    """

    def __init__(self, token: str) -> None:
        """Nobody has given it yet."""
        self._token = token.encode()
        self._known: dict[str, None] = {}

    @property
    def needed(self) -> bool:
        """Whether a token is needed at all."""
        return bool(self._token)

    def is_token(self, token: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def begin(self) -> str:
        """The cookie of a browser that has given the token."""
        while len(self._known) >= _MOST_SESSIONS:
            del self._known[next(iter(self._known))]
        cookie = secrets.token_urlsafe(32)
        self._known[cookie] = None
        return cookie

    def lets(self, headers: Headers) -> bool:
        """Whether a request with these headers may pass."""
        if not self.needed:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(token.strip())
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and cookies[COOKIE].value in self._known


class Guard:
    """Lets requests through to an app, or answers them with a problem.

    Args:
        app: What is guarded.
        settings: Who may come.
        sessions: Who has given the token.
        metrics: Where requests are counted.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, sessions: Sessions, metrics: Metrics
    ) -> None:
        """Guard the app."""
        self._app = app
        self._hosts = settings.hosts
        self._any_address = settings.host in ("0.0.0.0", "::", "")
        self._origins = settings.origins
        self._root = settings.root_path
        self._sessions = sessions
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        status = 0
        path = self._below_root(scope["path"])
        # Whether a proxy has stripped the root or not, the app finds it.
        scope = {**scope, "root_path": self._root, "path": f"{self._root}{path}"}

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = await self._refusal(scope, path)
        try:
            if refusal is not None:
                await _refuse(answer, *refusal)
            elif not path:
                await _redirect(answer, f"{self._root}/")
            else:
                await self._app(scope, receive, answer)
        finally:
            # The route's pattern, not the path: no name, no id.
            route = scope.get("route")
            pattern = getattr(route, "path", "") or ("page" if refusal is None else "refused")
            seconds = perf_counter() - begin
            self._metrics.request(scope["method"], pattern, status, seconds)
            _log.info("%s %s %d %.0f ms", scope["method"], pattern, status, 1000 * seconds)

    def _below_root(self, path: str) -> str:
        """The path without the one under which a proxy shows the server; empty for that itself."""
        if path == self._root or path.startswith(f"{self._root}/"):
            return path.removeprefix(self._root)
        return path

    async def _refusal(self, scope: Scope, path: str) -> tuple[int, str, str] | None:
        """Status, line and kind of the refusal of a request; None where it may pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._knows(host):
            told = "this server is not called by that name; --allow-host lets it be"
            return 421, told, "host"
        if scope["method"] not in _SAFE_METHODS:
            origin = headers.get("origin")
            site = headers.get("sec-fetch-site", "none")
            own = origin is not None and origin.partition("://")[2] == host
            if origin in self._origins or own:
                pass
            elif origin is not None or site not in ("none", "same-origin"):
                return (
                    403,
                    "pages of other origins may not write here (--public-url names a proxy's)",
                    "origin",
                )
        closed = path.startswith("/v1/") or path in ("/metrics", "/openapi.json")
        # Browsers ask without a token whether another page may ask with one.
        asks = path == "/v1/session" or scope["method"] == "OPTIONS"
        if closed and not asks and not self._sessions.lets(headers):
            if headers.get("authorization"):
                await asyncio.sleep(WRONG_TOKEN_SECONDS)
            return 401, "this server asks for its token", "token"
        return None

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._hosts:
            return True
        if self._any_address:
            # Rebinding needs a name; and who comes to all addresses has to know the token.
            try:
                ipaddress.ip_address(name)
            except ValueError:
                return False
            return True
        return False


async def _refuse(send: Send, status: int, detail: str, name: str) -> None:
    body = json.dumps(problem(status, detail, name=name)).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="undark"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, to: str) -> None:
    headers = [(b"location", to.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
