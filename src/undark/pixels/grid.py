"""Light by place and brightness: a small grid of gains in EV, read at every pixel of a photo.

A bilateral grid (Chen, Paris and Durand, "Real-time Edge-aware Image Processing with the Bilateral
Grid", SIGGRAPH 2007; Gharbi et al., "Deep Bilateral Learning for Real-Time Image Enhancement",
SIGGRAPH 2017) holds a gain for each place and each level of brightness. A pixel reads it where it
lies and at the level of a *guide*: the photo's own brightness, smoothed but for its edges (He, Sun
and Tang, "Guided Image Filtering", TPAMI 2013), so that neither is grain turned into light nor
does an edge get a halo.

Levels are relative to the photo's mean light c: a pixel of linear light Y (that of its
:func:`brightness`) stands at ``sqrt(Y / (Y + c))``, which is the same at any exposure, and as even
in noise as a square root makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, area_resize, to_float
from undark.pixels.arrays import as_floats
from undark.pixels.colour import luma, luma_weights, srgb_to_linear
from undark.pixels.guided import guided_coefficients
from undark.pixels.lighting import PIECE_PIXELS, ROOTS, by_roots
from undark.pixels.resize import upsample_rows

__all__ = [
    "DEADZONE",
    "LEAST_LIGHT",
    "LEVELS",
    "PLACES",
    "TOP",
    "VIVID",
    "Guide",
    "brightness",
    "firm",
    "level",
    "levels_of",
    "mean_light",
    "read_grid",
]

LEVELS: Final = 12
"""Levels of brightness in a grid."""
PLACES: Final = 8
"""Places along each side of a grid."""
TOP: Final = 0.98
"""The level of a grid's brightest gains: 24 times the mean light."""
LEAST_LIGHT: Final = 1e-4
"""The least mean light, linear, that levels are relative to."""
VIVID: Final = (0.6, 4.0)
"""What a colour's largest channel counts for, and its smallest against it; see :func:`brightness`.
"""
DEADZONE: Final = 0.1
"""Gains smaller than this, in EV, are none; see :func:`firm`."""

_SIDE: Final = 320
_RADIUS: Final = 3
_EPSILON: Final = 0.03**2
_NOISE: Final = 6.0
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


def brightness(image: FloatImage) -> NDArray[np.float32]:
    """How bright the pixels of H×W×3 encoded `image` are, encoded: H×W.

    It is their luma; but the light of a blue or red lamp, which has little luma, is not dark. So it
    is at least six tenths of the largest channel, and all of it where the smallest one is zero.
    """
    share, against = VIVID
    most, least = image.max(axis=-1), image.min(axis=-1)
    vivid = np.maximum(np.float32(share) * most, most - np.float32(against) * least)
    return np.maximum(luma(image), vivid)


def level(light: NDArray[np.float32], mean: float) -> NDArray[np.float32]:
    """Where linear `light`, any shape in [0, 1], stands beside the photo's `mean` light."""
    return np.sqrt(light / (light + np.float32(mean)))


