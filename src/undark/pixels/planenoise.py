"""Noise of a video's planes: measured on its frames, and taken off in space where little else is.

As in :mod:`undark.pixels.noise`, details of several scales are kept so far as they vary more than
noise does (the local Wiener filter's share; Lee, TPAMI 1980); colour's are judged more strictly
than luma's, since the eye sees less of them. What averaging over time has left of noise differs by
place: how fast it falls with the weight of a new frame is measured, too, since codecs repeat noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from undark.pixels.arrays import Floats, as_floats
from undark.pixels.noise import Tally
from undark.pixels.planes import Colours

__all__ = ["PlaneCleaner"]

_SCALES: Final = 3
# How much of the noise that is found goes, of luma and of colour, by scale.
_LUMA: Final = (1.5, 0.4)
_COLOUR: Final = (2.0, 2.0, 1.0)
_RADIUS: Final = 2
# Frames from one measurement to the next, and how much a new one counts.
_PERIOD: Final = 12
_NEW: Final = 0.5
# Smallest side of a scale.
_SMALLEST: Final = 12
_TINY: Final = np.float32(1e-9)
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
        self._noise: list[list[Floats]] | None = None
        self._power = [_POWER] * 3
        self._age = 0

    def clean(
        self,
        averaged: Sequence[Floats],
        new: Sequence[Floats],
        weight: Floats,
        colours: Colours,
        share: Floats | None,
        *,
        cut: bool,
    ) -> list[Floats]:
        """The planes without what is left of their noise.

        Args:
            averaged: y, u and v, float32 in samples.
            new: The same before they were averaged.
            weight: How much the new frame counts at each place, at half of luma's size.
            colours: What the samples mean.
            share: By 256 levels of luma, how much of noise is to go, in [0, 1]; by default all.
            cut: Whether a new scene begins.
        """
        scale = np.float32(1.0 / colours.luma_span)
        luma, *others = (plane * scale for plane in averaged)
        base = np.float32(colours.black * scale)
        rows, columns = weight.shape
        level = as_floats(cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA)) - base
        np.sqrt(np.clip(level, 0.0, 1.0, out=level), out=level)
        planes = (luma, *others)
        self._age += 1
        if cut:
            self._noise, self._power = None, [_POWER] * 3
        if self._noise is None or self._age >= _PERIOD:
            self._age = 0
            self._measure(planes, [plane * scale for plane in new], level, weight)
        assert self._noise is not None
        index = cv2.convertScaleAbs(level, alpha=255.0)
        roots = np.square(np.linspace(0.0, 1.0, 256, dtype=np.float32))
        asked = np.float32(self._amount) * (
            np.ones(256, np.float32)
            if share is None
            else np.interp(roots, np.linspace(0.0, 1.0, len(share)), share).astype(np.float32)
        )
        back = np.float32(1.0) / scale
        cleaned: list[Floats] = []
        for number, plane in enumerate(planes):
            factors = _COLOUR if number else _LUMA
            tables = [
                table * asked * np.float32(factor)
                for table, factor in zip(self._noise[number], factors, strict=False)
            ]
            left = as_floats(cv2.pow(weight, self._power[number]))
            noise = [as_floats(cv2.multiply(cv2.LUT(index, table), left)) for table in tables]
            result = _shrunk(plane, noise)
            result *= back
            cleaned.append(result)
        return cleaned

    def _measure(
        self, averaged: Sequence[Floats], new: Sequence[Floats], level: Floats, weight: Floats
    ) -> None:
        """Take note of what the frame shows of noise."""
        before = self._noise
        usual = float(np.median(weight))
        found: list[list[Floats]] = []
        for number, (mean, plane) in enumerate(zip(averaged, new, strict=True)):
            whole = _tallied(plane, level)
            if usual < 0.5:
                rest = _tallied(mean, level)
                ratio = float(
                    np.median([np.median(a / b) for a, b in zip(rest, whole, strict=True)])
                )
                power = math.log(max(ratio, 1e-3)) / math.log(usual)
                self._power[number] = min(max(power, 0.0), 1.0)
            if before is not None:
                whole = [
                    as_floats(old + np.float32(_NEW) * (now - old))
                    for old, now in zip(before[number], whole, strict=False)
                ]
            found.append(whole)
        self._noise = found


def _tallied(plane: Floats, level: Floats) -> list[Floats]:
    """The variance of noise by scale, each by 256 roots of levels."""
    found: list[Floats] = []
    for _ in range(_SCALES):
        if min(plane.shape) < 2 * _SMALLEST:
            break
        small = _halved(plane)
        energy = _energy(plane - _sized(small, plane.shape))
        tally = Tally()
        tally.add(_sized(level, energy.shape), energy)
        found.append(tally.noise())
        plane = small
    return found


def _shrunk(values: Floats, noise: Sequence[Floats]) -> Floats:
    """`values` less noise of the variances given by scale, each at half of luma's size."""
    if not noise or min(values.shape) < 2 * _SMALLEST:
        return values
    small = _halved(values)
    details = as_floats(cv2.subtract(values, _sized(small, values.shape)))
    # The finest luma's energy is found at half its size, as are all others at theirs.
    energy = _energy(details, noise[0].shape)
    kept = np.float32(1.0) - _sized(noise[0], energy.shape) / energy
    kept = _blurred(np.maximum(kept, np.float32(0.0), out=kept))
    details *= _sized(kept, values.shape)
    rest = _sized(_shrunk(small, noise[1:]), values.shape)
    return as_floats(cv2.add(rest, details, dst=details))


def _energy(details: Floats, most: tuple[int, ...] | None = None) -> Floats:
    square = as_floats(cv2.multiply(details, details))
    if most is not None and square.shape[0] > most[0]:
        square = _sized(square, most)
    return np.maximum(_blurred(square), _TINY)


def _blurred(values: Floats) -> Floats:
    side = 2 * _RADIUS + 1
    return as_floats(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))


def _halved(values: Floats) -> Floats:
    return _sized(values, (values.shape[0] // 2, values.shape[1] // 2))


def _sized(values: Floats, shape: tuple[int, ...]) -> Floats:
    """At another size: by area where that is smaller."""
    if values.shape == shape:
        return values
    mode = cv2.INTER_AREA if shape[0] < values.shape[0] else cv2.INTER_LINEAR
    return as_floats(cv2.resize(values, (shape[1], shape[0]), interpolation=mode))
