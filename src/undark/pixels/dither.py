"""One sample of a dark frame must not become a visible step: bands are smoothed and dithered.

A dark ramp has few levels, and light spreads them: each becomes a band. Where a place differs from
its surroundings by less than a sample, the surroundings are taken (as FFmpeg's `gradfun` does), and
a little noise, the same in each frame, keeps the result's own levels from showing (Roberts,
"Picture coding using pseudo-random noise", 1962; Ulichney, "The void-and-cluster method for dither
array generation", 1993, whose masks have no low frequencies).
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
# Range of the mask, as a fraction of a sample.
_RANGE: Final = 0.35
# Surroundings: means of so many samples in both directions, and of so many of those.
_CELL: Final = 8
_CELLS: Final = 5
# Of samples, one in so many in both directions is looked at; less flat than this is not flat.
_SOME: Final = 4
_RARE: Final = 0.005
# From the first mean difference to the second, in samples, a place ceases to be flat.
_FLAT: Final = (0.45, 0.7)


def dithered(source: Planes, depth: int) -> Planes:
    """The frame, of 16 bits, without the bands that samples of less depth have left.

    Args:
        source: The frame.
        depth: Bits of a sample that it was given in.
    """
    step = 1 << (16 - min(depth, 16))
    if step == 1:
        return source
    planes = (source.y, source.u, source.v)
    # Each plane its own part of the mask, or their grain would be grey or coloured alike.
    y, u, v = (_spread(_even(plane, step), step, 41 * i) for i, plane in enumerate(planes))
    return Planes(y, u, v, source.colours)


def _even(plane: Samples, step: int) -> Samples:
    """The plane, its surroundings in place of what differs from them by less than a step."""
    rows, columns = plane.shape
    if min(rows, columns) < 2 * _CELL * _CELLS:
        return plane
    size = (columns // _CELL, rows // _CELL)
    cells = cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    means = cv2.blur(cells, (_CELLS, _CELLS))
    # How far from its surroundings a place is, a few samples tell.
    some = plane[_SOME // 2 :: _SOME, _SOME // 2 :: _SOME].astype(np.float32)
    far = cv2.absdiff(cv2.resize(means, (some.shape[1], some.shape[0])), some)
    far = cv2.resize(far, size, interpolation=cv2.INTER_AREA)
    far = cv2.blur(cv2.dilate(far, np.ones((3, 3), np.uint8)), (3, 3)) / np.float32(step)
    flat = np.clip((_FLAT[1] - far) / (_FLAT[1] - _FLAT[0]), 0.0, 1.0).astype(np.float32)
    if float(flat.mean()) < _RARE:
        return plane
    around: Any = cv2.resize(means, (columns, rows))
    away: Any = cv2.subtract(around, plane, dtype=cv2.CV_32F)
    cv2.multiply(away, cv2.resize(flat, (columns, rows)), dst=away)
    result: Any = cv2.add(plane, away, dtype=cv2.CV_16U)
    return result


def _spread(plane: Samples, step: int, offset: int) -> Samples:
    mask = _mask(plane.shape[0], plane.shape[1], step, offset)
    result: Any = cv2.add(plane, mask, dtype=cv2.CV_16U)
    return result


@lru_cache(maxsize=6)
def _mask(rows: int, columns: int, step: int, offset: int) -> NDArray[np.int16]:
    """The mask, repeated over a plane whose source has that step."""
    tile = np.roll(blue_noise(), (offset, offset // 2), (0, 1)) * np.float32(step * _RANGE)
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
