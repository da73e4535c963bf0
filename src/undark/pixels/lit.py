"""Light done to a video's planes: exact where colour is stored, carried to luma's full size.

Frames stay in their planes; what is stored at the size of the colour planes, a quarter of all
samples as a rule, goes through RGB in 16 bits, as a photo's pixels do, and gets its light there:
tone curves, or gains by place with a black point and a mixing of colours. So colours come out as a
photo's, however saturated. Luma's full size gets what a grey of its level would get, times what the
colour's size shows that its place gets more or less.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels.arrays import Floats, as_floats, low_quantile
from undark.pixels.colour import srgb_to_linear
from undark.pixels.curves import look_up, sample_points, tables
from undark.pixels.grid import TOP, firm, level, levels_of, read_grid
from undark.pixels.guided import guided_coefficients
from undark.pixels.lighting import light_up
from undark.pixels.planes import Colours, Planes, Samples

__all__ = [
    "MARGIN",
    "SLOPES",
    "CurvesOnPlanes",
    "GridOnPlanes",
    "PlaneLight",
    "Tone",
    "relight_planes",
    "rgb_of",
    "store",
]

SLOPES: Final = 256
"""Levels of luma for which a tone tells its slope."""

MARGIN: Final = 6 / 255
"""Added to levels of luma whose ratio says how much more light a place gets: that of black is 1."""

_TOP: Final = 65535
# Greys at which light is computed; between them it is interpolated.
_GREYS: Final = 2048
_MOST_RATIO: Final = 8.0
# Largest channel at which half of a colour is taken to be there: below, it is mostly rounding.
_UNSURE: Final = 2.0 / 255
# Side of the image that a guide is made on, its radius there, and the variance that is flat.
_SIDE: Final = 320
_RADIUS: Final = 3
_FLAT: Final = 0.03**2


class PlaneLight(ABC):
    """What is done to the light of a whole frame."""

    @abstractmethod
    def greys(self, levels: Floats) -> FloatImage:
        """What greys of these N levels in [0, 1] become, on average over the frame: N×3."""

    @abstractmethod
    def colours(self, rgb: NDArray[np.uint16]) -> FloatImage:
        """The whole frame, H×W×3 in 16 bits at whatever size, with its light: float32 in [0, 1]."""

    @abstractmethod
    def same(self, other: PlaneLight) -> bool:
        """Whether greys become what `other` makes of them, but for what no eye sees."""


@dataclass(frozen=True, slots=True, eq=False)
class CurvesOnPlanes(PlaneLight):
    """Tone curves, the same everywhere.

    Attributes:
        curves: 3×K, rising; see :func:`undark.pixels.curves.sample_points`.
    """

    curves: Floats

    def greys(self, levels: Floats) -> FloatImage:
        """See :meth:`PlaneLight.greys`."""
        return look_up(np.repeat(levels[None, :, None], 3, axis=2), self.curves)[0]

    def colours(self, rgb: NDArray[np.uint16]) -> FloatImage:
        """See :meth:`PlaneLight.colours`."""
        return _looked_up(rgb, tables(self.curves, np.dtype(np.uint16)).T)

    def same(self, other: PlaneLight) -> bool:
        """See :meth:`PlaneLight.same`."""
        return isinstance(other, CurvesOnPlanes) and _close(self.curves, other.curves)


@dataclass(frozen=True, slots=True, eq=False)
class GridOnPlanes(PlaneLight):
    """Light by place and brightness; see :mod:`undark.pixels.grid`.

    Attributes:
        grid: L×h×w gains in EV.
        colour: 3×3, applied to linear RGB.
        black: Linear level of each channel that becomes black.
        mean: The frame's mean light, linear.
    """

    grid: Floats
    colour: Floats
    black: Floats
    mean: float

    def greys(self, levels: Floats) -> FloatImage:
        """See :meth:`PlaneLight.greys`."""
        pixels = np.repeat(levels[None, :, None], 3, axis=2)
        guide = np.clip(level(srgb_to_linear(levels), self.mean), 0.0, 1.0)[None]
        overall = self.grid.mean(axis=(1, 2), keepdims=True)
        return light_up(pixels, read_grid(overall, guide), self.colour, self.black)[0]

    def colours(self, rgb: NDArray[np.uint16]) -> FloatImage:
        """See :meth:`PlaneLight.colours`."""
        return light_up(rgb, self._stops(rgb), self.colour, self.black)

    def _stops(self, rgb: NDArray[np.uint16]) -> Floats:
        """Gains in EV at each pixel: read at a small size, carried along the frame's edges."""
        rows, columns = rgb.shape[:2]
        own = levels_of(rgb, self.mean)
        shrink = min(1.0, _SIDE / max(rows, columns))
        size = (max(1, round(columns * shrink)), max(1, round(rows * shrink)))
        small = as_floats(cv2.resize(own, size, interpolation=cv2.INTER_AREA))
        share, rest = _smoothing(small)
        guide = np.clip(share * small + rest, 0.0, np.float32(TOP))
        stops = read_grid(self.grid, guide)
        slope, offset = guided_coefficients(guide, stops, radius=_RADIUS, epsilon=_FLAT / 4)
        wide = (columns, rows)
        own = cv2.multiply(own, cv2.resize(slope * share, wide))
        return firm(as_floats(cv2.add(own, cv2.resize(slope * rest + offset, wide))))

    def same(self, other: PlaneLight) -> bool:
        """See :meth:`PlaneLight.same`."""
        if not isinstance(other, GridOnPlanes) or abs(self.mean / other.mean - 1.0) > 2e-3:
            return False
        mine, its = (
            np.concatenate([light.grid.mean(axis=(1, 2)), light.colour.ravel(), light.black])
            for light in (self, other)
        )
        return _close(mine, its)


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """What luma at full size becomes, kept while the light stays.

    Attributes:
        light: What it was made for.
        colours: What samples of 16 bits mean.
        lifted: By sample, levels of luma, a little more than they are.
        slopes: By 256 levels of luma, how many steps one becomes.
    """

    light: PlaneLight
    colours: Colours
    lifted: Floats
    slopes: Floats

    @classmethod
    def of(cls, light: PlaneLight, colours: Colours, kept: Tone | None = None) -> Tone:
        """The tone of a light: the one `kept` where that is the same.

        Args:
            light: What is done.
            colours: What the samples of frames mean, of 16 bits.
            kept: That of the frame before.
        """
        if kept is not None and kept.colours == colours and kept.light.same(light):
            return kept
        levels = sample_points(_GREYS)
        luma = light.greys(levels) @ colours.weights
        samples = np.arange(_TOP + 1, dtype=np.float32)
        shown = (samples - colours.black) / colours.luma_span
        even = np.linspace(0.0, 1.0, SLOPES, dtype=np.float32)
        slopes = np.gradient(np.interp(even, levels, luma), even)
        lifted = as_floats(np.interp(shown, levels, luma) + MARGIN)
        return cls(light, colours, lifted, as_floats(slopes))


