"""A whole photo relit by curves, and cleaned of the noise that they amplified.

What is to be done is decided once from the whole photo; then any of its rows can be had by
themselves, so the largest photo takes little memory, and a film's frames can share a decision.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.curves import amplification, look_up, tables
from undark.noise import ALIGNMENT, HALO, Noise, clean, measure_noise
from undark.photo import FloatImage

__all__ = ["Relighting"]

# A photo of more pixels than these patches have is judged by them.
_PATCH = 256
_PATCHES = 4
# Bands worked on at once; each takes about 100 bytes a pixel.
_THREADS = 2
_BAND_PIXELS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Relighting:
    """What is to be done to one photo.

    Attributes:
        table: Its curves for its own type; see :func:`undark.curves.tables`.
        noise: To be taken off afterwards.
    """

    table: NDArray[np.float32]
    noise: Noise

    @classmethod
    def of(
        cls, pixels: NDArray[Any], curves: NDArray[np.float32], strength: NDArray[np.float32]
    ) -> Relighting:
        """Decide.

        Args:
            pixels: The photo, H×W×3 in native depth.
            curves: 3×K, rising; see :func:`undark.curves.sample_points`.
            strength: How much of the noise measured in luma and in colour is to be taken off; 1
                is all that the curves have added.
        """
        table = tables(curves, pixels.dtype)
        measured = measure_noise(look_up(piece, table) for piece in _sample(pixels))
        luma, colour = (float(value) for value in strength)
        return cls(table, measured.times(luma, colour, amplification(curves)))

    def rows(self, pixels: NDArray[Any], top: int, bottom: int) -> FloatImage:
        """Rows `top` to `bottom` of the photo, relit: float32, in [0, 1].

        Args:
            pixels: The whole photo.
            top: First row wanted, a multiple of :data:`undark.noise.ALIGNMENT`.
            bottom: First row not wanted.
        """
        first = max(top - HALO, 0)
        relit = look_up(pixels[first : bottom + HALO], self.table)
        result = clean(relit, self.noise)[top - first : bottom - first]
        return np.clip(result, 0.0, 1.0, out=result)

    def bands(self, pixels: NDArray[Any]) -> Iterator[tuple[int, FloatImage]]:
        """All rows, in bands from top to bottom, each with its first row."""
        height, width = pixels.shape[:2]
        # No less than four times what is looked at around it, or most work would be done twice.
        step = max(_BAND_PIXELS // width // ALIGNMENT * ALIGNMENT, 4 * HALO)
        waiting: deque[tuple[int, Future[FloatImage]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for top in range(0, height, step):
                bottom = min(top + step, height)
                waiting.append((top, pool.submit(self.rows, pixels, top, bottom)))
                if len(waiting) > _THREADS:
                    first, band = waiting.popleft()
                    yield first, band.result()
            for first, band in waiting:
                yield first, band.result()


def _sample(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The whole of a small photo; patches spread evenly over a large one."""
    height, width = pixels.shape[:2]
    if height * width <= (_PATCH * _PATCHES) ** 2:
        yield pixels
        return
    for row in range(_PATCHES):
        for column in range(_PATCHES):
            top = max(height - _PATCH, 0) * row // (_PATCHES - 1)
            left = max(width - _PATCH, 0) * column // (_PATCHES - 1)
            yield pixels[top : top + _PATCH, left : left + _PATCH]
