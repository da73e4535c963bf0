"""What is done to one frame of a video: by tables, by a steady light, or its result steadied.

A mode decides which (:func:`way_of`). All three keep what must be known from frame to frame.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.engine.enhancer import Enhancer
from undark.engine.temporal import TemporalSmoother
from undark.modes import Light, ToneCurves
from undark.photo import FloatImage, Photo, from_float
from undark.pixels import tone
from undark.pixels.curves import SAMPLES, look_up, sample_points, tables
from undark.pixels.planes import Colours, Planes, PlaneTables, relight_planes

__all__ = ["SIZE", "Moment", "Way", "way_of"]

SIZE: Final = (64, 64)
"""Size of the glance at a frame where the model has none."""

# Seconds from one question to the model to the next, while light changes and else.
_SOON: Final = 0.1
_PERIOD: Final = 0.4
# Curves that have moved by less are the same to the eye.
_SAME: Final = 5e-4
# A sample of 8 bits becomes no more than about so many.
_STEEPEST: Final = 14.0
_TINY: Final = np.float32(1e-9)
# Of finding the bend that gives a gain; each leaves a fraction of the error.
_STEPS: Final = 4
# Added to levels whose ratio is asked for: that of black to black is 1.
_MARGIN: Final = np.float32(0.004)

Curves = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """When a frame is shown, and what it looks like.

    Attributes:
        glance: The whole frame, shrunk.
        seconds: Its time.
    """

    glance: FloatImage
    seconds: float


class Way(ABC):
    """One way of bringing the frames of one clip to light.

    Args:
        enhancer: The model.
        adjust: What is asked; a way ignores `denoise`.
        smoother: Has seen the frame that is worked on.
    """

    def __init__(self, enhancer: Enhancer, adjust: Adjust, smoother: TemporalSmoother) -> None:
        """Begin with nothing decided."""
        self._enhancer = enhancer
        self._adjust = adjust
        self._smoother = smoother

    @abstractmethod
    def pixels(self, pixels: NDArray[Any], moment: Moment, depth: int) -> NDArray[Any]:
        """H×W×3 RGB `pixels` of any depth, brought to light.

        Args:
            pixels: The frame.
            moment: When it is shown, and its glance.
            depth: Bits of a sample of the source.
        """

    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        """Write `source`, brought to light, to `target`."""
        target.set_rgb(self.pixels(source.rgb(), moment, target.colours.depth))


class _Asking(Way):
    """Asks the model now and then for its light, and smooths that over time."""

    def __init__(self, enhancer: Enhancer, adjust: Adjust, smoother: TemporalSmoother) -> None:
        super().__init__(enhancer, adjust, smoother)
        self._asked = -math.inf
        self._wanted: Light = ToneCurves(np.zeros((3, 2), np.float32))

    def _light(self, moment: Moment, depth: int) -> Light:
        """The light that was last decided, at the pace of the changes of light."""
        period = _SOON if self._smoother.hurry else _PERIOD
        if self._smoother.cut or not 0.0 <= moment.seconds - self._asked < period:
            self._asked = moment.seconds
            light = self._enhancer.decide(moment.glance, self._adjust)
            assert light is not None  # the mode decides one: it is why this way was taken
            self._wanted = self._fitted(light, depth)
        return self._wanted

    def _fitted(self, light: Light, depth: int) -> Light:
        """What of a light is done to frames of that depth."""
        del depth
        return light


class _ByTables(_Asking):
    """Curves, done to the frame's own planes by tables, faster than video plays."""

    def __init__(self, enhancer: Enhancer, adjust: Adjust, smoother: TemporalSmoother) -> None:
        super().__init__(enhancer, adjust, smoother)
        self._kept: tuple[Curves, Colours, PlaneTables] | None = None

    def pixels(self, pixels: NDArray[Any], moment: Moment, depth: int) -> NDArray[Any]:
        curves = self._curves(moment, depth)
        return from_float(look_up(pixels, tables(curves, pixels.dtype)), pixels.dtype)

    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        curves = self._curves(moment, target.colours.depth)
        kept = self._kept
        if (
            kept is None
            or kept[1] != source.colours
            or float(np.abs(kept[0] - curves).max()) > _SAME
        ):
            made = PlaneTables.of(curves, source.colours, target.colours)
            kept = self._kept = (curves, source.colours, made)
        relight_planes(source, target, kept[2])

    def _curves(self, moment: Moment, depth: int) -> Curves:
        steady = self._light(moment, depth).steady(self._smoother.follow)
        assert isinstance(steady, ToneCurves)  # such a mode decides nothing else
        return steady.curves

    def _fitted(self, light: Light, depth: int) -> ToneCurves:
        """The curves with strength and exposure in them, and no steeper than samples allow."""
        # One sample must not become a visible step: what little it tells of colour is rounding.
        assert isinstance(light, ToneCurves)
        curves = light.curves
        same = sample_points(curves.shape[1])
        steepest = same * np.float32(_STEEPEST * 2.0 ** (depth - 8))
        ratio = np.square(np.square(curves / np.maximum(steepest, _TINY)))
        curves = np.asarray(curves / np.sqrt(np.sqrt(1.0 + ratio)), np.float32)
        if self._adjust.strength < 1.0:
            curves = np.asarray(same + self._adjust.strength * (curves - same), np.float32)
        return ToneCurves(tone.exposure(curves, self._adjust.exposure))