def relight_planes(source: Planes, target: Planes, light: PlaneLight, tone: Tone) -> None:
    """Write `source`, relit, to `target`.

    Args:
        source: A frame of 16 bits; see :meth:`undark.pixels.planes.Planes.deep`.
        target: A frame of the same shape, of any depth.
        light: What is done.
        tone: Its tone.
    """
    rows, columns = source.u.shape
    fine, out = source.y, target.colours
    is_same = fine.shape == source.u.shape
    coarse = fine if is_same else cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
    rgb = rgb_of(coarse, source)
    y, u, v = _planes(light.colours(rgb), rgb, out)
    store(u, out.middle, target.u, out)
    store(v, out.middle, target.v, out)
    span = np.float32(out.luma_span)
    if is_same:
        y *= span
        store(y, out.black, target.y, out)
        return
    # What the place gets more or less than a grey of its level would on average.
    usual = as_floats(cv2.LUT(_within(coarse, rgb, source.colours), tone.lifted))
    y += np.float32(MARGIN)
    y /= usual
    np.minimum(y, np.float32(_MOST_RATIO), out=y)
    ratio: Any = cv2.resize(y, (fine.shape[1], fine.shape[0]), interpolation=cv2.INTER_LINEAR)
    wide = cv2.multiply(cv2.LUT(fine, tone.lifted), ratio, dst=ratio, scale=float(span))
    store(wide, out.black - MARGIN * float(span), target.y, out)


