"""Steadiness between frames: decisions that do not jump, and noise averaged over time.

Decisions are exposures, so they are smoothed as logarithms, with time constants in seconds. As a
camera's operator would, they follow a change of the light on the whole scene at once, and pay
little heed to what changes in a corner of it: a lamp that passes must not make the walls pump.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels.arrays import Floats, as_floats
from undark.pixels.colour import luma

__all__ = ["TemporalDenoiser", "TemporalSmoother"]

# Time constants in seconds: of what follows a change of light, and of what need not.
_QUICK: Final = 0.12
_CALM: Final = 4.0
# Where more than half of the scene has changed by this, in natural logarithms, light has changed;
# it is followed until less than the second is left.
_CHANGED: Final = 0.15
_FOLLOWED: Final = 0.02
# A new scene: its parts have changed by so much, in the mean and apart from the median; or by the
# second, where the median itself has changed by the third.
_CUT: Final = 0.32
_LIKELY_CUT: Final = 0.22
_OTHER_LIGHT: Final = 0.3
_CELLS: Final = 16
# Levels below this are black: their ratios mean nothing.
_BLACK: Final = 0.02


class TemporalSmoother:
    """Sees each frame's glance, and smooths what is decided from some of them.

    Attributes:
        cut: Whether the frame last seen begins a new scene (or is the first).
        hurry: Whether a change of light is being followed.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.cut: bool = True
        self.hurry: bool = False
        self._time = -math.inf
        self._last: Floats | None = None
        self._settled: Floats | None = None
        self._value: Floats | None = None
        self._fraction = 1.0

    def see(self, glance: FloatImage, time: float) -> None:
        """Look at the next frame.

        Args:
            glance: The whole frame, shrunk.
            time: In seconds; where it does not rise, a frame's usual time is taken to have passed.
        """
        size = (_CELLS, _CELLS)
        level = cv2.resize(luma(glance), size, interpolation=cv2.INTER_AREA)
        cells = np.log(np.asarray(level, np.float32) + np.float32(_BLACK))
        elapsed = time - self._time
        self._time = time
        if self._last is None or self._settled is None:
            self.cut = True
        else:
            change = cells - self._last
            light = float(np.median(change))
            parts = float(np.abs(change - light).mean())
            self.cut = parts > (_LIKELY_CUT if abs(light) > _OTHER_LIGHT else _CUT)
        self._last = cells
        if self.cut or self._settled is None:
            self._settled, self._fraction, self.hurry = cells, 1.0, False
            return
        left = float(np.median(np.abs(cells - self._settled)))
        self.hurry = left > (_FOLLOWED if self.hurry else _CHANGED)
        if not 0.0 < elapsed < math.inf:
            elapsed = 1 / 30
        self._fraction = 1.0 - math.exp(-elapsed / (_QUICK if self.hurry else _CALM))
        self._settled = _mixed(self._settled, cells, self._fraction)

    def follow(self, wanted: Floats) -> Floats:
        """The decision for the frame last seen, of which `wanted` would be best for it alone.

        Args:
            wanted: Levels or gains, at least 0, of one shape from frame to frame.
        """
        target = np.log(wanted + np.float32(1e-3))
        if self._value is None or self.cut:
            self._value = target
        else:
            self._value = _mixed(self._value, target, self._fraction)
        return np.maximum(np.exp(self._value) - np.float32(1e-3), np.float32(0.0))


# The weight of a new frame where nothing moves and nothing is bright.
_LEAST: Final = 0.125
_RADIUS: Final = 2
# A local mean that differs by this many times what noise makes it differ has moved ...
_STILL: Final = 2.0
_MOVED: Final = 4.0
# ... noise being this quantile of the differences, of normal ones 0.319 times their deviation.
_QUANTILE: Final = 0.25
_OF_DEVIATION: Final = 0.319
# Of the windows of one frame this fraction is taken to show noise alone.
_FLATTEST: Final = 0.05
_LEVELS: Final = 8
# A level of fewer pixels than this tells nothing by itself.
_ENOUGH: Final = 100
# Noise with some correlation makes the means of windows differ by this fraction of its deviation.
_OF_SPREAD: Final = 0.4
# Noise may grow by this factor from frame to frame.
_RISE: Final = np.float32(1.03)
# Least deviation of a local mean, as a fraction of white: what rounding to 8 bits leaves.
_ROUNDING: Final = 0.08 / 219
# From the first level of luma to the second, averaging ceases: what is bright is clean.
_DARK: Final = (0.35, 0.6)


