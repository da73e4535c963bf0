"""Means of many photos' metrics, in one pass."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from html import escape
from typing import Any

from undark.fleet.plan import Plan
from undark.fleet.receipts import standing
from undark.fleet.rounds import rounds_of

__all__ = ["Means", "means_of"]


@dataclass(slots=True)
class _Mean:
    """Count, mean and sum of squared distances of values (Welford, Technometrics 4, 1962)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)

    @property
    def error(self) -> float:
        """The mean's standard error."""
        if self.count < 2:
            return math.nan
        return math.sqrt(self.squares / (self.count - 1) / self.count)


@dataclass(slots=True)
class Means:
    """The mean of each metric, over the photos on which it is defined."""

    _by_name: dict[str, _Mean] = field(default_factory=dict[str, _Mean])

    def add(self, text: str) -> None:
        """Add a photo's metrics, as its receipt has them."""
        values: dict[str, float | None] = json.loads(text)
        for name, value in values.items():
            mean = self._by_name.setdefault(name, _Mean())
            if value is not None:
                mean.add(value)

    def as_dict(self) -> dict[str, Any]:
        """Mean, standard error (None where it is not known) and count of each metric."""
        return {
            name: {
                "mean": item.mean if item.count else None,
                "error": None if math.isnan(item.error) else item.error,
                "photos": item.count,
            }
            for name, item in self._by_name.items()
        }

    def lines(self) -> list[str]:
        """The same, a line for a person each."""
        from undark.evaluate.metrics import METRICS

        return [
            f"{METRICS[name].heading}: "
            + METRICS[name].form.format(item.mean if item.count else math.nan)
            + f" ± {1.96 * item.error:.2g} ({item.count} photos)"
            for name, item in self._by_name.items()
        ]

    def as_html(self) -> str:
        """The same as a list; empty without metrics."""
        items = "".join(f"<li>{escape(line)}</li>" for line in self.lines())
        return f"<ul>{items}</ul>" if items else ""


def means_of(plan: Plan) -> Means:
    """The means over all photos of a plan that are measured so far."""
    found = Means()
    rounds = rounds_of(plan)
    for shard in range(plan.shards):
        for item in standing(plan, shard, rounds).receipts.values():
            if item.metrics:
                found.add(item.metrics)
    return found
