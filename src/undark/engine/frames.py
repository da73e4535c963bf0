"""What is done to one frame of a video: a steady light, a restoration, or its result steadied.

A mode and the quality asked for decide which (:func:`way_of`). All three keep what must be known
from frame to frame.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.engine.cleaning import Cleaner
from undark.engine.enhancer import Enhancer
from undark.engine.temporal import TemporalSmoother
from undark.modes import Light, ToneCurves
from undark.photo import FloatImage, Photo, from_float
from undark.pixels import tone
from undark.pixels.curves import SAMPLES, look_up, sample_points, tables
from undark.pixels.dither import dithered
from undark.pixels.grid import mean_light
from undark.pixels.halves import Details, Known, halved, halvings
from undark.pixels.lit import PlaneLight, Tone, relight_planes
from undark.pixels.planes import Planes

__all__ = ["QUALITIES", "SIZE", "Moment", "Quality", "Way", "way_of"]

Quality = Literal["fast", "balanced", "best"]
"""How much is done to each frame: its light alone; cleaned, too; restored as a photo is."""

QUALITIES: Final[tuple[Quality, ...]] = ("fast", "balanced", "best")
"""All of them, the quickest first."""

SIZE: Final = (64, 64)
"""Size of the glance at a frame where the model has none."""

# Seconds from one question to the model to the next, while light changes and else.
_SOON: Final = 0.1
_PERIOD: Final = 0.4
# Curves that have moved by less are the same to the eye.
_SAME: Final = 5e-4
# A sample of 8 bits becomes no more than about so many, where its noise stays and where it goes.
_STEEPEST: Final = 14.0
_STEEPEST_CLEANED: Final = 40.0
# A light whose steps are no larger than this is not dithered.
_GENTLE: Final = 1.5
# Bytes: what a frame takes is less.
_KEPT: Final = 31 << 20
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
        depth: Bits of a sample of the source.
    """

    glance: FloatImage
    seconds: float
    depth: int


class Way(ABC):
    """One way of bringing the frames of one clip to light.

    Args:
        enhancer: The model.
        adjust: What is asked; a way ignores `denoise`.
        smoother: Has seen the frame that is worked on.
        cleaner: Takes noise off, or None.
    """

    def __init__(
        self,
        enhancer: Enhancer,
        adjust: Adjust,
        smoother: TemporalSmoother,
        cleaner: Cleaner | None,
    ) -> None:
        """Begin with nothing decided."""
        self._enhancer = enhancer
        self._adjust = adjust
        self._smoother = smoother
        self._cleaner = cleaner

    @abstractmethod
    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        """Write `source`, brought to light, to `target`.

        Args:
            source: The frame, 16 bits a sample.
            target: A frame of the same shape, of any depth.
            moment: When it is shown, and what it looks like.
        """


class _Asking(Way):
    """Asks the model now and then for its light, and smooths that over time."""

    def __init__(
        self,
        enhancer: Enhancer,
        adjust: Adjust,
        smoother: TemporalSmoother,
        cleaner: Cleaner | None,
    ) -> None:
        super().__init__(enhancer, adjust, smoother, cleaner)
        self._asked = -math.inf
        self._wanted: Light = ToneCurves(np.zeros((3, 2), np.float32))
        self._tone: Tone | None = None
        # glibc keeps what it frees once this much was freed, instead of asking for it each frame.
        np.empty(_KEPT, np.uint8)
        amount = 0.0 if cleaner is None else cleaner.amount
        self._details = [Details(amount), Details(amount)]

    def _light(self, moment: Moment) -> Light:
        """The light that was last decided, at the pace of the changes of light."""
        period = _SOON if self._smoother.hurry else _PERIOD
        if self._smoother.cut or not 0.0 <= moment.seconds - self._asked < period:
            self._asked = moment.seconds
            light = self._enhancer.decide(moment.glance, self._adjust)
            assert light is not None  # the mode decides one: it is why this way was taken
            self._wanted = self._fitted(light, moment.depth)
        return self._wanted.steady(self._smoother.follow)

    def _on_planes(self, light: Light, moment: Moment, source: Planes) -> tuple[PlaneLight, Tone]:
        """The light as planes take it, and its tone."""
        # What passes before most of the scene moves its mean, and must not move its light.
        mean = np.array([mean_light(moment.glance)], np.float32)
        lit = light.on_planes(float(self._smoother.follow(mean, "mean")[0]))
        self._tone = Tone.of(lit, source.colours, self._tone)
        return lit, self._tone

    def _prepared(self, source: Planes, lights_tone: Tone, moment: Moment) -> Planes:
        """The frame without what light would show of noise and of the steps of its samples."""
        if self._cleaner is not None:
            source = self._cleaner.clean(source, lights_tone.slopes, self._smoother)
        steep = float(lights_tone.slopes.max()) > _GENTLE
        return dithered(source, moment.depth) if steep else source

    def _fitted(self, light: Light, depth: int) -> Light:
        """Curves with strength and exposure in them; other lights have them."""
        if not isinstance(light, ToneCurves):
            return light
        curves = light.curves
        same = sample_points(curves.shape[1])
        # One sample must not become a visible step.
        most = _STEEPEST if self._cleaner is None else _STEEPEST_CLEANED
        steepest = same * np.float32(most * 2.0 ** (depth - 8))
        ratio = np.square(np.square(curves / np.maximum(steepest, _TINY)))
        curves = np.asarray(curves / np.sqrt(np.sqrt(1.0 + ratio)), np.float32)
        if self._adjust.strength < 1.0:
            curves = np.asarray(same + self._adjust.strength * (curves - same), np.float32)
        return ToneCurves(tone.exposure(curves, self._adjust.exposure))


