"""Video frames as the planes that they are stored in: brightness at full size, colour at less.

A video stays in these planes from decoder to encoder. Going through RGB and back at full size costs
more than all that is done to a frame, and rounds it twice; see :mod:`undark.pixels.lit`.
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

__all__ = ["Colours", "Planes", "Samples"]

Samples = NDArray[Any]
"""H×W uint8, or uint16 of which `Planes.depth` bits are used."""

# Of limited range, samples of 8 bits are multiplied by this for 16.
_BYTE: Final = 256.0
# Pixels that a glance's cell is at least the mean of.
_ROWS_OF_A_CELL: Final = 4
_COLUMNS_OF_A_CELL: Final = 8


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

    @classmethod
    def blank(cls, shape: tuple[int, int], colours: Colours) -> Planes:
        """A frame of `shape`, rows and columns, colour at full size; it shows nothing yet."""
        y, u, v = (np.empty(shape, colours.dtype) for _ in range(3))
        return cls(y, u, v, colours)

    def blank_copy(self) -> Planes:
        """Another frame of the same shape and colours; it shows nothing yet."""
        y, u, v = (np.empty_like(plane) for plane in (self.y, self.u, self.v))
        return Planes(y, u, v, self.colours)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.y.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.y.shape[1])

    def copy_to(self, target: Planes) -> None:
        """Make another frame of the same shape, of any depth, this one."""
        same = self.at_depth(target.colours.depth)
        for mine, its in zip((same.y, same.u, same.v), (target.y, target.u, target.v), strict=True):
            its[...] = mine

    def deep(self) -> Planes:
        """The same frame with 16 bits a sample; itself where it has them."""
        return self.at_depth(16)

    def at_depth(self, depth: int) -> Planes:
        """The same frame with 8 to 16 bits a sample; itself where it has as many."""
        if self.colours.depth == depth:
            return self
        new = replace(self.colours, depth=depth)
        factor = new.luma_span / self.colours.luma_span
        # In full range a middle of 128 becomes 32768, not 32896.
        shift = new.middle - self.colours.middle * factor
        y, u, v = (
            _scaled(plane, factor, by, new)
            for plane, by in ((self.y, 0.0), (self.u, shift), (self.v, shift))
        )
        return Planes(y, u, v, new)

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
            _scaled(y, factor, 0.0, new),
            _scaled(u, factor, shift, new),
            _scaled(v, factor, shift, new),
            new,
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


def _scaled(plane: NDArray[Any], factor: float, shift: float, new: Colours) -> Samples:
    scale: Any = factor
    kind = cv2.CV_8U if new.depth == 8 else cv2.CV_16U
    if plane.dtype == np.uint8 and not shift and factor == _BYTE:
        wide = plane.astype(np.uint16)
        return np.left_shift(wide, 8, out=wide)
    if shift:
        scaled: Any = cv2.addWeighted(plane, factor, plane, 0.0, shift, dtype=kind)
    else:
        scaled = cv2.multiply(plane, scale, dtype=kind)
    return scaled if new.depth in (8, 16) else np.minimum(scaled, new.top, out=scaled)
