"""Light by place and brightness: a small grid of gains in EV, read at every pixel of a photo.

A bilateral grid (Chen, Paris and Durand, "Real-time Edge-aware Image Processing with the Bilateral
Grid", SIGGRAPH 2007; Gharbi et al., "Deep Bilateral Learning for Real-Time Image Enhancement",
SIGGRAPH 2017) holds a gain for each place and each level of brightness. A pixel reads it where it
lies and at the level of a *guide*: the photo's own brightness, smoothed but for its edges (He, Sun
and Tang, "Guided Image Filtering", TPAMI 2013), so that neither is grain turned into light nor
does an edge get a halo.

Levels are relative to the photo's mean light c: a pixel of luminance Y stands at
``sqrt(Y / (Y + c))``, which is the same at any exposure, and as even in noise as a square root
makes it.
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
from undark.pixels.colour import linear_to_srgb, luma, srgb_to_linear
from undark.pixels.guided import guided_coefficients
from undark.pixels.resize import upsample_rows
from undark.pixels.tone import shoulder

__all__ = [
    "DEADZONE",
    "LEAST_LIGHT",
    "LEVELS",
    "PLACES",
    "TOP",
    "Guide",
    "firm",
    "level",
    "light_up",
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
DEADZONE: Final = 0.1
"""Gains smaller than this, in EV, are none; see :func:`firm`."""

_SIDE: Final = 320
_PIECE_PIXELS: Final = 1 << 15
"""Pixels worked on at a time, so that they stay in the cache."""
_ROOTS: Final = 8192
_RADIUS: Final = 3
_EPSILON: Final = 0.03**2
_NOISE: Final = 6.0


def level(luminance: NDArray[np.float32], mean: float) -> NDArray[np.float32]:
    """Where linear `luminance`, any shape in [0, 1], stands beside the photo's `mean` light."""
    return np.sqrt(luminance / (luminance + np.float32(mean)))


