"""Mode ``guided``: for a graph whose useful size is bounded; its change is carried to full size.

The graph sees the photo reduced. How each region and channel changed is a local linear model,
enhanced ≈ a·source + b (He, Sun: Fast Guided Filter, 2015), which in flat regions falls back to
the local gain, so that detail too fine for the reduced photo is lifted like its surroundings;
a and b are enlarged and applied to the photo's own pixels. Nothing is decided in parts, so there
is no seam.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.graph import Graph
from undark.models.card import Scaling
from undark.modes.base import Band, Light, Mode, Progress
from undark.modes.tiling import forward, rows_at_a_time, run_whole, walk
from undark.photo import FloatImage, Photo, area_resize
from undark.pixels.guided import guided_coefficients
from undark.pixels.resize import upsample_rows

__all__ = ["Guided"]

_RADIUS = 4
_EPSILON = 1e-4
# Half an 8-bit level: keeps the gain of black finite.
_BLACK = 1 / 512


class Guided(Mode):
    """Runs a graph on the photo reduced to `Scaling.max_side`; a smaller photo as it is."""

    name = "guided"

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """Size of the reduced photo."""
        return f"its change at {scaling.max_side} pixels is carried to full size"

    def bands(
        self,
        graph: Graph,
        photo: Photo,
        adjust: Adjust,
        progress: Progress,
        *,
        light: Light | None = None,
    ) -> Iterator[Band]:
        """See :meth:`Mode.bands`."""
        del adjust, light
        height, width = photo.height, photo.width
        extra = self.extra_inputs(photo)
        shrink = self.scaling.max_side / max(height, width)
        if shrink >= 1.0:
            return run_whole(graph, photo, extra, self.scaling, progress)
        rows, columns = (max(1, round(side * shrink)) for side in (height, width))
        small = area_resize(photo.pixels, rows, columns)
        change = _change(small, forward(graph, small, extra, self.scaling))

        def work(top: int, bottom: int) -> FloatImage:
            slope, offset = (upsample_rows(part, height, width, top, bottom) for part in change)
            return np.clip(slope * photo.rgb(slice(top, bottom)) + offset, 0.0, 1.0)

        return walk(rows_at_a_time(photo), work, progress)


def _change(
    small: FloatImage, enhanced: FloatImage
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope and offset at each pixel and channel of the reduced photo."""
    side = (2 * _RADIUS + 1,) * 2
    before, after = (
        np.asarray(cv2.blur(image, side), dtype=np.float32) + np.float32(_BLACK)
        for image in (small, enhanced)
    )
    gain = np.asarray(after / before, dtype=np.float32)
    rest = np.asarray(enhanced - gain * small, dtype=np.float32)
    slope, offset = guided_coefficients(small, rest, radius=_RADIUS, epsilon=_EPSILON)
    return gain + slope, offset
