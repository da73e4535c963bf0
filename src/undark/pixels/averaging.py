"""Noise averaged over time: along the motion, and only where frames agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.pixels.arrays import Floats, as_floats, low_quantile
from undark.pixels.motion import Motion

__all__ = ["Averaged", "Averager"]

# The weight of a new frame where all agree.
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
# Frames from one measurement of noise to the next, and by what factor it may grow.
_PERIOD: Final = 4
_RISE: Final = np.float32(1.12)
# Least deviation of a local mean, as a fraction of white: what rounding to 8 bits leaves.
_ROUNDING: Final = 0.08 / 219
# Of 16 bits, the sample of no colour.
_MIDDLE: Final = 32768.0
# A gain this near to 1 is none.
_SAME: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """A frame whose noise was averaged.

    Attributes:
        planes: Luma and colours, float32 in the unit of the samples.
        weight: At half of luma's size, which share of the noise's variance is left.
        change: How the planes differed from the mean of those before; None for the first.
    """

    planes: list[Floats]
    weight: Floats
    change: list[Floats] | None = None


class Averager:
    """Averages each place over time, along the motion there: motion-compensated recursion.

    The weight of a new frame is a Kalman filter's, 1/n after n frames that agree down to 1/8, and
    1 where local means tell that they do not. Each is judged against the noise of its own level of
    luma, measured from frame to frame, so a grainy clip is not taken for a moving one.

    Args:
        amount: From 0, where frames stay as they are, to 1.
    """

    def __init__(self, amount: float = 1.0) -> None:
        """Begin with nothing averaged."""
        self._least = np.float32(1.0 - amount * (1.0 - _LEAST))
        self._means: list[Floats] | None = None
        self._weight: Floats = np.ones((1, 1), np.float32)
        self._noise: Floats | None = None
        self._age = 0
        self._motion: Motion | None = None
        self._small: Floats | None = None

    def reset(self) -> None:
        """Forget all: a new scene begins."""
        self._means = None

    def average(
        self,
        planes: Sequence[NDArray[Any]],
        *,
        black: float,
        span: float,
        share: Floats | None = None,
        gain: float = 1.0,
    ) -> Averaged:
        """The planes of the next frame, their noise averaged.

        Args:
            planes: H×W each, or smaller where they hold colour; the first tells how bright.
            black: Sample of black in the first.
            span: Samples from black to white.
            share: By 256 levels of luma, how much is to be averaged, in [0, 1]; by default all.
            gain: How many times as bright as the frame before it is: light that trembles must not
                lag behind.
        """
        new = [np.asarray(plane, np.float32) for plane in planes]
        shape = new[0].shape
        rows, columns = max(shape[0] // 2, 1), max(shape[1] // 2, 1)
        if self._motion is None or self._means is None or self._means[0].shape != shape:
            self._motion = Motion((shape[0], shape[1]))
            self._small = self._shrunk(new[0])
            self._means = new
            self._weight = np.ones((rows, columns), np.float32)
            return Averaged(new, self._weight)
        small = self._shrunk(new[0])
        assert self._small is not None
        weight = self._weight
        if abs(gain - 1.0) > _SAME:
            zeros = (black, *[_MIDDLE] * (len(new) - 1))
            pairs = zip(self._means, zeros, strict=True)
            self._means = [_times(mean, gain, zero) for mean, zero in pairs]
        if self._motion.find(small, self._small):
            self._means = [
                self._motion.moved(mean, cv2.INTER_CUBIC if not number else cv2.INTER_LINEAR)
                for number, mean in enumerate(self._means)
            ]
            weight = self._motion.moved(weight)
        self._small = small
        now, before = (
            [_resized(plane, columns, rows, cv2.INTER_AREA) for plane in group]
            for group in (new, self._means)
        )
        level = as_floats((before[0] - np.float32(black)) / np.float32(span))
        moved = self._moved(now, before, level, span * _ROUNDING)
        weight = np.maximum(weight / (1.0 + weight), self._least)
        if share is not None:
            index = cv2.convertScaleAbs(level, alpha=255.0)
            moved = np.maximum(moved, cv2.LUT(index, as_floats(1.0 - share)))
        self._weight = as_floats(np.maximum(weight, moved))
        pairs = zip(new, self._means, strict=True)
        change = [as_floats(cv2.subtract(plane, mean)) for plane, mean in pairs]
        pairs = zip(self._means, change, strict=True)
        self._means = [self._blend(mean, step) for mean, step in pairs]
        return Averaged(self._means, self._weight, change)

    def _shrunk(self, luma: Floats) -> Floats:
        assert self._motion is not None
        rows, columns = self._motion.small
        small = _resized(luma, columns, rows, cv2.INTER_AREA)
        return as_floats(cv2.GaussianBlur(small, (3, 3), 0))

    def _blend(self, mean: Floats, change: Floats) -> Floats:
        rows, columns = mean.shape
        weight = _resized(self._weight, columns, rows, cv2.INTER_LINEAR)
        step = cv2.multiply(change, weight)
        return as_floats(cv2.add(mean, step, dst=step))

    def _moved(self, new: list[Floats], old: list[Floats], level: Floats, least: float) -> Floats:
        """How surely each place has changed by more than noise, in [0, 1], at half size."""
        scaled = as_floats(level * np.float32(_LEVELS))
        bins = np.clip(scaled, 0, _LEVELS - 1, out=scaled).astype(np.uint8)
        changes = [
            np.abs(_blurred(cv2.subtract(mine, its))) for mine, its in zip(new, old, strict=True)
        ]
        self._age = (self._age + 1) % _PERIOD
        if self._noise is None or self._age == 0:
            self._noise = self._measured(new, changes, bins, least)
        surely = np.zeros(bins.shape, np.float32)
        for change, noise in zip(changes, self._noise, strict=True):
            by_noise = as_floats(cv2.LUT(bins, _table(1.0 / ((_MOVED - _STILL) * noise))))
            np.maximum(surely, change * by_noise, out=surely)
        surely -= np.float32(_STILL / (_MOVED - _STILL))
        return np.clip(surely, 0.0, 1.0, out=surely)

    def _measured(
        self, new: list[Floats], changes: list[Floats], bins: NDArray[np.uint8], least: float
    ) -> Floats:
        """What noise makes of local means: planes × levels."""
        noise = np.empty((len(new), _LEVELS), np.float32)
        for i, (mine, change) in enumerate(zip(new, changes, strict=True)):
            found = _by_level(change, bins, _QUANTILE) / np.float32(_OF_DEVIATION)
            # A moving camera changes everything: noise is no more than it was, or than the
            # flattest places of this frame show.
            most = _spread(mine, bins)
            if self._noise is not None:
                most = np.minimum(most, self._noise[i] * _RISE)
            noise[i] = np.maximum(np.minimum(found, most), least)
        return noise


def _by_level(change: Floats, bins: NDArray[np.uint8], quantile: float) -> Floats:
    """A low quantile of the values at each level; a level that is hardly there has the overall."""
    values, where = change[::3, ::3].ravel(), bins[::3, ::3].ravel()
    overall = low_quantile(values, quantile)
    found = np.full(_LEVELS, overall, np.float32)
    for level in np.flatnonzero(np.bincount(where, minlength=_LEVELS) >= _ENOUGH):
        found[level] = low_quantile(values[where == level], quantile)
    return found


def _spread(values: Floats, bins: NDArray[np.uint8]) -> Floats:
    """What local means may differ by, as the flattest places of one frame show at each level."""
    mean = _blurred(values)
    variance = as_floats(_blurred(values * values) - mean * mean)
    return as_floats(_OF_SPREAD * np.sqrt(np.maximum(_by_level(variance, bins, _FLATTEST), 0.0)))


def _times(plane: Floats, gain: float, zero: float) -> Floats:
    return as_floats(cv2.addWeighted(plane, gain, plane, 0.0, zero * (1.0 - gain)))


def _blurred(values: Any) -> Floats:
    side = 2 * _RADIUS + 1
    return as_floats(cv2.blur(values, (side, side)))


def _resized(plane: Floats, columns: int, rows: int, mode: int) -> Floats:
    if plane.shape == (rows, columns):
        return plane
    return as_floats(cv2.resize(plane, (columns, rows), interpolation=mode))


def _table(by_level: Floats) -> Floats:
    return np.concatenate([by_level, np.zeros(256 - _LEVELS, np.float32)])
