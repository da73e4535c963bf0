"""How numbers are written in reports."""

from __future__ import annotations

import math

from undark.evaluate.metrics import METRICS

__all__ = ["NOTHING", "megabytes", "probability", "ranged", "written"]

NOTHING = "–"
"""What stands for a number that is not defined."""


def written(metric: str, value: float) -> str:
    """A value of `metric` as reports write it.

    >>> written("psnr", 20.123), written("niqe", float("nan"))
    ('20.12', '–')
    """
    return NOTHING if math.isnan(value) else METRICS[metric].form.format(value)


def ranged(metric: str, value: float, ends: tuple[float, float]) -> str:
    """A value of `metric` with the ends of its interval, as far as there is one.

    >>> ranged("psnr", 20.1, (19.0, 21.0))
    '20.10 [19.00, 21.00]'
    """
    if math.isnan(ends[0]):
        return written(metric, value)
    low, high = (written(metric, end) for end in ends)
    return f"{written(metric, value)} [{low}, {high}]"


def megabytes(count: int | None) -> str:
    """Bytes as megabytes (10^6), or what stands for nothing."""
    return NOTHING if count is None else f"{count / 1e6:.0f}"


def probability(value: float) -> str:
    """A p value as reports write it.

    >>> probability(0.25), probability(0.0001)
    ('0.250', '<0.001')
    """
    if math.isnan(value):
        return NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}"
