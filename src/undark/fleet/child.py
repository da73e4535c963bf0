"""A worker process: photos in, receipts out; fetching and publishing go on beside the model."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from undark.fleet.messages import (
    Beat,
    Ended,
    Free,
    Hand,
    Later,
    Ready,
    Stop,
    Task,
    Trouble,
)
from undark.fleet.receipts import Receipt

if TYPE_CHECKING:
    from undark.fleet.settings import Settings
    from undark.fleet.sources import Fetched
    from undark.fleet.worker import Worker

__all__ = ["BACKLOG", "Limits", "main"]

BACKLOG: Final = 8
"""Keys that a worker knows of at a time."""

_BEAT: Final = 2.0
_THREADS: Final = 2
_MANY: Final = 10  # Failures of a store in a row, after which it is the store and no file.
_TRIES: Final = 100  # With _PAUSE: half a minute, after which another is not waited for.
_PAUSE: Final = 0.3
_UNKNOWN: Final = 8 << 20  # Bytes to reckon with where a source does not say.


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process keeps to.

    Attributes:
        threads: Processor threads for the model; None lets the runtime choose.
        flight: Bytes of sources that are fetched ahead or not yet published; one more where
            nothing else is in flight.
        grace: Seconds from being told to end, or from its supervisor's death, to its end.
    """

    threads: int | None = 1
    flight: int = 256 << 20
    grace: float = 25.0


def main(link: Connection, settings: Settings, limits: Limits) -> None:
    """Work until told to stop, or the supervisor is gone.

    Args:
        link: To the supervisor.
        settings: The run's.
        limits: What is kept to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    talk = _Talk(link, limits.grace)
    signal.signal(signal.SIGTERM, talk.on_signal)
    try:
        if limits.threads is not None:
            import cv2

            cv2.setNumThreads(limits.threads)
        from undark.fleet.worker import Worker

        worker = Worker(settings, limits.threads)
    except Exception as error:
        talk.tell(Trouble(" ".join(str(error).split()) or type(error).__name__))
        return
    talk.tell(Ready(worker.describe()))
    try:
        _Line(worker, talk, limits).run()
    finally:
        worker.close()
    # Nothing is left to be done, and the libraries' own threads (of stores, of Arrow) may still
    # run: the interpreter's end, which they may not survive, is left out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Talk:
    """The link to the supervisor: what comes is queued, and its end is seen at once."""

    def __init__(self, link: Connection, grace: float) -> None:
        self._link = link
        self._grace = grace
        self._sending = threading.Lock()
        self.tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.stopping = threading.Event()
        for work in (self._listen, self._beat):
            threading.Thread(target=work, daemon=True).start()

    def tell(self, message: Any) -> None:
        # A supervisor that is gone hears nothing; what is published is found again.
        with suppress(OSError), self._sending:
            self._link.send(message)

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End after the photo in hand; or, if that takes longer than the grace, at once."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.tasks.put(None)
            timer = threading.Timer(self._grace, os._exit, (1,))
            timer.daemon = True
            timer.start()

    def _listen(self) -> None:
        try:
            while True:
                message = self._link.recv()
                if isinstance(message, Stop):
                    break
                self.tasks.put(message)
        except (EOFError, OSError):
            pass
        self.stop()

    def _beat(self) -> None:
        while True:
            self.tell(Beat())
            time.sleep(_BEAT)


@dataclass(slots=True)
class _Item:
    """A key on its way through the process."""

    task: Task
    bench: Path
    size: int
    fetched: Future[Fetched | Receipt]


class _Line:
    """The way of photos through the process: fetched ahead, made one by one, published behind."""

    def __init__(self, worker: Worker, talk: _Talk, limits: Limits) -> None:
        self._worker = worker
        self._talk = talk
        self._limits = limits
        self._ahead: deque[_Item] = deque()
        self._next: Task | None = None
        self._changed = threading.Condition()
        self._flying = 0
        self._broken: str = ""
        self._bad = 0

    def run(self) -> None:
        """Do what comes until the end."""
        with ThreadPoolExecutor(_THREADS) as fetching, ThreadPoolExecutor(_THREADS) as publishing:
            while not self._talk.stopping.is_set() and not self._broken:
                self._take(fetching)
                if not self._ahead:
                    continue
                item = self._ahead.popleft()
                try:
                    self._make(item, publishing)
                except Exception as error:
                    self._break(error)
            for item in self._ahead:
                item.fetched.cancel()
        if self._broken:
            self._talk.tell(Trouble(self._broken))

    def _take(self, fetching: ThreadPoolExecutor) -> None:
        """Begin to fetch what there is room for; wait for something if nothing is at hand."""
        while len(self._ahead) < BACKLOG:
            if self._next is None:
                try:
                    wait = not self._ahead
                    self._next = self._talk.tasks.get(wait, 0.2 if wait else None)
                except Empty:
                    return
                if self._next is None:  # the end
                    return
            size = self._next.row.size or _UNKNOWN
            with self._changed:
                full = self._flying > 0 and self._flying + size > self._limits.flight
                if full and self._ahead:
                    return
                if full:  # what is being published makes room
                    self._changed.wait(0.2)
                    continue
                self._flying += size
            bench = self._worker.bench()
            found = fetching.submit(self._worker.fetch, self._next.row, bench)
            self._ahead.append(_Item(self._next, bench, size, found))
            self._next = None

    def _make(self, item: _Item, publishing: ThreadPoolExecutor) -> None:
        from undark.fleet.worker import Made, Waiting

        row = item.task.row
        fetched = item.fetched.result()
        if isinstance(fetched, Receipt):
            if fetched.kind == "StoreError":
                self._bad += 1
                if self._bad >= _MANY:
                    self._end(item)
                    self._broken = f"the source fails again and again: {fetched.error}"
                    return
            self._give(item, fetched)
            return
        self._bad = 0
        if item.task.tries:
            time.sleep(_PAUSE)
        self._talk.tell(Hand(row))
        made = self._worker.make(
            row,
            fetched,
            item.bench,
            resumed=item.task.resumed,
            patient=item.task.tries < _TRIES,
        )
        self._talk.tell(Free())
        if isinstance(made, Waiting):
            self._end(item)
            self._talk.tell(Later(row))
        elif isinstance(made, Made):
            publishing.submit(self._guarded, lambda: self._publish(item, made))
        else:
            self._give(item, made)

    def _publish(self, item: _Item, made: Any) -> None:
        self._give(item, self._worker.publish(made, item.bench))

    def _give(self, item: _Item, receipt: Receipt) -> None:
        self._end(item)
        self._talk.tell(Ended(item.task.row, receipt))

    def _end(self, item: _Item) -> None:
        shutil.rmtree(item.bench, ignore_errors=True)
        with self._changed:
            self._flying -= item.size
            self._changed.notify()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._break(error)

    def _break(self, error: Exception) -> None:
        text = " ".join(str(error).split())
        self._broken = text or type(error).__name__
