"""Proof that all is done: one receipt for each key, its hash for each result, nothing left over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from undark.errors import OutputError
from undark.fleet.hashes import Hashes, short_hash
from undark.fleet.identity import METRICS
from undark.fleet.measuring import digest
from undark.fleet.opening import open_store
from undark.fleet.plan import Plan
from undark.fleet.receipts import Ledger, Receipt, standing
from undark.fleet.rounds import rounds_of
from undark.fleet.settings import find_run
from undark.fleet.stores import Store
from undark.fleet.workshop import Workshop

__all__ = ["Verdict", "verify"]

_THREADS: Final = 8
_AT_ONCE: Final = 64
_NAMED: Final = 100


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        planned: Keys of the plan.
        done: With a receipt of a result.
        failed: With a receipt of an error.
        hashed: Results that were read.
        faults: Sentences, one for each fault; the first hundred of each kind.
        counts: How many faults there are, by kind: ``missing``, ``repeated``, ``strange``,
            ``lost``, ``altered``, ``orphans``.
    """

    planned: int
    done: int = 0
    failed: int = 0
    hashed: int = 0
    faults: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def good(self) -> bool:
        """Whether planned = done + failed, and there is no fault."""
        return not self.counts and self.planned == self.done + self.failed

    def fault(self, kind: str, text: str, count: int = 1) -> None:
        """Add a fault."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        if self.counts[kind] <= _NAMED:
            self.faults.append(text)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON has it."""
        return {
            "good": self.good,
            "planned": self.planned,
            "done": self.done,
            "failed": self.failed,
            "hashed": self.hashed,
            "faults": self.counts,
            "told": self.faults,
        }


def verify(
    plan: Plan,
    *,
    hashes: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> Verdict:
    """See that planned = done + failed, that hashes match, and that no orphan is left.

    Args:
        plan: The plan.
        hashes: Read all results; without, only see that they are there and of their size.
        progress: Called with the keys looked at, their number, and a text.
    """
    found = Verdict(plan.keys)
    settings = find_run(plan)
    if settings is None:
        found.fault("missing", "no run has begun", plan.keys)
        return found
    rounds = rounds_of(plan)
    to = open_store(settings.to) if settings.to else None
    names = Hashes()
    seen = 0
    with Workshop(None) as shop, ThreadPoolExecutor(_THREADS) as threads:
        for shard in range(plan.shards):
            receipts = _receipts(plan, shard, rounds, found)
            if settings.recipe.task == METRICS:
                for item in receipts:
                    if item.done and digest(item.metrics) != item.sha256:
                        found.fault(
                            "altered", f"{item.key}: its metrics are not those of its receipt"
                        )
            elif to is not None:
                done = [item for item in receipts if item.done]
                for item in done:
                    names.add(item.output)
                _results(to, done, found, shop.folder, threads, hashes=hashes)
            seen += plan.count(shard)
            if progress is not None:
                progress(seen, plan.keys, "")
    if to is not None:
        _orphans(to, names, found, _below(to, (plan.store.address, plan.source)))
    return found


def _receipts(plan: Plan, shard: int, rounds: int, found: Verdict) -> list[Receipt]:
    """What stands in a shard; what is missing or too many is told."""
    rows = plan.rows(shard)
    for number in range(rounds + 1):
        repeated = Ledger(plan.store, shard, number).load().repeated
        if repeated:
            found.fault("repeated", f"shard {shard}: {repeated} second receipts", repeated)
    stands = standing(plan, shard, rounds).receipts
    for row in rows:
        receipt = stands.get(row.row)
        if receipt is None:
            found.fault("missing", f"{row.key}: has no receipt")
        elif receipt.key != row.key:
            found.fault("strange", f"{row.key}: its receipt is of {receipt.key}")
        else:
            found.done += receipt.done
            found.failed += not receipt.done
    for number in stands.keys() - range(len(rows)):
        found.fault("strange", f"{stands[number].key}: has a receipt and was never planned")
    return [item for number, item in stands.items() if number < len(rows)]


def _results(
    to: Store,
    receipts: list[Receipt],
    found: Verdict,
    folder: Path,
    threads: ThreadPoolExecutor,
    *,
    hashes: bool,
) -> None:
    def look(receipt: Receipt) -> tuple[str, str]:
        if not hashes:
            there = to.stat(receipt.output)
            if there is None:
                return "lost", "is not there"
            same = there.size in (None, receipt.bytes)
            return ("", "") if same else ("altered", f"has {there.size} bytes, not {receipt.bytes}")
        try:
            same = _sha256(to, receipt.output, folder / str(receipt.row)) == receipt.sha256
        except FileNotFoundError:
            return "lost", "is not there"
        except (OSError, OutputError) as error:
            return "lost", f"cannot be read: {error}"
        return ("", "") if same else ("altered", "its bytes are not those of its receipt")

    waiting = iter(receipts)
    while batch := list(islice(waiting, _AT_ONCE)):
        for receipt, (kind, text) in zip(batch, threads.map(look, batch), strict=True):
            found.hashed += hashes and kind != "lost"
            if kind:
                found.fault(kind, f"{to.address}/{receipt.output}: {text}")


def _sha256(store: Store, name: str, spare: Path) -> str:
    path = store.path(name)
    if path is None:
        store.fetch(name, spare)
    try:
        with (path or spare).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        spare.unlink(missing_ok=True)


def _below(to: Store, addresses: Iterable[str]) -> tuple[str, ...]:
    """What of these addresses lies at a destination, as prefixes of its names."""
    top = to.address.rstrip("/") + "/"
    return tuple(f"{item[len(top) :].rstrip('/')}/" for item in addresses if item.startswith(top))


def _orphans(to: Store, names: Hashes, found: Verdict, others: tuple[str, ...]) -> None:
    """Name what lies at the destination and has no receipt, and results that two keys have.

    Args:
        to: The destination.
        names: Of all results.
        found: To be added to.
        others: Prefixes of what is there for another reason.
    """
    known = names.ordered()
    twice = len(names.twice())
    if twice:
        found.fault("repeated", f"{twice} results are those of two keys", twice)
    for batch in _batches(e.name for e in to.entries() if not e.name.startswith(others)):
        hashed = np.array([short_hash(name) for name in batch], np.uint64)
        at = np.searchsorted(known, hashed)
        there = known[np.minimum(at, len(known) - 1)] == hashed if len(known) else at < 0
        for name, is_known in zip(batch, there, strict=True):
            if not is_known:
                found.fault("orphans", f"{to.address}/{name}: is no result of this plan")


def _batches(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(names, 4096)):
        yield batch
