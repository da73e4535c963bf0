"""Steadiness between frames: decisions that do not jump.

Decisions are exposures, so they are smoothed as logarithms, with time constants in seconds. As a
camera's operator would, they follow a change of the light on the whole scene at once, and pay
little heed to what changes in a corner of it: a lamp that passes must not make the walls pump.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from undark.photo import FloatImage
from undark.pixels.arrays import Floats, as_floats
from undark.pixels.colour import luma

__all__ = ["TemporalSmoother"]

# Time constants in seconds: of what follows a change of light, and of what need not.
_QUICK: Final = 0.12
_CALM: Final = 4.0
# Where half of the scene has become brighter by this (or darker), in natural logarithms, light has
# changed; it is followed until less than the second is left.
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
# What is added to decisions before their logarithms are taken.
_LEAST: Final = np.float32(1e-4)
# And to levels whose ratios are.
_DIM: Final = 1e-3


class TemporalSmoother:
    """Sees each frame's glance, and smooths what is decided from some of them.

    Attributes:
        cut: Whether the frame last seen begins a new scene (or is the first).
        hurry: Whether a change of light is being followed.
        brighter: How many times as bright most of the scene is as in the frame before, as encoded.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.cut: bool = True
        self.hurry: bool = False
        self.brighter: float = 1.0
        self._time = -math.inf
        self._last: Floats | None = None
        self._settled: Floats | None = None
        self._values: dict[str, Floats] = {}
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
        self.brighter = 1.0
        elapsed = time - self._time
        self._time = time
        if self._last is None or self._settled is None:
            self.cut = True
        else:
            change = cells - self._last
            light = float(np.median(change))
            parts = float(np.abs(change - light).mean())
            self.cut = parts > (_LIKELY_CUT if abs(light) > _OTHER_LIGHT else _CUT)
            if not self.cut:
                shown = np.exp((cells, self._last)) - np.float32(_BLACK - _DIM)
                self.brighter = float(np.median(shown[0] / shown[1]))
        self._last = cells
        if self.cut or self._settled is None:
            self._settled, self._fraction, self.hurry = cells, 1.0, False
            return
        left = abs(float(np.median(cells - self._settled)))
        self.hurry = left > (_FOLLOWED if self.hurry else _CHANGED)
        if not 0.0 < elapsed < math.inf:
            elapsed = 1 / 30
        self._fraction = 1.0 - math.exp(-elapsed / (_QUICK if self.hurry else _CALM))
        self._settled = _mixed(self._settled, cells, self._fraction)

    def follow(self, wanted: Floats, what: str = "light") -> Floats:
        """The decision for the frame last seen, of which `wanted` would be best for it alone.

        Args:
            wanted: Levels or gains, at least 0, of one shape from frame to frame.
            what: Which decision it is, where there are several.
        """
        value = np.log(wanted + _LEAST)
        if what in self._values and not self.cut:
            value = _mixed(self._values[what], value, self._fraction)
        self._values[what] = value
        return np.maximum(np.exp(value) - _LEAST, np.float32(0.0))


def _mixed(old: Floats, new: Floats, fraction: float) -> Floats:
    return as_floats(old + np.float32(fraction) * (new - old))
