"""How photos are cut into tiles that overlap, and how much each tile counts where."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Tiling", "plan_axis", "plan_tiles", "up"]


@dataclass(frozen=True, slots=True)
class Axis:
    """How one side of a photo is cut.

    Attributes:
        length: Pixels to cover.
        tile: Size of every tile; the last may reach past `length` by less than the multiple,
            or a short side's only tile by more.
        starts: First pixel of each tile, rising by multiples of the graph's multiple; the first
            tile begins a margin before the photo.
    """

    length: int
    tile: int
    starts: tuple[int, ...]

    def first(self, index: int) -> int:
        """First pixel of tile `index` that the photo has."""
        return max(self.starts[index], 0)

    def stop(self, index: int) -> int:
        """First pixel after tile `index`, no further than the photo."""
        return min(self.starts[index] + self.tile, self.length)

    def around(self, index: int) -> tuple[int, int]:
        """Pixels of tile `index` before and after those that the photo has."""
        start = self.starts[index]
        return self.first(index) - start, start + self.tile - self.stop(index)

    def weights(self, index: int, overlap: int) -> NDArray[np.float32]:
        """Weight of tile `index` in each of its pixels inside the photo; all tiles' sum is 1.

        Between two neighbours the weight runs linearly over half the `overlap`, in the middle of
        what they have in common (less where tiles lie closer). So a quarter of the overlap along
        a tile's border, where the graph misses what lies outside, counts for nothing.
        """
        positions = np.arange(self.first(index), self.stop(index), dtype=np.float32) + 0.5
        weights = np.ones_like(positions)
        if index > 0:
            weights *= self._ramp(index - 1, overlap, positions)
        if index + 1 < len(self.starts):
            weights *= 1.0 - self._ramp(index, overlap, positions)
        return weights

    def _ramp(
        self, index: int, overlap: int, positions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """From 0 to 1 where tile `index` hands over to the next."""
        middle = (self.starts[index + 1] + self.starts[index] + self.tile) / 2
        steps = [b - a for a, b in pairwise(self.starts)]
        width = max(1, min(overlap // 2, *steps, self.tile - max(steps)))
        return np.clip((positions - (middle - width / 2)) / width, 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Tiling:
    """A photo's tiles: every row of `rows` with every column of `columns`."""

    rows: Axis
    columns: Axis
    overlap: int

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)


def up(value: int, multiple: int) -> int:
    """`value`, or the next multiple of `multiple`."""
    return -(-value // multiple) * multiple


def plan_axis(length: int, tile: int, overlap: int, multiple: int, margin: int = 0) -> Axis:
    """Cut one side into the fewest tiles of one size, no larger than `tile`, spread evenly.

    Args:
        length: Pixels to cover, at least 1.
        tile: Largest size of a tile.
        overlap: Least number of pixels that neighbours share.
        multiple: Size and start of every tile, from the first one's, are multiples of this.
        margin: Pixels on either side that are covered too.
    """
    tile = max(tile // multiple, 1) * multiple
    overlap = min(up(overlap, multiple), tile - multiple)
    # On the padded side the tiles see the very grid that the whole would be run on.
    padded = up(length + 2 * margin, multiple)
    count = max(1, -(-(padded - overlap) // (tile - overlap)))
    size = up(-(-(padded + (count - 1) * overlap) // count), multiple)
    last = padded - size
    starts = [index * last // max(count - 1, 1) // multiple * multiple for index in range(count)]
    return Axis(length, size, tuple(start - margin for start in starts))


def plan_tiles(
    height: int, width: int, tile: int, overlap: int, multiple: int, *, margin: int = 0
) -> Tiling:
    """Cut a photo into overlapping tiles of one size; see `plan_axis`."""
    return Tiling(
        rows=plan_axis(height, tile, overlap, multiple, margin),
        columns=plan_axis(width, tile, overlap, multiple, margin),
        overlap=overlap,
    )
