"""Noise of a video's planes: measured on its frames, and taken off in space where little else is.

As in :mod:`undark.pixels.noise`, details of several scales are kept so far as they vary more than
noise does (the local Wiener filter's share; Lee, TPAMI 1980); colour's are judged more strictly
than luma's, since the eye sees less of them. What averaging over time has left of noise differs by
place: how fast it falls with the weight of a new frame is measured, too, since codecs repeat noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from undark.pixels.arrays import Floats, as_floats
from undark.pixels.averaging import Averaged
from undark.pixels.noise import Tally
from undark.pixels.planes import Colours

__all__ = ["PlaneCleaner", "added", "by_roots", "energy_of", "kept_share", "sized", "tally_of"]

# How much of the noise that is found goes by scale: of luma, and of both colours.
_FACTORS: Final = ((1.0, 0.4), (2.0, 2.0, 1.0), (2.0, 2.0, 1.0))
_PLANES: Final = len(_FACTORS)
_RADIUS: Final = 2
# Frames from one measurement to the next, and how much a new one counts.
_PERIOD: Final = 12
_NEW: Final = 0.5
# Smallest side of a scale.
_SMALLEST: Final = 12
_TINY: Final = np.float32(1e-12)
# Codecs repeat some noise: it is at most so many times what changes from frame to frame.
_OF_CHANGE: Final = 1.0
# A new frame that counts for less than this has been averaged with some.
_SETTLED: Final = 0.5
# Share of noise that is left where a frame is one of eight, as a power of its weight, at first.
_POWER: Final = 0.6


class PlaneCleaner:
    """Takes noise off averaged planes.

    Args:
        amount: From 0, where they stay as they are, to 1.
    """

    def __init__(self, amount: float = 1.0) -> None:
        """Begin with nothing measured."""
        self._amount = amount
        self._noise: list[list[Floats]] = []
        self._power = [_POWER] * _PLANES
        self._age = 0
        # Whether it was seen from frame to frame what is noise.
        self._sure = False

    def finest(self) -> tuple[Floats, Floats] | None:
        """The variance of noise in the finest details of luma, and of both colours together.

        By 256 roots of levels, in squares of samples; None where it was not seen from frame to
        frame what is noise.
        """
        if not (self._noise and self._sure):
            return None
        luma, blue, red = (scales[0] for scales in self._noise)
        return luma, as_floats(blue + red)

    def clean(
        self,
        averaged: Averaged,
        new: Sequence[Floats],
        colours: Colours,
        share: Floats | None,
        *,
        cut: bool,
    ) -> list[Floats]:
        """The planes without what is left of their noise.

        Args:
            averaged: The frame, float32 in samples.
            new: The same before it was averaged.
            colours: What the samples mean.
            share: By 256 levels of luma, how much of noise is to go, in [0, 1]; by default all.
            cut: Whether a new scene begins.
        """
        weight = averaged.weight
        level = np.array(sized(averaged.planes[0], weight.shape))
        level -= np.float32(colours.black)
        level *= np.float32(1.0 / colours.luma_span)
        np.sqrt(np.clip(level, 0.0, 1.0, out=level), out=level)
        self._age += 1
        if cut or not self._noise:
            self._noise, self._power, self._sure = [], [_POWER] * _PLANES, False
        if not self._noise or self._age >= (_PERIOD if self._sure else 2):
            self._age = 0
            self._measure(averaged, new, level)
        index = cv2.convertScaleAbs(level, alpha=255.0)
        asked = np.full(256, self._amount, np.float32)
        if share is not None:
            asked *= by_roots(share)
        return [
            self._cleaned(number, plane, index, asked, weight)
            for number, plane in enumerate(averaged.planes)
        ]

    def _cleaned(
        self, number: int, plane: Floats, index: Any, asked: Floats, weight: Floats
    ) -> Floats:
        left = as_floats(cv2.pow(weight, self._power[number]))
        noise: list[Floats] = []
        for table, factor in zip(self._noise[number], _FACTORS[number], strict=False):
            found = cv2.LUT(index, as_floats(table * asked * np.float32(factor)))
            noise.append(as_floats(cv2.multiply(found, left, dst=found)))
        return _shrunk(plane, noise)

    def _measure(self, averaged: Averaged, new: Sequence[Floats], level: Floats) -> None:
        """Take note of what the frame shows of noise."""
        usual = float(np.median(averaged.weight))
        sure, self._sure = self._sure, averaged.change is not None
        if sure != self._sure:
            self._noise = []
        found: list[list[Floats]] = []
        for number, (mean, plane) in enumerate(zip(averaged.planes, new, strict=True)):
            whole = _tallied(plane, level, len(_FACTORS[number]))
            if averaged.change is not None:
                # Texture that fills the frame looks like noise, but it does not change.
                change = _tallied(averaged.change[number], level, len(whole))
                pairs = zip(whole, change, strict=True)
                whole = [np.minimum(one, np.float32(_OF_CHANGE) * other) for one, other in pairs]
            if usual < _SETTLED:
                rest = _tallied(mean, level, len(_FACTORS[number]))
                pairs = zip(rest, whole, strict=True)
                ratio = float(np.median([np.median(a / b) for a, b in pairs]))
                power = math.log(max(ratio, 1e-3)) / math.log(usual)
                self._power[number] = min(max(power, 0.0), 1.0)
            if self._noise:
                whole = [
                    as_floats(old + np.float32(_NEW) * (now - old))
                    for old, now in zip(self._noise[number], whole, strict=False)
                ]
            found.append(whole)
        self._noise = found


def added(slopes: Floats) -> Floats:
    """Which share of the noise of light's result it has added, by level, for its slopes there."""
    return as_floats(1.0 - 1.0 / np.square(np.maximum(slopes, np.float32(1.0))))


