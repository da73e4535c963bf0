"""What the routes share: the store, the lanes, the jobs, and what is done with one upload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from undark.io.formats import format_named
from undark.io.video.coding import Coding
from undark.models import Model
from undark.serve.body import SlowError
from undark.serve.guard import Sessions
from undark.serve.jobs import Jobs
from undark.serve.metrics import Metrics
from undark.serve.pool import Lane
from undark.serve.problems import ProblemError
from undark.serve.settings import Settings
from undark.serve.store import Store, TooLargeError, Upload

__all__ = ["Server", "drain", "unless_gone"]

_SWEEP_SECONDS = 5.0
_DRAIN_BYTES = 64 << 20
_DRAIN_SECONDS = 5.0

T = TypeVar("T")


class Server:
    """All that a server keeps while it runs.

    Args:
        settings: How it is run.

    Raises:
        ModelError: A model cannot be read.
        OutputError: No folder for uploads can be made.
    """

    def __init__(self, settings: Settings) -> None:
        """Make the folder; no process is started yet."""
        limits = settings.limits
        self.settings = settings
        self.limits = limits
        self.models: Mapping[str, Model] = settings.offered()
        self.metrics: Metrics = Metrics()
        self.sessions: Sessions = Sessions(settings.token)
        self.store: Store = Store(limits)
        self.lane: Lane = Lane(
            settings.workers, settings.engine, limits, most=limits.queue, polite=True
        )
        # Of their own, so that a slider is answered while a video is made.
        self.previews: Lane = Lane(1, settings.engine, limits, most=limits.previews, polite=False)
        self.jobs: Jobs = Jobs(self.store, self.lane, limits, self.metrics)
        self.streams: int = 0
        self.is_ready: bool = False
        self.metrics.gauges(self._gauges)

    def _gauges(self) -> dict[str, float]:
        cost = self.lane.cost
        return {
            "queue": self.lane.tasks,
            "queue_bytes": cost.bytes,
            "queue_pixels": cost.pixels,
            "previews": self.previews.tasks,
            "store_bytes": self.store.bytes,
            "uploads": len(self.store.uploads),
            "workers": len(self.lane.pids) + len(self.previews.pids),
            "worker_deaths": self.lane.deaths + self.previews.deaths,
        }

    async def run(self) -> None:
        """Keep house until cancelled: let processes rest, and forget what nobody asks for."""
        await asyncio.to_thread(self._start)
        self.is_ready = True
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self.settings.idle))
            self.store.sweep()
            self.jobs.sweep()
            for lane in (self.lane, self.previews):
                lane.rest(self.settings.idle)

    def _start(self) -> None:
        self.lane.start()
        self.previews.start()

    async def close(self) -> None:
        """End all work and remove the folder."""
        self.is_ready = False
        await self.jobs.close()
        await asyncio.to_thread(self.lane.close)
        await asyncio.to_thread(self.previews.close)
        self.store.close()

    def model(self, name: str) -> str:
        """What a worker calls the model that a client names; never a path of the client's.

        Raises:
            ProblemError: There is none of that name.
        """
        if name == "default":
            return name
        if name not in self.models:
            raise ProblemError(422, f"no model named {name!r} is offered here", name="model")
        own = self.models[name].path
        return str(own) if own in self.settings.models else name

    @staticmethod
    def format(name: str | None) -> str | None:
        """The format that a client names.

        Raises:
            UsageError: undark does not write it.
        """
        return None if name is None else format_named(name)

    @staticmethod
    def coding(codec: str | None, crf: int | None, preset: str | None, bits: int | None) -> None:
        """See that a video can be encoded so.

        Raises:
            UsageError: It cannot.
        """
        Coding(codec, crf, preset, bits=bits)

    def upload(self, id: str) -> Upload:
        """The upload of that id.

        Raises:
            ProblemError: There is none.
        """
        found = self.store.uploads.get(id)
        if found is None or found.facts is None:
            raise ProblemError(404, "there is no such upload; send the file again", name="gone")
        return found

    async def refuse_early(self, request: Request) -> None:
        """Refuse a body that says itself that it is too large, before it is read.

        Raises:
            ProblemError: It is.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limits.body_bytes:
            raise ProblemError(413, "the file has more bytes than this server takes")


async def drain(request: Request) -> None:
    """Read what a client still sends, so that it can hear the answer; not for long."""
    with contextlib.suppress(
        ClientDisconnect, TimeoutError, RuntimeError, SlowError, TooLargeError
    ):
        async with asyncio.timeout(_DRAIN_SECONDS):
            size = 0
            async for piece in request.stream():
                size += len(piece)
                if size > _DRAIN_BYTES:
                    return


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled where the client goes away.

    Args:
        request: Its body is read already.
        work: What is done for it.

    Raises:
        ClientDisconnect: The client went away.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