class TemporalDenoiser:
    """Averages each place over time where nothing moves there: motion-aware recursion.

    The weight of a new frame is a Kalman filter's, 1/n after n still frames down to 1/8, and 1
    where local means tell of motion. Each is judged against the noise of its own level of luma,
    measured from frame to frame, so a grainy clip is not taken for a moving one.

    Args:
        amount: From 0, where frames stay as they are, to 1.
    """

    def __init__(self, amount: float = 1.0) -> None:
        """Begin with nothing averaged."""
        self._least = np.float32(1.0 - amount * (1.0 - _LEAST))
        self._means: list[Floats] | None = None
        self._weight: Floats = np.ones((1, 1), np.float32)
        self._noise: Floats | None = None

    def reset(self) -> None:
        """Forget all: a new scene begins."""
        self._means = None

    def average(self, planes: Sequence[NDArray[Any]], *, black: float, span: float) -> list[Floats]:
        """The planes of the next frame, their noise averaged; float32, in the unit of the samples.

        Args:
            planes: H×W each, or smaller where they hold colour; the first tells how bright.
            black: Sample of black in the first.
            span: Samples from black to white.
        """
        new = [np.asarray(plane, np.float32) for plane in planes]
        shape = new[0].shape
        rows, columns = max(shape[0] // 2, 1), max(shape[1] // 2, 1)
        if self._means is None or self._means[0].shape != shape:
            self._means = new
            self._weight = np.ones((rows, columns), np.float32)
            return new
        now, before = (
            [_resized(plane, columns, rows, cv2.INTER_AREA) for plane in group]
            for group in (new, self._means)
        )
        level = as_floats((before[0] - np.float32(black)) / np.float32(span))
        moved = self._moved(now, before, level, span * _ROUNDING)
        bright = np.clip((level - _DARK[0]) / (_DARK[1] - _DARK[0]), 0.0, 1.0)
        calm = np.maximum(self._weight / (1.0 + self._weight), self._least)
        self._weight = as_floats(np.maximum(calm, np.maximum(moved, bright)))
        pairs = zip(self._means, new, strict=True)
        self._means = [self._blend(mean, plane) for mean, plane in pairs]
        return self._means

    def _blend(self, mean: Floats, plane: Floats) -> Floats:
        rows, columns = plane.shape
        weight = _resized(self._weight, columns, rows, cv2.INTER_LINEAR)
        step = cv2.subtract(plane, mean)
        step = cv2.multiply(step, weight, dst=step)
        return as_floats(cv2.add(mean, step, dst=step))

    def _moved(self, new: list[Floats], old: list[Floats], level: Floats, least: float) -> Floats:
        """How surely each place has changed by more than noise, in [0, 1], at half size."""
        bins = np.clip(level * np.float32(_LEVELS), 0, _LEVELS - 1).astype(np.uint8)
        moved = np.zeros(bins.shape, np.float32)
        noise = np.empty((len(new), _LEVELS), np.float32)
        for i, (mine, its) in enumerate(zip(new, old, strict=True)):
            change = np.abs(_blurred(cv2.subtract(mine, its)))
            found = _by_level(change, bins, _QUANTILE) / np.float32(_OF_DEVIATION)
            # A moving camera changes everything: noise is no more than it was, or than the
            # flattest places of this frame show.
            most = _spread(mine, bins)
            if self._noise is not None:
                most = np.minimum(most, self._noise[i] * _RISE)
            noise[i] = np.maximum(np.minimum(found, most), least)
            unit = as_floats(cv2.LUT(bins, _table(1.0 / ((_MOVED - _STILL) * noise[i]))))
            surely = cv2.multiply(change, unit) - np.float32(_STILL / (_MOVED - _STILL))
            moved = np.maximum(moved, surely)
        self._noise = noise
        return np.minimum(moved, np.float32(1.0))


def _by_level(change: Floats, bins: NDArray[np.uint8], quantile: float) -> Floats:
    """A low quantile of the values at each level; a level that is hardly there has the overall."""
    values, where = change[::3, ::3].ravel(), bins[::3, ::3].ravel()
    overall = float(np.quantile(values, quantile))
    found = np.full(_LEVELS, overall, np.float32)
    for level in np.flatnonzero(np.bincount(where, minlength=_LEVELS) >= _ENOUGH):
        found[level] = np.quantile(values[where == level], quantile)
    return found


def _spread(values: Floats, bins: NDArray[np.uint8]) -> Floats:
    """What local means may differ by, as the flattest places of one frame show at each level."""
    mean = _blurred(values)
    variance = as_floats(_blurred(values * values) - mean * mean)
    return as_floats(_OF_SPREAD * np.sqrt(np.maximum(_by_level(variance, bins, _FLATTEST), 0.0)))


def _mixed(old: Floats, new: Floats, fraction: float) -> Floats:
    return as_floats(old + np.float32(fraction) * (new - old))


def _blurred(values: Any) -> Floats:
    side = 2 * _RADIUS + 1
    return as_floats(cv2.blur(values, (side, side)))


def _resized(plane: Floats, columns: int, rows: int, mode: int) -> Floats:
    if plane.shape == (rows, columns):
        return plane
    return as_floats(cv2.resize(plane, (columns, rows), interpolation=mode))


def _table(by_level: Floats) -> Floats:
    return np.concatenate([by_level, np.zeros(256 - _LEVELS, np.float32)])
