"""How far a plan is: counts, rate, time left, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from undark.fleet.plan import Plan
from undark.fleet.receipts import Receipt, standing
from undark.fleet.rounds import rounds_of

__all__ = ["Status", "status"]

_SPAN: Final = 10  # Seconds that receipts are counted by.
_RECENT: Final = 60  # Spans that the rate is taken of: ten minutes.


@dataclass(slots=True)
class Status:
    """How far a plan is.

    Attributes:
        keys: Planned.
        done: With a result.
        failed: With an error that stands.
        copied: Of those done, the ones whose bytes another key held too.
        bytes: Of all results.
        seconds: Of work of all processes together.
        kinds: How many failed, by kind of error.
        first: When the first receipt was given, seconds since 1970; 0 without one.
        last: When the last was.
    """

    keys: int
    done: int = 0
    failed: int = 0
    copied: int = 0
    bytes: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter[str])
    first: float = 0.0
    last: float = 0.0
    _spans: Counter[int] = field(default_factory=Counter[int])

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Count receipts that stand."""
        for item in receipts:
            self.done += item.done
            self.failed += not item.done
            self.copied += item.copied
            self.bytes += item.bytes
            self.seconds += item.seconds
            if not item.done:
                self.kinds[item.kind] += 1
            self.first = min(self.first or item.at, item.at)
            self.last = max(self.last, item.at)
            self._spans[int(item.at // _SPAN)] += 1

    @property
    def pending(self) -> int:
        """How many are still to be done."""
        return self.keys - self.done - self.failed

    @property
    def rate(self) -> float:
        """Keys a second, over the last ten minutes in which something was done; 0 without."""
        end = int(self.last // _SPAN)
        spans = {span: count for span, count in self._spans.items() if span > end - _RECENT}
        if not spans:
            return 0.0
        begin = max(min(spans) * _SPAN, self.first)
        return sum(spans.values()) / max(self.last - begin, 1.0)

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at this rate; None where that is not known."""
        return self.pending / self.rate if self.rate else None

    def cost(self, price: float) -> float | None:
        """What a thousand keys cost.

        Args:
            price: What all machines together cost an hour.
        """
        return price / (self.rate * 3600) * 1000 if self.rate else None

    def as_dict(self, price: float | None = None) -> dict[str, Any]:
        """The status as JSON has it."""
        return {
            "keys": self.keys,
            "done": self.done,
            "failed": self.failed,
            "pending": self.pending,
            "copied": self.copied,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 3),
            "left": None if self.left is None else round(self.left, 1),
            "cost_per_thousand": None if price is None else self.cost(price),
            "errors": dict(self.kinds.most_common()),
        }


def status(plan: Plan, each: Callable[[int, Iterable[Receipt]], None] | None = None) -> Status:
    """How far a plan is.

    Args:
        plan: The plan.
        each: Called with each shard's number and the receipts that stand there.
    """
    found = Status(plan.keys)
    rounds = rounds_of(plan)
    for shard in range(plan.shards):
        receipts = standing(plan, shard, rounds).receipts.values()
        found.add(receipts)
        if each is not None:
            each(shard, receipts)
    return found