def firm(stops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gains in EV, those within `DEADZONE` of zero set to it and those beyond thrice that kept.

    Firm shrinkage (Gao and Bruce, "WaveShrink with firm shrinkage", Statistica Sinica 1997).
    """
    size = np.abs(stops)
    kept = np.clip(1.5 * (size - np.float32(DEADZONE)), 0.0, size)
    return np.asarray(np.copysign(kept, stops), np.float32)


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
        levels = level(srgb_to_linear(luma(small)), mean)
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
        own = level(srgb_to_linear(luma(to_float(pixels))), self.mean)
        return np.clip(wide[..., 0] * own + wide[..., 1], 0.0, 1.0)


def mean_light(glance: FloatImage) -> float:
    """The mean light, linear, of the photo of which this is the `glance`, H×W×3 in [0, 1]."""
    return max(float(srgb_to_linear(luma(glance)).mean()), LEAST_LIGHT)


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
    across = _weights(left, columns, width, wide)
    down = _weights(top, rows, height, high)
    tall = as_floats(np.tensordot(down, grid, (1, 1)).transpose(0, 2, 1))  # rows×w×L
    stops = np.empty(guide.shape, np.float32)
    step = max(1, _PIECE_PIXELS // columns)
    for first in range(0, rows, step):
        part = guide[first : first + step]
        # The gains of all levels at each pixel, which takes from the two that it lies between.
        gains = np.matmul(across, tall[first : first + step]).reshape(-1)
        at = np.minimum(part * np.float32((levels - 1) / TOP), np.float32(levels - 1 - 1e-4))
        below = at.astype(np.intp)
        at -= below
        below += levels * np.arange(part.size).reshape(part.shape)
        dark = gains.take(below)
        below += 1
        more = gains.take(below)
        more -= dark
        more *= at
        stops[first : first + step] = firm(dark + more)
    return stops


def _weights(first: int, some: int, count: int, cells: int) -> NDArray[np.float32]:
    """How much each of `cells` counts for `some` pixels from `first` on of a side of `count`."""
    place = (np.arange(some) + (first + 0.5)) / count * (cells - 1)
    return as_floats(np.clip(1.0 - np.abs(place[:, None] - np.arange(cells)), 0.0, 1.0))


def light_up(
    pixels: NDArray[Any],
    stops: NDArray[np.float32],
    colour: NDArray[np.float32],
    black: NDArray[np.float32],
) -> FloatImage:
    """The image with `stops` more light at each pixel, alike in its three channels.

    In linear light: the black point is taken off, colours are mixed anew, and all three channels
    are multiplied by what brings the largest of them as far as the gain asks and a shoulder lets:
    hues stay, and nothing reaches white that was not white. Black point and colours come in with
    the first EV of light.

    Args:
        pixels: H×W×3, encoded, in native depth.
        stops: H×W in EV; where it is zero the pixel stays as it is.
        colour: 3×3, applied to linear RGB.
        black: Linear level of each channel that becomes black.

    Returns:
        H×W×3 float32 in [0, 1], encoded.
    """
    if not stops.any():
        return to_float(pixels)
    lit = np.empty(pixels.shape, np.float32)
    step = max(1, _PIECE_PIXELS // pixels.shape[1])
    for first in range(0, len(pixels), step):
        rows = slice(first, first + step)
        lit[rows] = _light_up(pixels[rows], stops[rows], colour, black)
    return lit


def _light_up(
    pixels: NDArray[Any],
    stops: NDArray[np.float32],
    colour: NDArray[np.float32],
    black: NDArray[np.float32],
) -> FloatImage:
    linear = _linear(pixels)
    come = np.clip(stops, 0.0, 1.0)
    red, green, blue = (
        _less(linear[..., channel], come, np.float32(black[channel])) for channel in range(3)
    )
    mixed = cv2.transform(cv2.merge((red, green, blue)), colour.astype(np.float32))
    channels = [
        one + come * (np.maximum(mixed[..., channel], 0.0) - one)
        for channel, one in enumerate((red, green, blue))
    ]
    most = np.maximum(np.maximum(channels[0], channels[1]), channels[2])
    over = np.maximum(most, 1.0)
    most = np.minimum(most, 1.0)
    factor = shoulder(most, np.exp2(stops))
    factor /= np.maximum(most, np.float32(1e-8)) * over
    lit = _encoded(
        as_floats(cv2.merge([np.minimum(one * factor, 1.0) for one in channels])), pixels.dtype
    )
    same = stops == 0.0
    if same.any():
        lit[same] = to_float(pixels[same])
    return lit


def _less(
    channel: NDArray[np.float32], come: NDArray[np.float32], black: np.float32
) -> NDArray[np.float32]:
    less = come * black
    return np.maximum((channel - less) / (1.0 - less), 0.0)


def _linear(pixels: NDArray[Any]) -> FloatImage:
    """Linear light of native pixels; 8 bits by a table."""
    if pixels.dtype != np.uint8:
        return srgb_to_linear(to_float(pixels))
    table = srgb_to_linear(np.linspace(0.0, 1.0, 256, dtype=np.float32))
    found = cv2.LUT(np.ascontiguousarray(pixels), table.reshape(1, 256))
    return np.asarray(found, np.float32)


@lru_cache(maxsize=1)
def _roots() -> NDArray[np.float32]:
    """Encoded values at linear levels whose square roots are evenly spaced."""
    return linear_to_srgb(np.square(np.linspace(0.0, 1.0, _ROOTS, dtype=np.float32)))


def _encoded(linear: FloatImage, dtype: np.dtype[Any]) -> FloatImage:
    """Encoded light: for photos of 8 bits by a table, to a fiftieth of a level."""
    if dtype != np.uint8:
        return linear_to_srgb(linear)
    at = np.sqrt(linear)
    at *= np.float32(_ROOTS - 1)
    at += np.float32(0.5)
    return _roots().take(at.astype(np.intp))
