"""Running a plan from the command line: its progress, its signals and how it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import typer

from undark.cli.fleet.telling import tell_status
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, INTERRUPTED, result_json, say

if TYPE_CHECKING:
    from undark.fleet.child import Limits
    from undark.fleet.plan import Plan
    from undark.fleet.run import Told
    from undark.fleet.settings import Settings

__all__ = ["TERMINATED", "Running"]

TERMINATED: Final = 143
"""Exit code: stopped by SIGTERM."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a plan is run.

    Attributes:
        processes: How many; None for one for each core.
        ray: Address of a Ray cluster, or None.
        limits: What each process keeps to.
        longest: Seconds that a photo may take.
        as_json: Tell of each photo on stdout, as JSON.
        report: Where the report goes.
        price: What all machines cost an hour.
    """

    processes: int | None
    ray: str | None
    limits: Limits
    longest: float | None
    as_json: bool
    report: Path | None
    price: float | None

    def run(self, plan: Plan, settings: Settings) -> None:
        """Run the plan to its end, or until told to stop; then exit with the code that fits."""
        with _stoppable() as stopped, _swept(settings.to), progress_bar() as show:
            done = failed = 0
            for told in self._work(plan, settings, lambda: bool(stopped)):
                done += told.found + told.count
                failed += told.failed
                if told.died is not None:
                    key, how = told.died
                    say(f"{key}: a process ended with it in hand ({how}); it is tried again")
                self._each(told)
                show(done, plan.keys, f"{failed} failed" if failed else "")
        self._end(plan, stopped)

    def _work(self, plan: Plan, settings: Settings, stopping: Callable[[], bool]) -> Iterator[Told]:
        if self.ray is not None:
            from undark.fleet.cluster import Cluster

            cluster = Cluster(self.ray, self.processes, limits=self.limits, longest=self.longest)
            return cluster.work(plan, settings, stopping=stopping)
        return self._here(plan, settings, stopping)

    def _here(self, plan: Plan, settings: Settings, stopping: Callable[[], bool]) -> Iterator[Told]:
        from undark.fleet.machine import cores
        from undark.fleet.pool import Pool
        from undark.fleet.run import work

        count = self.processes or (cores() if settings.recipe.device == "cpu" else 1)
        with Pool(settings, count, limits=self.limits, longest=self.longest) as pool:
            yield from work(plan, pool, range(plan.shards), stopping=stopping)
            if pool.describe:
                say(f"{pool.describe}, {count} processes")

    def _each(self, told: Told) -> None:
        for item in told.receipts:
            if self.as_json:
                result_json(
                    {
                        "source": item.key,
                        "destination": item.output,
                        "status": "done" if item.done else "failed",
                        "seconds": item.seconds,
                        "error": None if item.done else {"type": item.kind, "message": item.error},
                    }
                )
            elif not item.done:
                say(item.error)
            if item.note and item.done:
                say(f"{item.key}: {item.note}")

    def _end(self, plan: Plan, stopped: list[int]) -> None:
        from undark.fleet.status import status

        if self.report is not None:
            from undark.fleet.report import write_report

            found = write_report(plan, self.report, price=self.price)
            say(f"wrote {self.report}")
        else:
            found = status(plan)
        tell_status(found, self.price, as_json=self.as_json)
        if stopped:
            say("stopped; finished results are kept, and the same command continues from there")
            raise typer.Exit(TERMINATED if stopped[0] == signal.SIGTERM else INTERRUPTED)
        if found.failed or found.pending:
            raise typer.Exit(FAILED)


@contextmanager
def _swept(to: str) -> Generator[None]:
    """Before and after: what processes that died were making is taken away."""
    from undark.fleet.opening import open_store
    from undark.fleet.workshop import sweep

    at = open_store(to).path("") if to else None
    sweep(at)
    try:
        yield
    finally:
        sweep(at)


@contextmanager
def _stoppable() -> Generator[list[int]]:
    """The signals to stop that came; a second Ctrl-C ends at once."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if came and number == signal.SIGINT:
            raise KeyboardInterrupt
        came.append(number)

    old: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        old[number] = signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
