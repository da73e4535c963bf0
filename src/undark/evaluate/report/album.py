"""The images that a report shows, small enough for one file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.io.photo import encode_photo
from undark.photo import Photo, area_resize, from_float

__all__ = ["ROWS", "Album", "extremes", "small"]

ROWS: Final = 60
"""At most so many rows of images are shown."""

_BYTES: Final = 28_000_000  # Base64 makes a third more of it.
_EXTREMES: Final = 2
_SPREAD: Final = 12
# Sides and JPEG qualities, best first: the first that fits an image's part of the bytes is taken.
_LADDER: Final = ((1024, 90), (800, 85), (640, 80), (560, 70), (480, 60), (400, 50), (320, 40))


@dataclass(slots=True)
class Album:
    """Keeps rows of images while they are measured.

    Of up to `ROWS` all are kept; of more, some spread evenly over them, and for each contender its
    worst and best so far. What drops out of the extremes cannot come back, so memory is bounded.

    Args:
        count: How many rows will come.
        columns: Images in a row.
    """

    count: int
    columns: int
    rows: dict[int, list[bytes]] = field(default_factory=dict[int, list[bytes]])
    _scores: dict[int, list[float]] = field(default_factory=dict[int, list[float]])

    def add(self, index: int, images: Sequence[NDArray[Any]], scores: Sequence[float]) -> None:
        """Keep a row if it is wanted, and drop those that no longer are.

        Args:
            index: Its place among all.
            images: H×W×3 uint8 each.
            scores: A number per contender; the extremes are those of these.
        """
        self._scores[index] = list(scores)
        wanted = self._wanted()
        if index in wanted:
            self.rows[index] = [self._encode(image) for image in images]
        for old in [old for old in self.rows if old not in wanted]:
            del self.rows[old]

    def _wanted(self) -> set[int]:
        if self.count <= ROWS:
            return set(range(self.count))
        contenders = len(next(iter(self._scores.values())))
        spread = max(_SPREAD, ROWS - 2 * _EXTREMES * contenders)
        wanted = {step * self.count // spread for step in range(spread)}
        for place in range(contenders):
            known = {
                row: scores[place]
                for row, scores in self._scores.items()
                if not math.isnan(scores[place])
            }
            worst, best = extremes(known, _EXTREMES)
            wanted |= {*worst, *best}
        return wanted

    def _encode(self, image: NDArray[Any]) -> bytes:
        most = _BYTES / (min(self.count, ROWS) * self.columns)
        coded = b""
        for side, quality in _LADDER:
            coded = encode_photo(Photo(small(image, side)), format="JPEG", quality=quality)
            if len(coded) <= most:
                break
        return coded


def extremes(scores: Mapping[int, float], count: int) -> tuple[list[int], list[int]]:
    """The rows with the lowest scores, lowest first, and with the highest, highest first.

    At most `count` of each, and none is both.
    """
    order = sorted(scores, key=lambda row: scores[row])
    half = len(order) // 2
    return order[: min(count, len(order) - half)], order[::-1][: min(count, half)]


def small(image: NDArray[Any], side: int) -> NDArray[np.uint8]:
    """The image as uint8, its longer side at most `side`."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return from_float(area_resize(image, *size), np.dtype(np.uint8))
