"""Tone curves for frames as they are stored: a table for luma, and a gain for colour by luma.

The curves are for red, green and blue. A grey of luma y becomes what they make of it: a luma, and
a little colour where they differ. A colour around that grey is multiplied by a gain, fitted to
what the curves make of colours of that luma. So greys come out exactly, moderate colours to
within a few levels, at a tenth of what it costs to go through RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.io.video.planes import Colours, Planes, Samples
from undark.photo import FloatImage
from undark.pixels.arrays import as_floats
from undark.pixels.curves import look_up

__all__ = ["PlaneTables", "relight_planes"]

_LEVELS: Final = 64
_HUES: Final = 12
# Colours that the gain is fitted to, as fractions of the most that their luma allows.
_SATURATIONS: Final = (0.15, 0.3, 0.5)


# Luma at which half of a colour is taken to be there.
_UNSURE: Final = 3 / 219


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