def by_roots(table: Floats) -> Floats:
    """What a table by levels has at the squares of 256 fractions."""
    roots = np.square(np.linspace(0.0, 1.0, 256))
    return as_floats(np.interp(roots, np.linspace(0.0, 1.0, len(table)), table))


def tally_of(level: Floats, energy: Floats) -> Floats:
    """The variance of noise by 256 roots of levels, of details of that local mean square."""
    tally = Tally()
    tally.add(sized(level, energy.shape), energy)
    return tally.noise()


def _tallied(plane: Floats, level: Floats, scales: int) -> list[Floats]:
    """The variance of noise by scale, each by 256 roots of levels."""
    found: list[Floats] = []
    for _ in range(scales):
        if found and min(plane.shape) < 2 * _SMALLEST:
            break
        small = _halved(plane)
        details = as_floats(cv2.subtract(plane, sized(small, plane.shape)))
        found.append(tally_of(level, energy_of(details, level.shape)))
        plane = small
    return found


def _shrunk(values: Floats, noise: Sequence[Floats]) -> Floats:
    """`values` less noise of the variances given by scale, each at half of luma's size."""
    if not noise or min(values.shape) < 2 * _SMALLEST:
        return values
    small = _halved(values)
    details = as_floats(cv2.subtract(values, sized(small, values.shape)))
    # Luma's finest are judged at half their size, all others at theirs.
    share = kept_share(energy_of(details, noise[0].shape), noise[0])
    details = cv2.multiply(details, sized(share, values.shape), dst=details)
    rest = sized(_shrunk(small, noise[1:]), values.shape)
    return as_floats(cv2.add(rest, details, dst=details))


def kept_share(energy: Floats, noise: Floats) -> Floats:
    """Which share of details is no noise, by their local mean square, which is overwritten."""
    share: Any = cv2.divide(sized(noise, energy.shape), energy, dst=energy)
    share = np.subtract(np.float32(1.0), share, out=share)
    return _blurred(np.maximum(share, np.float32(0.0), out=share))


def energy_of(details: Floats, most: tuple[int, ...]) -> Floats:
    """The local mean square of details, at their size or `most` where they are larger."""
    if details.shape[0] >= 2 * most[0]:
        # Of four neighbours one tells enough of what is averaged over more.
        whole, size = details[: 2 * most[0], : 2 * most[1]], (most[1], most[0])
        details = as_floats(cv2.resize(whole, size, interpolation=cv2.INTER_NEAREST))
    square = _blurred(cv2.multiply(details, details))
    return np.maximum(square, _TINY, out=square)


def _blurred(values: Any) -> Floats:
    side = 2 * _RADIUS + 1
    return as_floats(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))


def _halved(values: Floats) -> Floats:
    return sized(values, (values.shape[0] // 2, values.shape[1] // 2))


def sized(values: Floats, shape: tuple[int, ...]) -> Floats:
    """At another size: by area where that is smaller."""
    if values.shape == shape:
        return values
    mode = cv2.INTER_AREA if shape[0] < values.shape[0] else cv2.INTER_LINEAR
    return as_floats(cv2.resize(values, (shape[1], shape[0]), interpolation=mode))
