"""Video frames as the planes that they are stored in: brightness at full size, colour at less.

A video stays in these planes from decoder to encoder. Going through RGB and back costs more than
all that is done to a frame, and rounds it twice.

Tone curves act on planes by a table for luma, and a gain for colour by luma. The curves are for
red, green and blue. A grey of luma y becomes what they make of it: a luma, and a little colour
where they differ. A colour around that grey is multiplied by a gain, fitted to what the curves
make of colours of that luma. So greys come out exactly, moderate colours to within a few levels,
at a tenth of what it costs to go through RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, area_resize, from_float, to_float
from undark.pixels.arrays import as_floats
from undark.pixels.curves import look_up

__all__ = ["Colours", "PlaneTables", "Planes", "Samples", "relight_planes"]

Samples = NDArray[Any]
"""H×W uint8, or uint16 of which `Planes.depth` bits are used."""

# Pixels that a glance's cell is at least the mean of.
_ROWS_OF_A_CELL: Final = 4
_COLUMNS_OF_A_CELL: Final = 8
_LEVELS: Final = 64
_HUES: Final = 12
# Colours that the gain is fitted to, as fractions of the most that their luma allows.
_SATURATIONS: Final = (0.15, 0.3, 0.5)

# Luma at which half of a colour is taken to be there.
_UNSURE: Final = 3 / 219


@dataclass(frozen=True, slots=True)
class Colours:
    """How planes stand for red, green and blue.

    Attributes:
        red: Weight of red in luma.
        blue: Weight of blue in luma.
        full: Samples use all their values (JPEG's range), not those from 16 to 235.
        depth: Bits of a sample, 8 to 16.
    """

    red: float = 0.2126
    blue: float = 0.0722
    full: bool = False
    depth: int = 8

    @property
    def weights(self) -> NDArray[np.float32]:
        """Of red, green and blue in luma."""
        return np.array([self.red, 1.0 - self.red - self.blue, self.blue], np.float32)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def top(self) -> int:
        """Largest sample."""
        return (1 << self.depth) - 1

    @property
    def middle(self) -> int:
        """Sample of no colour."""
        return 1 << (self.depth - 1)

    @property
    def black(self) -> int:
        """Sample of black."""
        return 0 if self.full else 16 << (self.depth - 8)

    @property
    def luma_span(self) -> int:
        """Samples from black to white."""
        return self.top if self.full else 219 << (self.depth - 8)

    @property
    def colour_span(self) -> int:
        """Samples from -0.5 to 0.5 of colour."""
        return self.top if self.full else 224 << (self.depth - 8)

    def to_rgb(self, luma: FloatImage, blue: FloatImage, red: FloatImage) -> FloatImage:
        """RGB of luma in [0, 1] and colours in [-0.5, 0.5], all of one shape; not clipped."""
        r = luma + red * np.float32(2.0 * (1.0 - self.red))
        b = luma + blue * np.float32(2.0 * (1.0 - self.blue))
        wr, wg, wb = self.weights
        g = (luma - wr * r - wb * b) / wg
        return as_floats(np.stack([r, g, b], axis=-1))

    def from_rgb(self, rgb: FloatImage) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Luma and the colours, blue and red, of RGB."""
        luma = rgb @ self.weights
        blue = (rgb[..., 2] - luma) / np.float32(2.0 * (1.0 - self.blue))
        red = (rgb[..., 0] - luma) / np.float32(2.0 * (1.0 - self.red))
        return as_floats(luma), as_floats(blue), as_floats(red)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One frame, as stored.

    Attributes:
        y: Luma, H×W.
        u: Blue less luma, h×w, where h and w are H and W or half of them, rounded up.
        v: Red less luma, likewise.
        colours: What the samples mean.
    """

    y: Samples
    u: Samples
    v: Samples
    colours: Colours

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.y.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.y.shape[1])

    def copy_to(self, target: Planes) -> None:
        """Make another frame of the same shape this one."""
        for mine, its in zip((self.y, self.u, self.v), (target.y, target.u, target.v), strict=True):
            its[...] = mine

    def deeper(self, samples: Sequence[FloatImage]) -> Planes:
        """The same frame with 16 bits a sample, of float `samples` in the unit of its own.

        Args:
            samples: y, u and v.
        """
        old, new = self.colours, replace(self.colours, depth=16)
        factor = new.luma_span / old.luma_span
        shift = new.middle - old.middle * factor
        y, u, v = samples
        return Planes(
            _scaled(y, factor, 0.0), _scaled(u, factor, shift), _scaled(v, factor, shift), new
        )

    def glance(self, height: int, width: int) -> FloatImage:
        """The whole frame shrunk to `height`×`width` RGB by area averaging, in [0, 1].

        A large frame is sampled: each cell still averages over many pixels.
        """
        colours = self.colours
        y, u, v = (
            _shrunk(plane, height, width, zero, span)
            for plane, zero, span in (
                (self.y, colours.black, colours.luma_span),
                (self.u, colours.middle, colours.colour_span),
                (self.v, colours.middle, colours.colour_span),
            )
        )
        return np.clip(colours.to_rgb(y, u, v), 0.0, 1.0)

    def rgb(self) -> NDArray[Any]:
        """The frame as H×W×3 RGB: uint8, or uint16 where it has more than 8 bits."""
        colours = self.colours
        size = (self.width, self.height)
        y = _unit(self.y, colours.black, colours.luma_span)
        u, v = (
            as_floats(cv2.resize(_unit(plane, colours.middle, colours.colour_span), size))
            for plane in (self.u, self.v)
        )
        return from_float(colours.to_rgb(y, u, v), colours.dtype)

    def set_rgb(self, pixels: NDArray[Any]) -> None:
        """Make the frame show H×W×3 RGB: uint8, uint16 or float."""
        colours = self.colours
        y, *others = colours.from_rgb(to_float(pixels))
        _put(self.y, y, colours.black, colours.luma_span, colours.top)
        for plane, values in zip((self.u, self.v), others, strict=True):
            size = (plane.shape[1], plane.shape[0])
            small = as_floats(cv2.resize(values, size, interpolation=cv2.INTER_AREA))
            _put(plane, small, colours.middle, colours.colour_span, colours.top)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneTables:
    """What curves do to planes, by sample of luma: 256 entries for 8 bits, else 65536.

    Attributes:
        luma: Samples of luma.
        gains: For the two colours, float32.
        shifts: Sample that no colour becomes, for the two colours, float32.
        colours: What the samples of the result mean.
    """

    luma: Samples
    gains: tuple[FloatImage, FloatImage]
    shifts: tuple[FloatImage, FloatImage]
    colours: Colours

    @classmethod
    def of(
        cls, curves: NDArray[np.float32], colours: Colours, target: Colours | None = None
    ) -> PlaneTables:
        """Tables from frames of one depth to frames of another.

        Args:
            curves: 3×K, rising; see :func:`undark.pixels.curves.sample_points`.
            colours: What the samples mean.
            target: What those of the result mean, if that is not the same; it may differ in depth.
        """
        target = target or colours
        samples = np.arange(colours.top + 1, dtype=np.float32)
        levels = as_floats(np.clip((samples - colours.black) / colours.luma_span, 0.0, 1.0))
        grey = colours.from_rgb(_through(curves, np.repeat(levels[:, None], 3, axis=1)))
        known, *gains = _gains(curves, colours)
        luma = np.rint(grey[0] * np.float32(target.luma_span) + np.float32(target.black))
        # Near black a colour is hardly more than rounding: it is left out bit by bit.
        sure = np.square(levels) / (np.square(levels) + np.float32(_UNSURE**2))
        finer = target.colour_span / colours.colour_span
        blue, red = (np.interp(levels, known, gain) * sure * finer for gain in gains)
        shifts = (value * sure * target.colour_span + target.middle for value in grey[1:])
        return cls(
            _padded(luma.astype(target.dtype)),
            (_padded(as_floats(blue)), _padded(as_floats(red))),
            tuple(_padded(as_floats(shift)) for shift in shifts),  # pyright: ignore[reportArgumentType]
            target,
        )


def relight_planes(source: Planes, target: Planes, tables: PlaneTables) -> None:
    """Write `source`, relit, to `target`, a frame of the same shape and the tables' depth."""
    cv2.LUT(source.y, tables.luma, dst=target.y)
    colours = source.colours
    rows, columns = source.u.shape
    level = source.y
    if level.shape != source.u.shape:
        level = cv2.resize(level, (columns, rows), interpolation=cv2.INTER_AREA)
    middle: Any = float(colours.middle)
    pairs = ((source.u, target.u), (source.v, target.v))
    for (plane, result), gain, shift in zip(pairs, tables.gains, tables.shifts, strict=True):
        colour: Any = cv2.subtract(plane, middle, dtype=cv2.CV_32F)
        colour = cv2.multiply(colour, cv2.LUT(level, gain), dst=colour)
        kind = cv2.CV_8U if result.dtype == np.uint8 else cv2.CV_16U
        cv2.add(colour, cv2.LUT(level, shift), dst=result, dtype=kind)
        if tables.colours.depth > 8:
            np.minimum(result, tables.colours.top, out=result)


def _through(curves: NDArray[np.float32], rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """The curves at N×3 values in [0, 1]."""
    return look_up(rgb[None].astype(np.float32), curves)[0]


def _gains(
    curves: NDArray[np.float32], colours: Colours
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Levels of luma, and for each the factor that blue and red less luma are multiplied by."""
    levels = np.square(np.linspace(0.02, 0.99, _LEVELS, dtype=np.float32))
    angles = np.arange(_HUES) * (2 * np.pi / _HUES)
    blue, red = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    way = colours.to_rgb(np.zeros_like(blue), blue, red)
    # How far a colour can go from grey before a channel is 0 or 1: levels × hues.
    y = levels[:, None, None]
    room = np.where(way > 0, (1.0 - y) / np.maximum(way, 1e-6), y / np.maximum(-way, 1e-6))
    reach = room.min(axis=2)
    grey = np.repeat(levels[:, None], 3, axis=1)
    before = [np.zeros(_LEVELS), np.zeros(_LEVELS)]
    after = [np.zeros(_LEVELS), np.zeros(_LEVELS)]
    _, *none = colours.from_rgb(_through(curves, grey))
    for saturation in _SATURATIONS:
        length = np.float32(saturation) * reach
        rgb = np.clip(y + length[..., None] * way, 0.0, 1.0).reshape(-1, 3)
        relit = _through(curves, rgb).reshape(_LEVELS, _HUES, 3)
        _, *found = colours.from_rgb(relit)
        for i, direction in enumerate((blue, red)):
            was = length * direction
            before[i] += np.square(was).sum(axis=1)
            after[i] += (was * (found[i] - none[i][:, None])).sum(axis=1)
    return levels, as_floats(after[0] / before[0]), as_floats(after[1] / before[1])


def _padded(table: NDArray[Any]) -> NDArray[Any]:
    """A table as OpenCV takes it: all samples of its type have an entry."""
    if len(table) == 256:
        return table
    return np.concatenate([table, np.full(65536 - len(table), table[-1], table.dtype)])


def _shrunk(plane: Samples, height: int, width: int, zero: int, span: int) -> FloatImage:
    down = max(1, plane.shape[0] // (height * _ROWS_OF_A_CELL))
    across = max(1, plane.shape[1] // (width * _COLUMNS_OF_A_CELL))
    sample = np.ascontiguousarray(plane[::down, ::across])
    small = area_resize(sample[..., None], height, width).reshape(height, width)
    return (small * np.float32(np.iinfo(plane.dtype).max) - np.float32(zero)) / np.float32(span)


def _unit(plane: Samples, zero: int, span: int) -> FloatImage:
    return (plane.astype(np.float32) - np.float32(zero)) * np.float32(1.0 / span)


def _put(plane: Samples, values: FloatImage, zero: int, span: int, top: int) -> None:
    plane[...] = np.clip(values * np.float32(span) + np.float32(zero + 0.5), 0, top)


def _scaled(plane: FloatImage, factor: float, shift: float) -> Samples:
    return cv2.addWeighted(plane, factor, plane, 0.0, shift, dtype=cv2.CV_16U)
