"""Photos of any size through a graph that takes some sizes: pad, run, clamp, crop, and tiles.

Tiles of one size lie on the graph's own grid and overlap; each fades into its neighbour along a
ramp. A tile that knows the whole through its glance differs from the whole only near its border,
and there it counts for nothing, so there is no seam. Work goes in bands of tiles from top to
bottom, and only one band is held in float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.engine.session import Feeds, Session
from undark.errors import DeviceError
from undark.models.card import Scaling
from undark.photo import FloatImage

__all__ = [
    "Axis",
    "Picture",
    "Tiling",
    "forward",
    "plan_axis",
    "plan_tiles",
    "run_tiles",
    "to_nchw",
]


@dataclass(frozen=True, slots=True)
class Axis:
    """How one side of a photo is cut.

    Attributes:
        length: Pixels to cover.
        tile: Size of every tile; the last may reach past `length` by less than the multiple,
            or a short side's only tile by more.
        starts: First pixel of each tile, rising, each a multiple of the graph's multiple.
    """

    length: int
    tile: int
    starts: tuple[int, ...]

    def stop(self, index: int) -> int:
        """First pixel after tile `index`, no further than the photo."""
        return min(self.starts[index] + self.tile, self.length)

    def weights(self, index: int, overlap: int) -> NDArray[np.float32]:
        """Share that tile `index` has in each of its pixels inside the photo; all tiles' sum is 1.

        Between two neighbours the share runs linearly over half the `overlap`, in the middle of
        what they have in common (less where tiles lie closer). So a quarter of the overlap along
        a tile's border, where the graph misses what lies outside, counts for nothing.
        """
        positions = np.arange(self.starts[index], self.stop(index), dtype=np.float32) + 0.5
        shares = np.ones_like(positions)
        if index > 0:
            shares *= self._ramp(index - 1, overlap, positions)
        if index + 1 < len(self.starts):
            shares *= 1.0 - self._ramp(index, overlap, positions)
        return shares

    def _ramp(
        self, index: int, overlap: int, positions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """From 0 to 1 where tile `index` hands over to the next."""
        middle = (self.starts[index + 1] + self.starts[index] + self.tile) / 2
        steps = [b - a for a, b in zip(self.starts, self.starts[1:], strict=False)]
        width = max(1, min(overlap // 2, *steps, self.tile - max(steps)))
        return np.clip((positions - (middle - width / 2)) / width, 0.0, 1.0).astype(np.float32)


class Picture(Protocol):
    """What is run in tiles: a Photo, or one that becomes something else as it is read."""

    @property
    def height(self) -> int:
        """Rows."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    def rgb(self, rows: slice = ..., columns: slice = ...) -> FloatImage:
        """A region (by default all) as H×W×3 float32 RGB in [0, 1]."""
        ...


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


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def plan_axis(length: int, tile: int, overlap: int, multiple: int) -> Axis:
    """Cut one side into the fewest tiles of one size, no larger than `tile`, spread evenly.

    Args:
        length: Pixels to cover, at least 1.
        tile: Largest size of a tile.
        overlap: Least number of pixels that neighbours share.
        multiple: Size and start of every tile are multiples of this.
    """
    tile = max(tile // multiple, 1) * multiple
    overlap = min(_up(overlap, multiple), tile - multiple)
    # On the padded side the tiles see the very grid that the whole would be run on.
    padded = _up(length, multiple)
    count = max(1, -(-(padded - overlap) // (tile - overlap)))
    size = _up(-(-(padded + (count - 1) * overlap) // count), multiple)
    last = padded - size
    starts = [index * last // max(count - 1, 1) // multiple * multiple for index in range(count)]
    return Axis(length, size, tuple(starts))


def plan_tiles(height: int, width: int, tile: int, overlap: int, multiple: int) -> Tiling:
    """Cut a photo into overlapping tiles of one size; see `plan_axis`."""
    return Tiling(
        rows=plan_axis(height, tile, overlap, multiple),
        columns=plan_axis(width, tile, overlap, multiple),
        overlap=overlap,
    )


def to_nchw(picture: FloatImage, memory: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """An H×W×3 picture as 1×3×H×W, contiguous; in `memory` where that is of the size."""
    shape = (1, 3, *picture.shape[:2])
    planes = memory
    if planes is None or planes.shape != shape:
        planes = np.empty(shape, np.float32)
    cv2.split(picture, list(planes[0]))  # several times as fast as a copy of the transpose
    return planes


def forward(session: Session, image: FloatImage, besides: Feeds, scaling: Scaling) -> FloatImage:
    """Run the graph on a picture of any size: pad by reflection, run, clamp to [0, 1], crop.

    Args:
        session: The graph.
        image: H×W×3 float32 RGB in [0, 1], H and W at least 1.
        besides: The graph's other inputs, the same for every part of a photo.
        scaling: Sizes that the graph takes.

    Returns:
        H×W×3 float32 in [0, 1].

    Raises:
        DeviceError: The runtime failed, memory ran out, or what came back is no number.
    """
    return np.asarray(cv2.merge(list(_planes(session, image, besides, scaling))), np.float32)


def _planes(
    session: Session,
    image: FloatImage,
    besides: Feeds,
    scaling: Scaling,
    memory: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """What `forward` gives, as 3×H×W; `memory` is for what is fed."""
    height, width = image.shape[:2]
    below = max(_up(height, scaling.multiple), _up(scaling.minimum, scaling.multiple)) - height
    right = max(_up(width, scaling.multiple), _up(scaling.minimum, scaling.multiple)) - width
    padded = image
    if below or right:
        # Reflects as often as it takes, and repeats a single row or column.
        padded = np.asarray(
            cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT_101), dtype=np.float32
        )
    result = session.run(to_nchw(padded, memory), besides)[0, :, :height, :width]
    if not np.isfinite(result.sum()):  # which no number among numbers of about 1 makes infinite
        # Some GPUs do so where a value overflows; without a word the photo would turn out black.
        raise DeviceError(
            f"{session.describe()} gave values that are not numbers; try the device cpu"
        )
    return np.clip(result, 0.0, 1.0, out=result)


def run_tiles(
    session: Session,
    photo: Picture,
    besides: Feeds,
    scaling: Scaling,
    *,
    progress: Callable[[float], None],
) -> Iterator[tuple[int, FloatImage]]:
    """The enhanced photo in bands from top to bottom.

    Runs it whole where it has no more pixels than one tile.

    Args:
        session: The graph.
        photo: The source.
        besides: The graph's other inputs, such as the ``glance``.
        scaling: Sizes, tile and overlap.
        progress: Told the share done, after each tile.

    Yields:
        First row of a band, and the band as B×W×3 float32 in [0, 1], which holds until the next
        is asked for. Together they cover the photo once.
    """
    multiple = scaling.multiple
    if _up(photo.height, multiple) * _up(photo.width, multiple) <= scaling.tile**2:
        yield 0, forward(session, photo.rgb(), besides, scaling)
        progress(1.0)
        return
    side = max(scaling.tile, scaling.minimum)
    tiling = plan_tiles(photo.height, photo.width, side, scaling.overlap, multiple)
    rows, columns = tiling.rows, tiling.columns
    done = 0
    carried: FloatImage | None = None
    # Fresh memory each time would cost more than all that is done to it here.
    bands = np.empty((min(rows.tile, photo.height), photo.width, 3), dtype=np.float32)
    fed = np.empty((1, 3, rows.tile, columns.tile), dtype=np.float32)
    for row, top in enumerate(rows.starts):
        bottom = rows.stop(row)
        band = bands[: bottom - top]
        covered = 0
        for column, left in enumerate(columns.starts):
            right = columns.stop(column)
            piece = photo.rgb(slice(top, bottom), slice(left, right))
            part = _planes(session, piece, besides, scaling, fed)
            shares = columns.weights(column, tiling.overlap)
            shared = shares != 1.0
            part[:, :, shared] *= shares[shared]
            part = part.transpose(1, 2, 0)
            band[:, left:covered] += part[:, : covered - left]
            band[:, covered:right] = part[:, covered - left :]
            covered = right
            done += 1
            progress(done / tiling.count)
        shares = rows.weights(row, tiling.overlap)
        shared = shares != 1.0
        band[shared] *= shares[shared, None, None]
        if carried is not None:
            band[: carried.shape[0]] += carried
        final = rows.starts[row + 1] if row + 1 < len(rows.starts) else bottom
        carried = band[final - top :].copy()
        yield top, band[: final - top]
