"""Dithering: one sample of a dark frame must not become a visible step.

A dark ramp has few levels, and light spreads them: each becomes a band. A little noise that the eye
hardly sees, the same in each frame, makes of bands a ramp again (Roberts, "Picture coding using
pseudo-random noise", 1962; Ulichney, "The void-and-cluster method for dither array generation",
1993, whose masks have no low frequencies).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.pixels.planes import Planes, Samples

__all__ = ["blue_noise", "dithered"]

_SIDE: Final = 128
_ROUNDS: Final = 24
# Of a sample's step, what is spread where noise was cleaned off: that has left no hard steps.
_CLEANED: Final = 0.35


def dithered(source: Planes, depth: int, *, cleaned: bool = False) -> Planes:
    """The frame, of 16 bits, with less than a sample of the source's depth added or taken.

    Args:
        source: The frame.
        depth: Bits of a sample that it was given in.
        cleaned: Whether its noise was cleaned off, which spreads steps too.
    """
    step = (1 << (16 - min(depth, 16))) * (_CLEANED if cleaned else 1.0)
    if step <= 1.0:
        return source
    planes = (source.y, source.u, source.v)
    # Each plane its own part of the mask, or their grain would be grey or coloured alike.
    y, u, v = (_spread(plane, step, 41 * number) for number, plane in enumerate(planes))
    return Planes(y, u, v, source.colours)


def _spread(plane: Samples, step: float, offset: int) -> Samples:
    mask = _mask(plane.shape[0], plane.shape[1], round(step * 64), offset)
    result: Any = cv2.add(plane, mask, dtype=cv2.CV_16U)
    return result


@lru_cache(maxsize=6)
def _mask(rows: int, columns: int, amount: int, offset: int) -> NDArray[np.int16]:
    """The mask, repeated over a plane; `amount` is its range in 64ths of a sample."""
    tile = np.roll(blue_noise(), (offset, offset // 2), (0, 1)) * np.float32(amount / 64)
    repeats = (-(-rows // _SIDE), -(-columns // _SIDE))
    return np.tile(np.rint(tile).astype(np.int16), repeats)[:rows, :columns].copy()


@lru_cache(maxsize=1)
def blue_noise() -> NDArray[np.float32]:
    """A square of evenly distributed values in (-0.5, 0.5) without low frequencies; it tiles."""
    values = np.random.default_rng(7).permutation(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    values = values / values.size
    frequency = np.fft.fftfreq(_SIDE)
    distance = np.hypot(frequency[:, None], frequency[None])
    passed = 1.0 - np.exp(-np.square(distance / 0.22))
    for _ in range(_ROUNDS):
        # Take the low frequencies off, then make the values even again.
        values = np.fft.ifft2(np.fft.fft2(values) * passed).real
        order = np.argsort(values, axis=None)
        ranks = np.empty(values.size)
        ranks[order] = np.arange(values.size)
        values = (ranks.reshape(_SIDE, _SIDE) + 0.5) / values.size
    return (values - 0.5).astype(np.float32)
