"""Noise taken off a video: averaged over time along the motion, then in space what is left."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from undark.engine.temporal import TemporalSmoother
from undark.pixels.arrays import Floats, as_floats
from undark.pixels.averaging import Averager
from undark.pixels.planenoise import PlaneCleaner
from undark.pixels.planes import Planes

__all__ = ["Cleaner"]

_GONE: Final = np.float32(1e-6)
# Luma of more pixels is averaged over time at half its size; finer details are cleaned in space.
_LARGE: Final = 1_300_000


class Cleaner:
    """Takes off the noise that light would show, as measured on the clip.

    Args:
        amount: From 0, where frames stay as they are, to 1.
        in_space: Whether what time has left is taken off in space; a network may do that better.
    """

    def __init__(self, amount: float, *, in_space: bool) -> None:
        """Begin with nothing seen."""
        self._averager = Averager(amount)
        self._space = PlaneCleaner(amount) if in_space else None

    def clean(self, source: Planes, slopes: Floats | None, seen: TemporalSmoother) -> Planes:
        """The next frame, without noise.

        Args:
            source: The frame, 16 bits a sample.
            slopes: By 256 levels of luma, how much light is going to multiply noise; what it leaves
                as it is is not cleaned. None where that is not known: all is.
            seen: Has seen the frame.
        """
        if seen.cut:
            self._averager.reset()
        share = None
        if slopes is not None:
            steep = np.maximum(slopes, np.float32(1.0))
            share = as_floats(1.0 - 1.0 / np.square(steep))
            if float(share.max()) < _GONE:
                return source
        colours = source.colours
        luma, u, v = (plane.astype(np.float32) for plane in (source.y, source.u, source.v))
        details: list[Floats] = []
        if luma.size > _LARGE:
            half = _sized(luma, source.height // 2, source.width // 2)
            details = [as_floats(cv2.subtract(luma, _sized(half, *luma.shape), dst=luma))]
            luma = half
        averaged = self._averager.average(
            (luma, u, v),
            black=colours.black,
            span=colours.luma_span,
            share=share,
            gain=seen.brighter,
        )
        planes = averaged.planes
        if self._space is not None:
            new = (luma, u, v, *details)
            planes = self._space.clean(
                [*planes, *details], new, averaged.weight, colours, share, cut=seen.cut
            )
            planes, details = planes[:3], planes[3:]
        y, *others = planes
        if details:
            y = as_floats(cv2.add(_sized(y, *details[0].shape), details[0], dst=details[0]))
        return source.deeper((y, *others))


def _sized(plane: Floats, rows: int, columns: int) -> Floats:
    mode = cv2.INTER_AREA if rows < plane.shape[0] else cv2.INTER_LINEAR
    return as_floats(cv2.resize(plane, (columns, rows), interpolation=mode))
