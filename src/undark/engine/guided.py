"""Large photos through a graph whose useful size is bounded: its change, carried to full size.

The graph sees the photo reduced. How each region and channel changed is a local linear model,
enhanced ≈ a·source + b (He, Sun: Fast Guided Filter, 2015), which in flat regions falls back to
the local gain, so that detail too fine for the reduced photo is lifted like its surroundings;
a and b are enlarged and applied to the photo's own pixels. Nothing is decided in parts, so there
is no seam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.engine.session import Feeds, Session
from undark.engine.tiling import forward
from undark.models.card import Scaling
from undark.photo import FloatImage, Photo, area_resize
from undark.pixels.resize import upsample_rows
from undark.tone import guided_coefficients

__all__ = ["run_guided"]

_RADIUS = 4
_EPSILON = 1e-4
# Half an 8-bit level: keeps the gain of black finite.
_BLACK = 1 / 512
_BAND_PIXELS = 1 << 20


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


def run_guided(
    session: Session,
    photo: Photo,
    besides: Feeds,
    scaling: Scaling,
    *,
    progress: Callable[[float], None],
) -> Iterator[tuple[int, FloatImage]]:
    """The enhanced photo in bands from top to bottom.

    A photo no longer than `scaling.max_side` is run as it is.

    Args:
        session: The graph.
        photo: The source.
        besides: The graph's other inputs, such as the ``glance``.
        scaling: Sizes.
        progress: Told the share done.

    Yields:
        First row of a band, and the band as B×W×3 float32 in [0, 1]. Together they cover the
        photo once.
    """
    height, width = photo.height, photo.width
    shrink = scaling.max_side / max(height, width)
    if shrink >= 1.0:
        yield 0, forward(session, photo.rgb(), besides, scaling)
        progress(1.0)
        return
    small = area_resize(photo.pixels, max(1, round(height * shrink)), max(1, round(width * shrink)))
    change = _change(small, forward(session, small, besides, scaling))
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        slope, offset = (upsample_rows(part, height, width, top, bottom) for part in change)
        yield top, np.clip(slope * photo.rgb(slice(top, bottom)) + offset, 0.0, 1.0)
        progress(bottom / height)
