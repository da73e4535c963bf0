"""What `undark serve` is told: where it listens, who may come, and how much of what it takes."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from undark.errors import ModelError, UsageError
from undark.models import Model, names, resolve
from undark.runtime import Device, Precision

__all__ = ["DEFAULT_PORT", "Engine", "Limits", "Settings", "is_loopback"]

DEFAULT_PORT: Final = 8765
"""Where the page is, if nothing else is asked for."""

_LEAST_TOKEN: Final = 16
_GIGA: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken. Bytes, pixels, seconds and counts; each at least 1.

    Attributes:
        body_bytes: Of one photo or video.
        pixels: Of one photo; more are refused by the file's header.
        preview_pixels: Of one preview, or of one part at full size.
        seconds: For one photo.
        video_seconds: For one video.
        queue_bytes: Of all inputs that wait or are worked on.
        queue_pixels: Likewise.
        queue: Inputs that wait or are worked on.
        previews: Previews that wait.
        store_bytes: Of all uploads and results, also of those in the making.
        keep_seconds: How long an upload or a result is kept that nobody asks for.
        body_wait: Seconds that a client may keep the server waiting for its body.
        body_rate: Bytes a second that earn a client more of them.
        header_seconds: Seconds in which a request's header must have come.
        connections: Open at the same time.
        waiting_events: Streams of events open at the same time.
    """

    body_bytes: int = 2 * _GIGA
    pixels: int = 100_000_000
    preview_pixels: int = 1_000_000
    seconds: float = 600.0
    video_seconds: float = 6 * 3600.0
    queue_bytes: int = 4 * _GIGA
    queue_pixels: int = 2_000_000_000
    queue: int = 1000
    previews: int = 64
    store_bytes: int = 16 * _GIGA
    keep_seconds: float = 3600.0
    body_wait: float = 20.0
    body_rate: float = 10_000.0
    header_seconds: float = 10.0
    connections: int = 500
    waiting_events: int = 200

    def __post_init__(self) -> None:
        """Check that each is a limit.

        Raises:
            UsageError: One is below 1, or no number.
        """
        for name in self.__slots__:
            value: float = getattr(self, name)
            if not 1 <= value < math.inf:
                raise UsageError(f"the limit {name} must be at least 1, not {value}", argument=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What runs the models, as for `undark.Enhancer`."""

    runtime: str = "auto"
    device: Device = "auto"
    threads: int | None = None
    precision: Precision = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server is run.

    Attributes:
        host: Address to listen at. Any but this machine's own needs a token.
        port: 0 takes a free one.
        token: What clients must know, at least 16 characters; empty where none is needed.
        allow_hosts: Names by which clients may call the server, besides this machine's own.
        cors: Origins of other pages (``https://example.org``) that may use the API.
        public_url: Where a proxy in front of it is reached (``https://example.org/a/b/``).
        models: Files of models to offer besides undark's own.
        workers: Photos and videos that are worked on at the same time.
        idle: Seconds without work after which models leave the memory.
        engine: What runs the models.
        limits: How much is taken.

    Raises:
        UsageError: A value makes no sense, or is not safe.
        ModelError: A model cannot be read.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str = ""
    allow_hosts: tuple[str, ...] = ()
    cors: tuple[str, ...] = ()
    public_url: str = ""
    models: tuple[Path, ...] = ()
    workers: int = 1
    idle: float = 600.0
    engine: Engine = field(default_factory=Engine)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"the port must be from 0 to 65535, not {self.port}", argument="port")
        if self.workers < 1:
            raise UsageError(f"at least 1 worker is needed, not {self.workers}", argument="workers")
        if not 0.0 < self.idle < math.inf:
            raise UsageError(f"idle must be above 0 seconds, not {self.idle:g}", argument="idle")
        if not self.token and not is_loopback(self.host):
            raise UsageError(
                f"{self.host} can be reached from other machines, so clients need a token to be"
                " let in; choose one of at least 16 characters",
                argument="token",
            )
        # What an HTTP header can carry.
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise UsageError("a token is of printable ASCII characters", argument="token")
        if self.token and (len(self.token) < _LEAST_TOKEN or " " in self.token):
            raise UsageError(
                f"a token has at least {_LEAST_TOKEN} characters and no blank", argument="token"
            )
        for origin in self.cors:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise UsageError(
                    f"{origin!r} is no origin; one looks like https://example.org", argument="cors"
                )
        public = urlsplit(self.public_url)
        if self.public_url and (public.scheme not in ("http", "https") or not public.netloc):
            raise UsageError(
                f"{self.public_url!r} is no address of a page; one looks like"
                " https://example.org/undark/",
                argument="public_url",
            )
        self.offered()

    @property
    def root_path(self) -> str:
        """The path under which a proxy shows the server, without a slash at its end."""
        return urlsplit(self.public_url).path.rstrip("/")

    @property
    def is_public_secure(self) -> bool:
        """Whether clients reach it by HTTPS."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def hosts(self) -> frozenset[str]:
        """Lower-case names by which the server may be called."""
        public = urlsplit(self.public_url).hostname
        own = {"localhost", "127.0.0.1", "::1", self.host.strip("[]").lower()}
        return frozenset(own | {name.lower() for name in self.allow_hosts} | {public or self.host})

    @property
    def origins(self) -> frozenset[str]:
        """Origins, besides the page's own, that may write."""
        public = urlsplit(self.public_url)
        own = {f"{public.scheme}://{public.netloc}"} if self.public_url else set[str]()
        return frozenset({*self.cors, *own})

    def offered(self) -> Mapping[str, Model]:
        """The models that clients may name, by name: undark's own first.

        Raises:
            ModelError: One cannot be read, or has the name of another.
        """
        found = {name: resolve(name) for name in names()}
        for path in self.models:
            model = resolve(path)
            if model.card.name in (*found, "default"):
                raise ModelError(f"{path}: another model is named {model.card.name!r} already")
            found[model.card.name] = model
        return found


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
