"""Worker processes, and the lane in which tasks wait for them."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Final

from undark.serve.settings import Engine, Limits
from undark.serve.tasks import (
    Failure,
    Finished,
    Message,
    Moved,
    Noticed,
    Stop,
    Task,
    Value,
)
from undark.serve.worker import run_worker

__all__ = ["Cost", "FullError", "Lane", "RefusedError", "Ticket"]

_GRACE: Final = 1.0
"""Seconds that a worker has to obey before its process is ended."""

_LOOK: Final = 0.05
_USUAL_SECONDS: Final = 2.0
_WEIGHT: Final = 0.2


class RefusedError(Exception):
    """A task could not be done; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        """Keep what the worker said."""
        super().__init__(failure.message)
        self.failure = failure


class FullError(Exception):
    """Nothing more is taken now; try again in `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        """Keep when to come again."""
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task takes of the queue's room: bytes and pixels of its input."""

    bytes: int = 0
    pixels: int = 0


@dataclass(eq=False, slots=True)
class Ticket:
    """A place in a lane."""

    cost: Cost
    turn: asyncio.Future[_Worker] | None = None
    entered: float = field(default_factory=monotonic)


class _Worker:
    """One process, started when it is needed; one task at a time."""

    def __init__(self, engine: Engine, limits: Limits, *, polite: bool) -> None:
        self._engine = engine
        self._limits = limits
        self._polite = polite
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._ending = threading.Lock()
        self.used = monotonic()
        self.deaths = 0

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Of its process, if there is one."""
        return self._process.pid if self._process is not None and self.is_running else None

    def start(self) -> Connection:
        """The connection to its process, which is started where there is none."""
        if self._connection is None or not self.is_running:
            self.close()
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self._process = context.Process(
                target=run_worker,
                args=(theirs, self._engine, self._limits),
                kwargs={"polite": self._polite},
                name="undark-serve-worker",
                daemon=True,
            )
            self._process.start()
            theirs.close()
            self._connection = ours
        return self._connection

    def close(self) -> None:
        """End its process, and so free its memory."""
        with self._ending:
            connection, self._connection = self._connection, None
            process, self._process = self._process, None
            if process is not None:
                process.kill()  # nothing that it holds is needed
                process.join()
                process.close()
            if connection is not None:
                connection.close()

    def talk(
        self,
        task: Task,
        seconds: float,
        stop: threading.Event,
        notify: Callable[[Moved | Noticed], None],
    ) -> Value:
        """Have a task done.

        Args:
            task: What to do.
            seconds: After which it is given up.
            stop: Set to have it left.
            notify: Called with what happens on the way.

        Raises:
            RefusedError: It could not be done, took too long, was stopped, or the process died.
        """
        try:
            return self._talk(task, seconds, stop, notify)
        finally:
            self.used = monotonic()

    def _talk(
        self,
        task: Task,
        seconds: float,
        stop: threading.Event,
        notify: Callable[[Moved | Noticed], None],
    ) -> Value:
        connection = self.start()
        begin = monotonic()
        stopped = None
        try:
            connection.send(task)
            while True:
                if connection.poll(_LOOK):
                    message: Message = connection.recv()
                    if isinstance(message, Finished):
                        return message.value
                    if isinstance(message, Failure):
                        raise RefusedError(message)
                    notify(message)
                now = monotonic()
                if stop.is_set() and stopped is None:
                    stopped = now
                    connection.send(Stop())
                if stopped is not None and now - stopped > _GRACE:
                    self.close()
                    raise RefusedError(Failure("StoppedError", "stopped", stopped=True))
                if now - begin > seconds:
                    self.close()
                    told = f"{task.label}: took longer than the limit of {seconds:g} s"
                    raise RefusedError(Failure("TooSlowError", told))
        except (EOFError, OSError) as error:
            self.deaths += 1
            self.close()
            told = (
                f"{task.label}: the process that worked on it ended unexpectedly; it may be too"
                " large for this machine's memory, or harmful to a decoder"
            )
            raise RefusedError(Failure("DiedError", told)) from error


class Lane:
    """Tasks in the order in which they came, on a few processes, and never more than fit.

    Args:
        workers: Processes.
        engine: What runs models in them.
        limits: How much is taken.
        most: Tasks that wait or are worked on.
        polite: The processes let others go first.
    """

    def __init__(
        self, workers: int, engine: Engine, limits: Limits, *, most: int, polite: bool
    ) -> None:
        """No process is started yet."""
        self._limits = limits
        self._most = most
        self._workers = [_Worker(engine, limits, polite=polite) for _ in range(workers)]
        self._free = deque(self._workers)
        self._waiting: deque[Ticket] = deque()
        self._tickets: set[Ticket] = set()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="undark-serve")
        self._seconds = _USUAL_SECONDS
        self._closed = False

    @property
    def tasks(self) -> int:
        """That wait or are worked on."""
        return len(self._tickets)

    @property
    def cost(self) -> Cost:
        """Of all that wait or are worked on."""
        costs = [ticket.cost for ticket in self._tickets]
        return Cost(sum(c.bytes for c in costs), sum(c.pixels for c in costs))

    @property
    def deaths(self) -> int:
        """Processes that ended unexpectedly."""
        return sum(worker.deaths for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    def position(self, ticket: Ticket) -> int | None:
        """How many are to be begun before it; None where it waits no more."""
        return self._waiting.index(ticket) if ticket in self._waiting else None

    def wait_for(self, ticket: Ticket) -> float | None:
        """About how many seconds until it is begun; None where it waits no more."""
        at = self.position(ticket)
        return None if at is None else (at + 1) * self._seconds / len(self._workers)

    def start(self) -> None:
        """Start the processes, so that the first task needs not wait for them."""
        for worker in self._workers:
            worker.start()

    @contextmanager
    def place(self, cost: Cost) -> Generator[Ticket]:
        """A place in the lane, held within the ``with`` block.

        Raises:
            FullError: There is none.
        """
        if self._closed or len(self._tickets) >= self._most:
            raise self._full()
        self._check(cost)
        ticket = Ticket(cost)
        self._tickets.add(ticket)
        try:
            yield ticket
        finally:
            self._tickets.discard(ticket)

    def weigh(self, ticket: Ticket, cost: Cost) -> None:
        """Say what a place takes, once that is known.

        Raises:
            FullError: There is no room for it.
        """
        ticket.cost = Cost()
        self._check(cost)
        ticket.cost = cost

    def _check(self, cost: Cost) -> None:
        held, limits = self.cost, self._limits
        # What is larger than all the room may still come alone.
        if (held.bytes and held.bytes + cost.bytes > limits.queue_bytes) or (
            held.pixels and held.pixels + cost.pixels > limits.queue_pixels
        ):
            raise self._full()

    def _full(self) -> FullError:
        seconds = self._seconds * len(self._tickets) / len(self._workers) / 2
        return FullError("the queue is full; try again later", min(max(seconds, 1.0), 120.0))

    async def run(
        self,
        ticket: Ticket,
        task: Task,
        *,
        seconds: float,
        notify: Callable[[Moved | Noticed], None] | None = None,
    ) -> Value:
        """Do a task when its turn comes. Cancelling this leaves the task, within two seconds.

        Args:
            ticket: Its place.
            task: What to do.
            seconds: After which it is given up.
            notify: Called, in this loop, with what happens on the way, first as it is begun.

        Raises:
            RefusedError: It could not be done.
        """
        loop = asyncio.get_running_loop()
        worker = await self._turn(ticket)
        stop = threading.Event()

        def tell(message: Moved | Noticed) -> None:
            if notify is not None:
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(notify, message)

        begin = monotonic()
        try:
            if notify is not None:
                notify(Moved(0.0, None))
            work = loop.run_in_executor(self._threads, worker.talk, task, seconds, stop, tell)
            try:
                value = await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()
                while not work.done():  # whoever cancels again waits too: the process is busy
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([work])
                with suppress(RefusedError):
                    work.result()
                raise
            self._seconds += _WEIGHT * (monotonic() - begin - self._seconds)
            return value
        finally:
            self._give_back(worker)

    async def _turn(self, ticket: Ticket) -> _Worker:
        if self._free and not self._waiting:
            return self._free.popleft()
        ticket.turn = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        try:
            return await ticket.turn
        except asyncio.CancelledError:
            # It may have been given its turn in the same moment.
            if ticket.turn.done() and not ticket.turn.cancelled():
                self._give_back(ticket.turn.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(ticket)

    def _give_back(self, worker: _Worker) -> None:
        while self._waiting:
            turn = self._waiting.popleft().turn
            if turn is not None and not turn.done():
                turn.set_result(worker)
                return
        self._free.append(worker)

    def rest(self, idle: float) -> None:
        """End processes that have had nothing to do for so many seconds."""
        for worker in list(self._free):
            if worker.is_running and monotonic() - worker.used > idle:
                worker.close()

    def close(self) -> None:
        """End all processes; what they work on is lost."""
        self._closed = True
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(wait=True)
