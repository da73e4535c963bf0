"""Noise taken off a video: averaged over time along the motion, then in space what is left."""

from __future__ import annotations

from typing import Final

import numpy as np

from undark.engine.temporal import TemporalSmoother
from undark.pixels.arrays import Floats
from undark.pixels.averaging import Averager
from undark.pixels.planenoise import PlaneCleaner, added
from undark.pixels.planes import Planes

__all__ = ["Cleaner"]

_GONE: Final = np.float32(1e-6)


class Cleaner:
    """Takes off the noise that light would show, as measured on the clip.

    Args:
        amount: From 0, where frames stay as they are, to 1.
        in_space: Whether what time has left is taken off in space; a network may do that better.
    """

    def __init__(self, amount: float, *, in_space: bool) -> None:
        """Begin with nothing seen."""
        self.amount: float = amount
        self._averager = Averager(amount)
        self._space = PlaneCleaner(amount) if in_space else None

    def finest(self) -> tuple[Floats, Floats] | None:
        """What is known of the finest noise; see :meth:`PlaneCleaner.finest`."""
        return None if self._space is None else self._space.finest()

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
        share = None if slopes is None else added(slopes)
        if share is not None and float(share.max()) < _GONE:
            return source
        colours = source.colours
        luma, u, v = (plane.astype(np.float32) for plane in (source.y, source.u, source.v))
        averaged = self._averager.average(
            (luma, u, v),
            black=colours.black,
            span=colours.luma_span,
            share=share,
            gain=seen.brighter,
        )
        planes = averaged.planes
        if self._space is not None:
            new = (luma, u, v)
            planes = self._space.clean(averaged, new, colours, share, cut=seen.cut)
        return source.deeper(planes)