class _ByLight(_Asking):
    """A mode's light, steady from frame to frame, with all else that the mode does."""

    def pixels(self, pixels: NDArray[Any], moment: Moment, depth: int) -> NDArray[Any]:
        light = self._light(moment, depth).steady(self._smoother.follow)
        return self._enhancer.enhance_photo(Photo(pixels), self._adjust, light=light).pixels


class _ByResult(Way):
    """Each frame by itself, its light then brought to that of the frames before."""

    def pixels(self, pixels: NDArray[Any], moment: Moment, depth: int) -> NDArray[Any]:
        del moment, depth
        source = Photo(pixels)
        photo = self._enhancer.enhance_photo(source, self._adjust)
        before, after = source.glance(*SIZE), photo.glance(*SIZE)
        gains = _gains(before, after)
        wanted = self._smoother.follow(gains)
        if float(np.abs(np.log(wanted / gains)).max()) < _SAME:
            return photo.pixels
        curves = np.stack([_towards(*item) for item in zip(before.T, after.T, wanted, strict=True)])
        return from_float(look_up(photo.pixels, tables(curves, pixels.dtype)), pixels.dtype)


def way_of(enhancer: Enhancer, adjust: Adjust, smoother: TemporalSmoother) -> Way:
    """The way that suits the model's mode: the fastest of those that it can go."""
    mode = enhancer.mode
    kind = _ByTables if mode.by_tables else _ByLight if mode.decides else _ByResult
    return kind(enhancer, adjust, smoother)


def _gains(before: FloatImage, after: FloatImage) -> Curves:
    """How much brighter the three channels have become in most places, whatever passes there."""
    ratios = (after + _MARGIN) / (before + _MARGIN)
    return np.asarray(np.median(ratios, axis=(0, 1)), np.float32)


def _towards(before: Curves, after: Curves, gain: np.float32) -> Curves:
    """A curve that keeps black and white and makes `after` `gain` times `before` in most places.

    Sampled for `tables`.
    """
    bend = np.float32(1.0)
    for _ in range(_STEPS):
        ratios = (_bent(after, bend) + _MARGIN) / (before + _MARGIN)
        bend = np.float32(bend * gain / np.median(ratios))
    return _bent(sample_points(SAMPLES), bend)


def _bent(values: Curves, bend: np.float32) -> Curves:
    return np.asarray(bend * values / (1 + (bend - 1) * values), np.float32)
