"""Running a plan, or some of its shards: what is pending is done, and its receipts are kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from undark.fleet.deaths import note_death
from undark.fleet.messages import Ended, Task
from undark.fleet.plan import Plan, Row
from undark.fleet.pool import Died, Pool
from undark.fleet.receipts import Ledger, Receipt, Standing, standing
from undark.fleet.rounds import rounds_of

__all__ = ["Told", "work"]

_FLUSH: Final = 1.0
_MARK: Final = secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a run on its way.

    Attributes:
        shard: The shard.
        receipts: Those that stand now and did not before, as far as they are known here.
        found: How many of its keys had receipts already; told once, as a shard is begun.
        died: A key that a worker died with, and how; it is tried again.
        unnamed: Receipts that stand now too, and of which no more is known here.
        unnamed_failed: How many of these are of errors.
    """

    shard: int
    receipts: tuple[Receipt, ...] = ()
    found: int = 0
    died: tuple[str, str] | None = None
    unnamed: int = 0
    unnamed_failed: int = 0

    @property
    def count(self) -> int:
        """How many receipts."""
        return len(self.receipts) + self.unnamed

    @property
    def failed(self) -> int:
        """How many of them are of errors."""
        return sum(not item.done for item in self.receipts) + self.unnamed_failed


@dataclass(slots=True)
class _Open:
    """A shard that is worked on."""

    ledger: Ledger
    missing: set[int]
    fresh: list[Receipt] = field(default_factory=list[Receipt])


def work(
    plan: Plan,
    pool: Pool,
    shards: Iterable[int],
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Told, None, None]:
    """Do what is pending in shards, and tell of it.

    Receipts are kept about every second, and when the generator is closed. A shard that is done is
    packed.

    Args:
        plan: The plan.
        pool: Who does it.
        shards: Numbers of shards.
        stopping: Asked now and then: whether to end after the photos in hand.

    Raises:
        OutputError: A store fails, or a worker cannot go on.
        DeviceError: Workers die as they start.
    """
    rounds = rounds_of(plan)
    opened: dict[int, _Open] = {}
    news: list[Told] = []

    def tasks() -> Iterator[Task]:
        begun: list[int] = []
        for shard in shards:
            state = standing(plan, shard, rounds)
            if state.ledger is None or not state.pending:
                news.append(Told(shard, found=plan.count(shard)))
                if state.ledger is not None:
                    state.ledger.pack()
            elif plan.store.put(f"begun/{shard:06d}.{state.ledger.round}", _MARK.encode()):
                yield from begin(shard, state, resumed=state.ledger.round > 0)
            else:
                begun.append(shard)
        # Others may be at these just now; they come last, so that several runs share a plan. What
        # they have published may have no receipt yet.
        for shard in begun:
            yield from begin(shard, standing(plan, shard, rounds), resumed=True)

    def begin(shard: int, state: Standing, *, resumed: bool) -> Iterator[Task]:
        news.append(Told(shard, found=plan.count(shard) - len(state.pending)))
        if state.ledger is None:
            return
        opened[shard] = _Open(state.ledger, set(state.pending))
        rows = plan.rows(shard) if state.pending else ()
        for row in state.pending:
            if row in state.ledger.receipts:  # another has just given it
                news.append(Told(shard, found=1))
            else:
                yield Task(rows[row], resumed=resumed)

    last = time.monotonic()
    told_to_stop = False
    try:
        for told in pool.run(tasks()):
            if isinstance(told, Ended):
                # Another run may have given the last receipts of the shard meanwhile.
                if told.row.shard in opened:
                    opened[told.row.shard].fresh.append(told.receipt)
            elif isinstance(told, Died) and told.row.shard in opened:
                news.append(_died(plan, pool, opened[told.row.shard], told))
            if stopping() and not told_to_stop:
                told_to_stop = True
                pool.stop()
            if time.monotonic() - last > _FLUSH:
                news += _flush(opened)
                last = time.monotonic()
            yield from news
            news.clear()
    finally:
        news += _flush(opened)
    yield from news


def _died(plan: Plan, pool: Pool, shard: _Open, told: Died) -> Told:
    row: Row = told.row
    aside = note_death(plan.store, row, shard.ledger.round, told.how)
    if aside is not None:
        shard.fresh.append(aside)
    else:
        pool.again(row)
    return Told(row.shard, died=(row.key, told.how))


def _flush(opened: dict[int, _Open]) -> list[Told]:
    """Keep the receipts that came, and pack the shards that are done."""
    news: list[Told] = []
    for number, shard in list(opened.items()):
        if shard.fresh:
            stand = shard.ledger.append(shard.fresh)
            shard.fresh = []
            news.append(Told(number, tuple(stand)))
        if shard.missing <= shard.ledger.receipts.keys():
            shard.ledger.pack()
            del opened[number]
    return news
