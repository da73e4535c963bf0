"""Where in a photo a step acts: on a part of the picture, or on its shadows or highlights.

A place is a weight in [0, 1] for every pixel, without edges: that of a side falls off smoothly
towards the other one, that of the shadows and highlights follows the pixel's own level. So a step
in a place needs to know the photo's size and nothing else of it, can be repeated on any photo, and
bands of a photo meet.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels.colour import luma

__all__ = ["BY_LEVEL", "EVERYWHERE", "PLACES", "Spots", "spots", "weight"]

EVERYWHERE: Final = "everywhere"

PLACES: Final[dict[str, str]] = {
    "shadows": "most in black, less the lighter a pixel is",
    "highlights": "most in white, less the darker a pixel is",
    "top": "most at the upper edge, nothing in the lowest quarter",
    "bottom": "most at the lower edge, nothing in the upper quarter",
    "left": "most at the left edge, nothing in the rightmost quarter",
    "right": "most at the right edge, nothing in the leftmost quarter",
    "middle": "most in the centre, nothing at the corners",
}
"""Places by name, each with what it means for a person."""

BY_LEVEL: Final = frozenset(("shadows", "highlights"))
"""Places that are no part of the picture."""

_SPAN: Final = np.float32(0.75)
_RADIUS: Final = np.float32(0.6)


class Spots(NamedTuple):
    """Where pixels lie in their photo.

    Attributes:
        down: 0 at the photo's upper edge to 1 at its lower one; H×1, or H×W.
        across: 0 at its left edge to 1 at its right one; 1×W, or H×W.
    """

    down: NDArray[np.float32]
    across: NDArray[np.float32]


def spots(rows: int, columns: int, *, top: int = 0, height: int | None = None) -> Spots:
    """Where the pixels of a band lie, which is as wide as its photo.

    Args:
        rows: Height of the band.
        columns: Width of the band and of the photo.
        top: First row of the band.
        height: Height of the photo; by default that of the band.
    """
    down = (np.arange(top, top + rows, dtype=np.float32) + np.float32(0.5)) / (height or rows)
    across = (np.arange(columns, dtype=np.float32) + np.float32(0.5)) / columns
    return Spots(down.astype(np.float32)[:, None], across.astype(np.float32)[None])


def weight(place: str, image: FloatImage, where: Spots) -> NDArray[np.float32]:
    """How much of a step in `place`, a name of `PLACES`, reaches the pixels of `image`.

    Args:
        place: Which.
        image: H×W×3 in [0, 1], as it is before the step.
        where: Where its pixels lie.

    Returns:
        In [0, 1]; H×W×1, or what is broadcast to it.
    """
    if place == "shadows":
        return np.square(np.float32(1.0) - luma(image))[..., None]
    if place == "highlights":
        return np.square(luma(image))[..., None]
    if place == "middle":
        far = np.hypot(where.down - np.float32(0.5), where.across - np.float32(0.5))
        return _smooth(np.asarray(np.float32(1.0) - far / _RADIUS, np.float32))[..., None]
    away = {
        "top": where.down,
        "bottom": 1 - where.down,
        "left": where.across,
        "right": 1 - where.across,
    }[place]
    return _smooth(np.float32(1.0) - away / _SPAN)[..., None]


def _smooth(ramp: NDArray[np.floating]) -> NDArray[np.float32]:
    """0 below 0, 1 above 1, and between them without an edge."""
    ramp = np.clip(ramp, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), np.float32)
