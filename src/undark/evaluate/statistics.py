"""How sure a mean is, and whether two models differ: few images say little.

Images of one scene are alike, so scenes are drawn, not images: 40 images of 5 scenes are
nearer to 5 observations than to 40.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.optional import optional

__all__ = ["CONFIDENCE", "FEW", "RESAMPLES", "Difference", "difference", "interval"]

CONFIDENCE: Final = 0.95
"""Fraction of the bootstrap's means that an interval holds."""

RESAMPLES: Final = 10_000
"""How often the scenes are drawn anew, with replacement and from a fixed seed."""

FEW: Final = 30
"""Below so many scenes an interval is itself a rough estimate, and is said to be."""

_SEED: Final = 20240607

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """One contender against another on the same images.

    Attributes:
        mean: Mean of the images' differences.
        low: Lower end of the difference's bootstrap interval.
        high: Upper end.
        p: Two-sided p of Wilcoxon's signed-rank test over the scenes' mean differences; NaN with
            fewer than two scenes that differ.
        scenes: How many scenes were compared.
    """

    mean: float
    low: float
    high: float
    p: float
    scenes: int


def interval(values: Sequence[float], scenes: Sequence[str]) -> tuple[float, float]:
    """Bootstrap percentile interval of the mean of `values`, drawn by scene.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 8 and 13.

    Args:
        values: One per image; NaN (not defined on that image) is left out.
        scenes: The scene of each image.

    Returns:
        Both ends, or NaN where a value is infinite or there are fewer than two scenes.
    """
    sums, counts = _by_scene(values, scenes)
    if len(sums) < 2 or not np.isfinite(sums).all():
        return math.nan, math.nan
    drawn = _drawings(len(sums))
    means = (drawn @ sums) / (drawn @ counts)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


@lru_cache(maxsize=2)
def _drawings(count: int) -> Floats:
    """How often each of `count` scenes comes up in each drawing."""
    random = np.random.default_rng(_SEED)
    return random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)


def difference(
    values: Sequence[float], others: Sequence[float], scenes: Sequence[str]
) -> Difference:
    """`values` minus `others`, image by image, with its interval and a paired test.

    Wilcoxon, "Individual comparisons by ranking methods", 1945. With n scenes p cannot fall below
    2^(1−n): five scenes never reach 0.05.

    Args:
        values: One contender's, one per image.
        others: The other's on the same images, in the same order.
        scenes: The scene of each image.

    Raises:
        MissingExtraError: SciPy (extra ``evaluate``) is not installed.
    """
    wilcoxon = optional("scipy.stats", "paired tests").wilcoxon
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    # Two images that are both exactly right do not differ.
    equal = first == second
    apart = np.where(equal, 0.0, first - np.where(equal, 0.0, second))
    low, high = interval(apart.tolist(), scenes)
    sums, counts = _by_scene(apart.tolist(), scenes)
    means = sums / counts
    p = math.nan
    if np.count_nonzero(means) >= 2 and not np.isnan(means).any():
        p = float(wilcoxon(means[means != 0]).pvalue)
    known = apart[~np.isnan(apart)]
    mean = float(np.mean(known)) if known.size else math.nan
    return Difference(mean, low, high, p, len(means))


def _by_scene(values: Sequence[float], scenes: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and count of the values of each scene that has any."""
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for value, scene in zip(values, scenes, strict=True):
        if not math.isnan(value):
            sums[scene] = sums.get(scene, 0.0) + value
            counts[scene] = counts.get(scene, 0) + 1
    return np.array(list(sums.values()), float), np.array(list(counts.values()), float)