def rgb_of(y: Samples, source: Planes) -> NDArray[np.uint16]:
    """H×W×3 in 16 bits of planes of 16 bits; what lies outside is clipped."""
    colours = source.colours
    unit = np.eye(3, dtype=np.float32)[:, None]
    matrix = np.concatenate([colours.to_rgb(*row) for row in _units(unit)]).T
    scale = np.array([_TOP / colours.luma_span, *[_TOP / colours.colour_span] * 2], np.float64)
    matrix = matrix.astype(np.float64) * scale
    zero = np.array([colours.black, colours.middle, colours.middle], np.float64)
    full = np.concatenate([matrix, -(matrix @ zero)[:, None]], axis=1)
    merged = cv2.merge([np.ascontiguousarray(y), source.u, source.v])
    return np.asarray(cv2.transform(merged, full), np.uint16)


def _within(y: Samples, rgb: NDArray[np.uint16], colours: Colours) -> NDArray[np.uint16]:
    """Luma in samples, where that of H×W×3 `rgb` is more: its own.

    A colour beyond what RGB can show is clipped to one of more luma. Held against less, it would
    seem to get much light, and neighbours would get some of that.
    """
    weights = colours.weights.astype(np.float64) * (colours.luma_span / _TOP)
    shown: Any = cv2.transform(rgb, np.append(weights, colours.black)[None])
    return np.asarray(cv2.max(np.ascontiguousarray(y), shown, dst=shown), np.uint16)


def _units(unit: Floats) -> list[tuple[Any, Any, Any]]:
    return [tuple(row for row in unit[:, :, i]) for i in range(3)]


def _planes(lit: FloatImage, rgb: NDArray[np.uint16], out: Colours) -> tuple[Floats, Any, Any]:
    """Luma in [0, 1], and the two colours in samples of `out`."""
    red, green, blue = out.weights
    rows = np.array(
        [
            [red, green, blue],
            np.array([-red, -green, 1.0 - blue]) / (2.0 * (1.0 - out.blue)),
            np.array([1.0 - red, -green, -blue]) / (2.0 * (1.0 - out.red)),
        ]
    )
    rows[1:] *= out.colour_span
    y, u, v = cv2.split(cv2.transform(lit, rows.astype(np.float32)))
    r, g, b = cv2.split(rgb)
    sure = cv2.LUT(cv2.max(cv2.max(r, g), b), _sure())
    u, v = (cv2.multiply(plane, sure, dst=plane) for plane in (u, v))
    return as_floats(y), u, v


def store(values: Any, zero: float, plane: Samples, colours: Colours) -> None:
    """Add `zero` to `values`, which may be overwritten, and round to samples of `plane`."""
    start: Any = float(zero)
    if colours.depth not in (8, 16):
        np.minimum(values, np.float32(colours.top - zero), out=values)
    cv2.add(values, start, dst=plane, dtype=cv2.CV_8U if plane.dtype == np.uint8 else cv2.CV_16U)


def _looked_up(rgb: Any, table: Floats) -> FloatImage:
    """H×W×3 of 16 bits through 65536×3 entries."""
    return as_floats(cv2.LUT(rgb, np.ascontiguousarray(table).reshape(1, _TOP + 1, 3)))


def _smoothing(levels: Floats) -> tuple[Floats, Floats]:
    """What takes grain off levels at the small size: how much of each counts, and the rest."""
    rough = np.abs(levels - cv2.blur(levels, (3, 3)))
    noise = low_quantile(rough.ravel(), 0.5) * 1.6
    epsilon = _FLAT + 6.0 * noise * noise
    return guided_coefficients(levels, levels, radius=_RADIUS, epsilon=epsilon)


def _close(mine: Floats, its: Floats) -> bool:
    return mine.shape == its.shape and float(np.abs(mine - its).max()) < 5e-4


@lru_cache(maxsize=1)
def _sure() -> Floats:
    """How surely a colour is there whose largest channel has that value of 16 bits."""
    square = np.square(np.linspace(0.0, 1.0, _TOP + 1, dtype=np.float32))
    return as_floats(square / (square + np.float32(_UNSURE**2)))
