"""A pool of worker processes, watched: who dies is replaced, and what was in hand is told."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Final, Literal, Self

from undark.errors import DeviceError, OutputError
from undark.fleet.child import BACKLOG, Limits, main
from undark.fleet.messages import Beat, Ended, Free, Hand, Later, Ready, Stop, Task, Trouble
from undark.fleet.plan import Row
from undark.fleet.settings import Settings

__all__ = ["Died", "Pool", "Told"]

_TICK: Final = 0.25
_WAIT: Final = 5.0
_SILENCE: Final = 120.0
_BIRTHS: Final = 3

_LIMITED: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Died:
    """A worker has died with this key in hand."""

    row: Row
    how: str


Told = Ended | Died | None
"""What a pool tells: an end, a death, or None now and then."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    link: Connection
    heard: float
    ready: bool = False
    tasks: dict[tuple[int, int], Task] = field(default_factory=dict[tuple[int, int], Task])
    hand: Row | None = None
    since: float = 0.0


class Pool:
    """Worker processes.

    Args:
        settings: The run's.
        processes: How many.
        limits: What each keeps to.
        longest: Seconds that a photo may take; then its worker is killed, as if it had died of it.
    """

    def __init__(
        self,
        settings: Settings,
        processes: int,
        *,
        limits: Limits | None = None,
        longest: float | None = None,
    ) -> None:
        """Nothing is started before there is work."""
        self._settings = settings
        self._count = processes
        self._limits = limits or Limits()
        self._longest = longest
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._again: deque[tuple[float, Task]] = deque()
        self._stillborn = 0
        self._stopping = False
        self._stopped = 0.0
        self.describe: str = ""

    @property
    def pids(self) -> list[int]:
        """The worker processes' numbers."""
        return [item.process.pid for item in self._workers if item.process.pid is not None]

    def again(self, row: Row) -> None:
        """Do a key again, after what is waiting."""
        self._later(Task(row, resumed=True))

    def stop(self) -> None:
        """Let each worker end after the photo in hand; `run` then comes to its end."""
        self._stopping = True
        self._stopped = time.monotonic()
        for item in self._workers:
            with suppress(OSError):
                item.link.send(Stop())

    def run(self, tasks: Iterator[Task]) -> Generator[Told, None, None]:
        """Do what comes; give ends and deaths as they happen, and None now and then.

        A key whose worker has died is not done again unless `again` is called with it; others that
        the worker knew of are.

        Raises:
            OutputError: A worker cannot go on, for a reason that is no photo's.
            DeviceError: Workers die as they start.
        """
        more = True
        while True:
            while not self._stopping and (free := self._free()) is not None:
                task = self._due(last=not more)
                if task is None and more:
                    task = next(tasks, None)
                    more = task is not None
                    task = task or self._due(last=True)
                if task is None:
                    break
                self._give(free or self._started(), task)
            busy = self._again or any(item.tasks for item in self._workers)
            if not self._workers if self._stopping else not (more or busy):
                return
            yield from self._hear()
            yield None

    def close(self) -> None:
        """End all workers, those that do not listen by force."""
        for item in self._workers:
            item.link.close()
        deadline = time.monotonic() + self._limits.grace
        for item in self._workers:
            item.process.join(max(0.0, deadline - time.monotonic()))
            if item.process.is_alive():
                item.process.kill()
                item.process.join()
        self._workers = []

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers."""
        self.close()

    def _later(self, task: Task) -> None:
        self._again.append((time.monotonic(), task))

    def _due(self, *, last: bool) -> Task | None:
        """What is to be done again and has waited for a while, or is all that is left."""
        if self._again and (last or time.monotonic() - self._again[0][0] > _WAIT):
            return self._again.popleft()[1]
        return None

    def _free(self) -> _Worker | Literal[False] | None:
        """The worker with the least to do, if it has room; False where one more may be started."""
        idle = [item for item in self._workers if len(item.tasks) < BACKLOG]
        least = min(idle, key=lambda item: len(item.tasks), default=None)
        if len(self._workers) < self._count and (least is None or least.tasks):
            return False
        return least

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        with _environment(self._limits.threads):
            process = self._context.Process(
                target=main, args=(theirs, self._settings, self._limits), daemon=False
            )
            process.start()
        theirs.close()
        item = _Worker(process, ours, time.monotonic())
        self._workers.append(item)
        return item

    def _give(self, item: _Worker, task: Task) -> None:
        item.tasks[task.row.shard, task.row.row] = task
        with suppress(OSError):  # a death is seen where it is listened for
            item.link.send(task)

    def _hear(self) -> Iterator[Told]:
        """What workers say, for a moment."""
        links: dict[Any, _Worker] = {item.link: item for item in self._workers}
        if not links:
            time.sleep(_TICK)
            return
        for link in wait(list(links), _TICK):
            yield from self._heard(links[link])
        now = time.monotonic()
        late = self._stopping and now - self._stopped > self._limits.grace + _WAIT
        for item in self._workers:
            silent = now - item.heard > _SILENCE
            slow = (
                self._longest is not None
                and item.hand is not None
                and now - item.since > self._longest
            )
            if silent or slow or late:
                item.process.kill()

    def _heard(self, item: _Worker) -> Iterator[Told]:
        try:
            while item.link.poll():
                message = item.link.recv()
                item.heard = time.monotonic()
                ended = self._understood(item, message)
                if ended is not None:
                    yield ended
        except (EOFError, OSError):
            yield from self._buried(item)

    def _understood(self, item: _Worker, message: Any) -> Ended | None:
        match message:
            case Ready():
                item.ready = True
                self._stillborn = 0
                self.describe = message.describe
            case Hand():
                item.hand, item.since = message.row, time.monotonic()
            case Free():
                item.hand = None
            case Later():
                task = item.tasks.pop((message.row.shard, message.row.row))
                self._later(replace(task, tries=task.tries + 1))
            case Ended():
                item.tasks.pop((message.row.shard, message.row.row), None)
                return message
            case Trouble():
                raise OutputError(message.text)
            case Beat():
                pass
            case _:
                raise AssertionError(message)
        return None

    def _buried(self, item: _Worker) -> Iterator[Died]:
        """A worker is gone: what it knew of goes to others, but for what was in hand."""
        item.link.close()
        item.process.join()
        self._workers.remove(item)
        if not item.ready and not self._stopping:
            self._stillborn += 1
            if self._stillborn >= _BIRTHS:
                raise DeviceError(f"workers die as they start ({_how(item.process)})")
        hand = item.hand
        if hand is not None:
            del item.tasks[hand.shard, hand.row]
        for task in item.tasks.values():
            self._later(replace(task, resumed=True))
        if hand is not None:
            yield Died(hand, _how(item.process))


def _how(process: SpawnProcess) -> str:
    """How a process has ended."""
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


@contextmanager
def _environment(threads: int | None) -> Generator[None]:
    """The environment that a process is started in: libraries read their threads from it."""
    if threads is None:
        yield
        return
    old = {name: os.environ.get(name) for name in _LIMITED}
    os.environ.update(dict.fromkeys(_LIMITED, str(threads)))
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
