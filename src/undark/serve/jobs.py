"""Jobs of clients: queued, worked on, followed, cancelled, and forgotten after a while."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import secrets
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, Literal

from undark.io.formats import FORMATS, PHOTO_SUFFIXES
from undark.io.walk import OUTPUT_MARK, is_video
from undark.serve.metrics import Metrics
from undark.serve.pool import Cost, Lane, RefusedError, Ticket
from undark.serve.problems import NO_ROOM, ProblemError, as_problem, problem
from undark.serve.settings import Limits
from undark.serve.store import NoRoomError, Store, Upload
from undark.serve.tasks import Enhance, Moved, Noticed, Result

__all__ = ["Job", "Jobs", "Made", "mime_of", "result_name"]

_FINAL: Final = ("done", "failed", "cancelled")

Status = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Made:
    """A result: its file, the name that the client sees, its size and its digest."""

    path: Path
    name: str
    bytes: int
    sha256: str
    mime: str


@dataclass(eq=False, slots=True)
class Job:
    """One job.

    Attributes:
        id: Unguessable.
        upload: Of which it is.
        name: Of the result, as the client sees it; its suffix may still change.
        number: Rises with every change.
        changed: Set and replaced with every change.
    """

    id: str
    upload: Upload
    name: str
    ticket: Ticket
    number: int = 1
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    status: Status = "queued"
    fraction: float = 0.0
    fps: float | None = None
    notices: list[str] = field(default_factory=list[str])
    error: dict[str, Any] | None = None
    result: Made | None = None
    begun: float | None = None
    used: float = field(default_factory=monotonic)
    work: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in _FINAL

    def change(self, **values: Any) -> None:
        """Set some attributes, and let those know who follow."""
        for name, value in values.items():
            setattr(self, name, value)
        self.number += 1
        self.used = monotonic()
        self.changed.set()
        self.changed = asyncio.Event()


class Jobs:
    """All jobs.

    Args:
        store: Where inputs and results are.
        lane: Where they are worked on.
        limits: How long they may take, and are kept.
        metrics: Where they are counted.
    """

    def __init__(self, store: Store, lane: Lane, limits: Limits, metrics: Metrics) -> None:
        """There is none yet."""
        self._store = store
        self._lane = lane
        self._limits = limits
        self._metrics = metrics
        self._jobs: dict[str, Job] = {}

    def get(self, id: str) -> Job | None:
        """The job of that id."""
        job = self._jobs.get(id)
        if job is not None:
            job.used = monotonic()
        return job

    def begin(self, upload: Upload, task: Enhance) -> Job:
        """Queue a job; must be called in the event loop.

        Args:
            upload: Its input; kept until the job is over.
            task: What to do, its folder not chosen yet.

        Raises:
            FullError: There is no room.
        """
        facts = upload.facts
        pixels = facts.width * facts.height if facts else 0
        holds = ExitStack()
        ticket = holds.enter_context(self._lane.place(Cost(upload.bytes, pixels)))
        holds.enter_context(self._store.held(upload))
        name = result_name(upload.label, Path(upload.label).suffix)
        job = Job(secrets.token_urlsafe(24), upload, name, ticket)
        self._jobs[job.id] = job
        job.work = asyncio.create_task(self._work(job, task))

        def ended(_: object) -> None:
            holds.close()
            if not job.is_over:  # cancelled before it was begun at all
                job.change(status="cancelled")

        job.work.add_done_callback(ended)
        return job

    async def _work(self, job: Job, task: Enhance) -> None:
        label = job.upload.label
        try:
            made = await self.make(task, job.ticket, job)
            job.change(status="done", fraction=1.0, result=made, name=made.name)
        except RefusedError as error:
            job.change(status="failed", error=as_problem(error.failure))
        except NoRoomError:
            told = f"{label}: {NO_ROOM}"
            job.change(status="failed", error=problem(507, told, name="no-room"))
        except asyncio.CancelledError:
            job.change(status="cancelled")
        except Exception:
            told = f"{label}: the server has met an unexpected error; see its log"
            job.change(status="failed", error=problem(500, told))
            raise

    async def make(self, task: Enhance, ticket: Ticket, job: Job | None = None) -> Made:
        """Do a task when its turn comes.

        Args:
            task: What to do; its folder is chosen here, and stays only if it is done.
            ticket: Its place in the lane.
            job: Which is told how far it is.

        Raises:
            RefusedError: It could not be done.
            NoRoomError: The store, or the disk, is full.
        """

        full = False

        def notify(message: Moved | Noticed) -> None:
            nonlocal full
            try:
                self._store.weigh(folder)  # so that a video in the making is counted as it grows
            except NoRoomError:
                full = True
                work.cancel()
            if job is None or job.is_over:
                return
            if isinstance(message, Noticed):
                job.change(notices=[*job.notices, message.text])
                return
            if job.begun is None:
                job.begun = monotonic()
            job.change(status="running", fraction=message.fraction, fps=message.fps)

        video = is_video(task.source)
        kind = "video" if video else "photo"
        seconds = self._limits.video_seconds if video else self._limits.seconds
        begin = monotonic()
        outcome = "cancelled"
        folder = self._store.folder()
        task = replace(task, folder=folder)
        running = self._lane.run(ticket, task, seconds=seconds, notify=notify)
        work = asyncio.ensure_future(running)
        try:
            value = await work
            assert isinstance(value, Result)
            self._store.weigh(folder)
            made = await asyncio.to_thread(_made, value.path, task.label)
            outcome = "done"
            return made
        except asyncio.CancelledError:
            if not full:
                raise
            outcome = "failed"
            raise NoRoomError from None
        except (RefusedError, NoRoomError):
            outcome = "failed"
            raise
        finally:
            if outcome != "done":
                self._store.remove(folder)
            self._metrics.work(kind, outcome, monotonic() - begin)

    def remaining(self, job: Job) -> float | None:
        """About how many seconds until a job is over; None where that is not known."""
        if job.status == "queued":
            return self._lane.wait_for(job.ticket)
        if job.status == "running" and job.begun is not None and job.fraction > 0.0:
            return (monotonic() - job.begun) * (1.0 - job.fraction) / job.fraction
        return None

    def position(self, job: Job) -> int | None:
        """How many jobs are to be begun before it; None where it waits no more."""
        return self._lane.position(job.ticket)

    async def follow(self, job: Job, seen: int) -> AsyncIterator[int]:
        """The number of each new state of a job, until it is over.

        Args:
            job: Which.
            seen: Number of the last state that is known already.
        """
        while True:
            changed = job.changed
            if job.number > seen:
                seen = job.number
                yield seen
            if job.is_over:
                if job.number > seen:
                    continue
                return
            await changed.wait()

    async def end(self, job: Job) -> None:
        """Cancel a job that is not over; forget one that is, and its result."""
        if job.is_over or job.work is None:
            self._forget(job)
            return
        job.work.cancel()
        await asyncio.wait([job.work])

    @contextmanager
    def fetched(self, job: Job, made: Made) -> Generator[Callable[[], None]]:
        """Within it, a job's result stays; what it gives is to be called once the client has it.

        Raises:
            ProblemError: It was removed already.
        """
        folder = made.path.parent
        with self._store.kept(folder):
            if not made.path.exists():
                raise ProblemError(404, "there is no such job", name="gone")
            yield lambda: self._store.spare(folder, lambda: self._forget(job))

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if job.result is not None:
            self._store.remove(job.result.path.parent)

    def sweep(self) -> None:
        """Forget jobs that have been over for long and that nobody has asked for."""
        old = monotonic() - self._limits.keep_seconds
        for job in list(self._jobs.values()):
            if job.is_over and job.used < old:
                self._forget(job)

    async def close(self) -> None:
        """Cancel all."""
        works = [job.work for job in self._jobs.values() if job.work is not None]
        for work in works:
            work.cancel()
        if works:
            await asyncio.wait(works)


def result_name(label: str, suffix: str) -> str:
    """What a client calls the result of a file that it calls `label`."""
    return f"{Path(label).stem or 'photo'}{OUTPUT_MARK}{suffix}"


def mime_of(path: Path) -> str:
    """The type of a file that undark wrote."""
    kind = PHOTO_SUFFIXES.get(path.suffix.lower())
    found = FORMATS[kind].mime if kind else mimetypes.guess_type(path.name)[0]
    return found or "application/octet-stream"


def _made(path: Path, label: str) -> Made:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = result_name(label, path.suffix)
    return Made(path, name, path.stat().st_size, digest, mime_of(path))