def firm(stops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gains in EV, those within `DEADZONE` of zero set to it and those beyond thrice that kept.

    Firm shrinkage (Gao and Bruce, "WaveShrink with firm shrinkage", Statistica Sinica 1997).
    """
    size = np.abs(stops)
    kept = np.maximum(size - np.float32(DEADZONE), np.float32(0.0))
    kept *= np.float32(1.5)
    return np.copysign(np.minimum(kept, size, out=kept), stops)


def levels_of(pixels: NDArray[Any], mean: float) -> NDArray[np.float32]:
    """Where native H×W×3 `pixels` stand, by their :func:`brightness`, beside the `mean` light: H×W.

    The mean is taken to four digits, so that frames of a video share a table.
    """
    return by_roots(_brightness(pixels), _levels_at(float(f"{mean:.4g}")))


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """The brightness by which a photo reads its grid, for any of its rows.

    Attributes:
        mean: The photo's mean light, linear.
        slope: h×w, how much of a pixel's own level counts.
        offset: h×w, the rest of its level.
    """

    mean: float
    slope: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def of(cls, pixels: NDArray[Any], mean: float) -> Guide:
        """The guide of H×W×3 native `pixels` whose `mean` light, linear, is given."""
        rows, columns = pixels.shape[:2]
        shrink = min(1.0, _SIDE / max(rows, columns))
        small = area_resize(pixels, max(1, round(rows * shrink)), max(1, round(columns * shrink)))
        levels = level(srgb_to_linear(brightness(small)), mean)
        # In grain that the shrinking has left, no pixel's own level counts.
        rough = np.abs(levels - cv2.blur(levels, (3, 3)))
        noise = float(np.median(rough)) * 1.6
        epsilon = _EPSILON + _NOISE * noise * noise
        slope, offset = guided_coefficients(levels, levels, radius=_RADIUS, epsilon=epsilon)
        return cls(mean, slope, offset)

    def read(
        self, pixels: NDArray[Any], top: int = 0, left: int = 0, size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """The guide of a part of the photo, by default the whole.

        Args:
            pixels: B×W×3 native, the part.
            top: Its first row.
            left: Its first column.
            size: Rows and columns of the whole photo.

        Returns:
            B×W in [0, 1].
        """
        rows, columns = pixels.shape[:2]
        height, width = size or (rows, columns)
        small = np.stack((self.slope, self.offset), axis=-1)
        wide = upsample_rows(small, height, width, top, top + rows)[:, left : left + columns]
        own = wide[..., 0] * levels_of(pixels, self.mean)
        own += wide[..., 1]
        return np.clip(own, 0.0, 1.0, out=own)


def mean_light(glance: FloatImage) -> float:
    """The mean light, linear, of the photo of which this is the `glance`, H×W×3 in [0, 1]."""
    return max(float(srgb_to_linear(brightness(glance)).mean()), LEAST_LIGHT)


def read_grid(
    grid: NDArray[np.float32],
    guide: NDArray[np.float32],
    top: int = 0,
    left: int = 0,
    size: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Gains in EV at the pixels of a part of the photo, by default the whole.

    Args:
        grid: L×h×w gains in EV; its corners are the photo's.
        guide: B×W, the levels of the part's pixels; see :class:`Guide`.
        top: First row of the part.
        left: Its first column.
        size: Rows and columns of the whole photo.

    Returns:
        B×W in EV, as :func:`firm` leaves them.
    """
    levels, high, wide = grid.shape
    rows, columns = guide.shape
    height, width = size or (rows, columns)
    place = np.arange(rows, dtype=np.float64)
    down = np.clip((place + (top + 0.5)) / height * (high - 1), 0.0, float(high - 1))
    above = np.minimum(down.astype(np.intp), max(high - 2, 0))
    share = as_floats(down - above)[:, None]
    below = np.minimum(above + 1, high - 1) - above
    # The lines of the grid that the part lies between, enlarged to its columns: all levels' gains.
    used = grid[:, above[0] : above[-1] + below[-1] + 1].transpose(1, 2, 0)
    lines = as_floats(np.matmul(_weights(left, columns, width, wide), used))  # some×W×L
    above -= above[0]
    # Two neighbouring levels as one number, so that one look-up finds both.
    pairs = np.empty(lines.shape, np.complex64)
    pairs.real = lines
    pairs.imag[..., :-1] = np.diff(lines, axis=-1)
    pairs.imag[..., -1] = 0.0
    flat: NDArray[np.complex64] = pairs.reshape(-1)
    stops = np.empty(guide.shape, np.float32)
    step = max(1, PIECE_PIXELS // columns)
    starts = levels * np.arange(columns, dtype=np.intp)
    for first in range(0, rows, step):
        piece = slice(first, first + step)
        at = guide[piece] * np.float32((levels - 1) / TOP)
        np.minimum(at, np.float32(levels - 1), out=at)
        index = at.astype(np.intp)
        at -= np.floor(at)
        index += starts + (above[piece, None] * columns * levels)
        upper = _between(flat, index, at)
        index += below[piece, None] * columns * levels
        lower = _between(flat, index, at)
        lower -= upper
        lower *= share[piece]
        lower += upper
        stops[piece] = firm(lower)
    return stops


def _between(
    pairs: NDArray[np.complex64], index: NDArray[np.intp], at: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The real parts of the `pairs` at `index`, and `at` times their imaginary ones more."""
    found = np.take(pairs, index)
    result: NDArray[np.float32] = found.imag * at
    result += found.real
    return result


def _weights(first: int, some: int, count: int, cells: int) -> NDArray[np.float32]:
    """How much each of `cells` counts for `some` pixels from `first` on of a side of `count`."""
    place = (np.arange(some) + (first + 0.5)) / count * (cells - 1)
    return as_floats(np.clip(1.0 - np.abs(place[:, None] - np.arange(cells)), 0.0, 1.0))


def _brightness(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Brightness in [0, 1], H×W, of native H×W×3 pixels."""
    if pixels.dtype.kind != "u":
        return np.clip(brightness(to_float(pixels)), _ZERO, _ONE)
    unit = 1.0 / np.iinfo(pixels.dtype).max
    weights = (luma_weights() * np.float32(unit)).reshape(1, 3)
    grey = as_floats(cv2.transform(pixels.astype(np.float32), weights))
    red, green, blue = cv2.split(pixels)
    share, against = VIVID
    most = cv2.max(cv2.max(red, green), blue)
    least = cv2.min(cv2.min(red, green), blue)
    lamp = cv2.addWeighted(most, unit, least, -against * unit, 0.0, dtype=cv2.CV_32F)
    grey = cv2.max(grey, lamp, dst=grey)
    scale: Any = share * unit
    vivid = cv2.multiply(most, scale, dst=lamp, dtype=cv2.CV_32F)
    return as_floats(cv2.max(grey, vivid, dst=grey))


@lru_cache(maxsize=4)
def _levels_at(mean: float) -> NDArray[np.float32]:
    """The levels of `ROOTS`, as encoded brightness, beside a photo's mean light."""
    return level(srgb_to_linear(ROOTS), mean)