class _OnPlanes(_Asking):
    """A light, done to the frame's own planes; noise is cleaned off before."""

    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        light, lights_tone = self._on_planes(self._light(moment), moment, source)
        with _OneThread():
            self._paint(source, target, moment, light, lights_tone)

    def _paint(
        self, source: Planes, target: Planes, moment: Moment, light: PlaneLight, lights_tone: Tone
    ) -> None:
        sizes = [source]
        for _ in range(halvings(source)):
            sizes.append(halved(sizes[-1]))
        results = [target, *(size.blank_copy() for size in sizes[1:])]
        small = self._prepared(sizes[-1], lights_tone, moment)
        relight_planes(small, results[-1], light, lights_tone)
        most = None if self._cleaner is None else self._cleaner.finest()
        known = Known(self._smoother.cut, most)
        for i in reversed(range(len(sizes) - 1)):
            known = known.finer()
            whole, half = sizes[i : i + 2]
            self._details[i].carry(
                whole, half, results[i + 1], results[i], tone=lights_tone, known=known
            )


class _ByLight(_Asking):
    """A mode's light, steady from frame to frame, with all else that the mode does."""

    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        light = self._light(moment)
        _, lights_tone = self._on_planes(light, moment, source)
        photo = Photo(self._prepared(source, lights_tone, moment).rgb())
        target.set_rgb(self._enhancer.enhance_photo(photo, self._adjust, light=light).pixels)


class _ByResult(Way):
    """Each frame by itself, its light then brought to that of the frames before."""

    def planes(self, source: Planes, target: Planes, moment: Moment) -> None:
        del moment
        if self._cleaner is not None:
            source = self._cleaner.clean(source, None, self._smoother)
        photo = Photo(source.rgb())
        target.set_rgb(self._steady(photo))

    def _steady(self, source: Photo) -> NDArray[Any]:
        photo = self._enhancer.enhance_photo(source, self._adjust)
        before, after = source.glance(*SIZE), photo.glance(*SIZE)
        gains = _gains(before, after)
        wanted = self._smoother.follow(gains)
        if float(np.abs(np.log(wanted / gains)).max()) < _SAME:
            return photo.pixels
        curves = np.stack([_towards(*item) for item in zip(before.T, after.T, wanted, strict=True)])
        kind = photo.pixels.dtype
        return from_float(look_up(photo.pixels, tables(curves, kind)), kind)


def way_of(
    enhancer: Enhancer,
    adjust: Adjust,
    smoother: TemporalSmoother,
    cleaner: Cleaner | None,
    quality: Quality,
) -> Way:
    """The way that suits the model's mode and the quality: the fastest of those that it can go."""
    kind = _ByResult
    if enhancer.mode.decides:
        kind = _ByLight if quality == "best" else _OnPlanes
    return kind(enhancer, adjust, smoother, cleaner)


class _OneThread(AbstractContextManager[None]):
    """OpenCV's own threads would wait for small work and take time from decoder and encoder."""

    def __enter__(self) -> None:
        self._before = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def __exit__(self, *_: object) -> None:
        cv2.setNumThreads(self._before)


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
