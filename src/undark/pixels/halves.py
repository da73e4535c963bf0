"""Large frames: all is done at half of luma's size, and its finest details are carried over.

A frame of two megapixels in 4:2:0 holds its colours at half of luma's size. Noise is cleaned and light
is done there, at a quarter of the cost; luma's finest details get the light of their place, less what
of them is noise.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from undark.pixels.arrays import Floats, as_floats
from undark.pixels.lit import MARGIN, Tone, store
from undark.pixels.planenoise import added, by_roots, energy_of, kept_share, sized, tally_of
from undark.pixels.planes import Planes

__all__ = ["Details", "halved", "is_large"]

_LARGE: Final = 800_000
# How much of the noise that is found goes.
_FACTOR: Final = 1.5
_PERIOD: Final = 12
_NEW: Final = 0.5
_MOST_RATIO: Final = 4.0


def is_large(frame: Planes) -> bool:
    """Whether a frame has so many pixels that it is done at half its size, and can be."""
    half = (frame.height // 2, frame.width // 2)
    even = frame.height % 2 == frame.width % 2 == 0
    return even and frame.u.shape == half and frame.y.size > _LARGE


def halved(frame: Planes) -> Planes:
    """The frame, of 16 bits in 4:2:0, with luma at the size of its colours."""
    size = (frame.width // 2, frame.height // 2)
    y: Any = cv2.resize(frame.y, size, interpolation=cv2.INTER_AREA)
    return Planes(y, frame.u, frame.v, frame.colours)


class Details:
    """Carries details from luma to what became of its half.

    Args:
        amount: How much of their noise goes, from 0 to 1.
    """

    def __init__(self, amount: float) -> None:
        """Begin with nothing measured."""
        self._amount = np.float32(amount)
        self._noise: Floats | None = None
        self._age = 0

    def carry(
        self, source: Planes, half: Planes, lit: Planes, target: Planes, tone: Tone, *, cut: bool
    ) -> None:
        """Write what `lit` shows to `target`, with the details of `source`.

        Args:
            source: The frame, 16 bits a sample.
            half: The same at half its size.
            lit: What became of that, in 16 bits.
            target: A frame of the source's shape, of any depth.
            tone: Of the light.
            cut: Whether a new scene begins.
        """
        deep, out = source.colours, target.colours
        usual = as_floats(cv2.LUT(half.y, tone.lifted))
        fine = cv2.LUT(source.y, tone.lifted)
        details = as_floats(cv2.subtract(fine, sized(usual, source.y.shape), dst=fine))
        light = lit.y.astype(np.float32)
        light -= np.float32(deep.black)
        light *= np.float32(1.0 / deep.luma_span)
        # Of neighbours together, or the grain of one would be in the other.
        gain = cv2.blur(light, (3, 3)) + np.float32(MARGIN)
        gain /= cv2.blur(usual, (3, 3))
        np.minimum(gain, np.float32(_MOST_RATIO), out=gain)
        if self._amount > 0.0:
            gain *= self._kept(half, details, tone, cut=cut)
        wide = cv2.multiply(details, sized(as_floats(gain), details.shape), dst=details)
        wide: Any = cv2.add(wide, sized(light, details.shape), dst=wide)
        wide *= np.float32(out.luma_span)
        store(wide, out.black, target.y, out)
        factor = out.colour_span / deep.colour_span
        for plane, result in ((lit.u, target.u), (lit.v, target.v)):
            values = plane.astype(np.float32)
            values -= np.float32(deep.middle)
            values *= np.float32(factor)
            store(values, out.middle, result, out)

    def _kept(self, half: Planes, details: Floats, tone: Tone, *, cut: bool) -> Floats:
        """Which share of the details is no noise, at half size."""
        level = half.y.astype(np.float32)
        level -= np.float32(half.colours.black)
        level *= np.float32(1.0 / half.colours.luma_span)
        np.sqrt(np.clip(level, 0.0, 1.0, out=level), out=level)
        energy = energy_of(details, level.shape)
        self._age += 1
        if cut or self._noise is None or self._age >= _PERIOD:
            self._age = 0
            found = tally_of(level, energy)
            if self._noise is not None and not cut:
                found = as_floats(self._noise + np.float32(_NEW) * (found - self._noise))
            self._noise = found
        asked = by_roots(added(tone.slopes)) * (self._amount * np.float32(_FACTOR))
        index = cv2.convertScaleAbs(level, alpha=255.0)
        noise = as_floats(cv2.LUT(index, as_floats(self._noise * asked)))
        return kept_share(energy, noise)
