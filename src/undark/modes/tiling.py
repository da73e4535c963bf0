"""Photos in parts: the walk over bands that all modes share, and tiles within them.

Tiles of one size lie on the graph's own grid and overlap; each fades into its neighbour along a
ramp. A tile that knows the whole through its glance differs from the whole only near its border,
and there it counts for nothing, so there is no seam. Work goes in bands of tiles from top to
bottom, and only one band is held in float.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import DeviceError
from undark.graph import Arrays, Graph, ask, name_of, spell
from undark.models.card import Scaling
from undark.modes.axes import Tiling, plan_tiles, up
from undark.modes.base import Band, Progress
from undark.photo import FloatImage, Photo
from undark.pixels.arrays import to_nchw

__all__ = [
    "Feed",
    "Picture",
    "as_image",
    "forward",
    "rows_at_a_time",
    "run_tiles",
    "run_whole",
    "unchanged",
    "walk",
]

BAND_PIXELS: Final = 1 << 20
"""Pixels of a band, about, where nothing else decides its height."""

Work = Callable[[int, int], FloatImage]
"""Gives the result's rows from the first number to the second."""

Feed = Callable[[NDArray[np.float32]], Arrays]
"""The graph's inputs of a part's own, by name, from its 1×C×H×W planes."""


def as_image(planes: NDArray[np.float32]) -> Arrays:
    """The `Feed` of a graph to which a part is nothing but its ``image``."""
    return {"image": planes}


def walk(
    edges: Sequence[int], work: Work, progress: Progress, *, threads: int = 1
) -> Iterator[Band]:
    """A photo's bands from top to bottom.

    Args:
        edges: First row of each band, rising, and the photo's height.
        work: Called in order where there is one thread.
        progress: Called with the fraction of the rows done, after each band.
        threads: Bands worked on at once.
    """
    done = _one_by_one if threads == 1 else _several(threads)
    for (top, bottom), pixels in done(list(pairwise(edges)), work):
        yield Band(top, pixels)
        progress(bottom / edges[-1])


_Span = tuple[int, int]


def _one_by_one(spans: Sequence[_Span], work: Work) -> Iterator[tuple[_Span, FloatImage]]:
    for span in spans:
        yield span, work(*span)


def _several(
    threads: int,
) -> Callable[[Sequence[_Span], Work], Iterator[tuple[_Span, FloatImage]]]:
    def done(spans: Sequence[_Span], work: Work) -> Iterator[tuple[_Span, FloatImage]]:
        waiting: deque[tuple[_Span, Future[FloatImage]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for span in spans:
                waiting.append((span, pool.submit(work, *span)))
                if len(waiting) > threads:
                    first, band = waiting.popleft()
                    yield first, band.result()
            for first, band in waiting:
                yield first, band.result()

    return done


def rows_at_a_time(photo: Photo, *, least: int = 1, alignment: int = 1) -> tuple[int, ...]:
    """Edges for :func:`walk` of bands that have about `BAND_PIXELS` pixels.

    Args:
        photo: The source.
        least: Rows that a band has at least.
        alignment: Bands begin at multiples of this.
    """
    step = max(BAND_PIXELS // photo.width // alignment * alignment, least, 1)
    return (*range(0, photo.height, step), photo.height)


def unchanged(photo: Photo, progress: Progress) -> Iterator[Band]:
    """The photo itself in bands."""
    return walk(rows_at_a_time(photo), lambda top, bottom: photo.rgb(slice(top, bottom)), progress)


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
        """A region (by default all) as H×W×C float32; the first three are RGB in [0, 1]."""
        ...


def forward(
    graph: Graph, image: FloatImage, extra: Arrays, scaling: Scaling, *, feed: Feed = as_image
) -> FloatImage:
    """Run the graph on an image of any size: mirror it around, run, clamp to [0, 1], crop.

    Args:
        graph: What computes.
        image: H×W×C float32, H and W at least 1; the first three are RGB in [0, 1].
        extra: The graph's extra inputs, the same for every part of a photo.
        scaling: Sizes that the graph takes.
        feed: Makes inputs of the image's planes.

    Returns:
        H×W×3 float32 in [0, 1].

    Raises:
        DeviceError: The graph failed, memory ran out, or what came back is no number.
    """
    return np.asarray(cv2.merge(list(_planes(graph, image, extra, scaling, feed=feed))), np.float32)


def _planes(
    graph: Graph,
    image: FloatImage,
    extra: Arrays,
    scaling: Scaling,
    *,
    around: tuple[tuple[int, int], tuple[int, int]] | None = None,
    memory: NDArray[np.float32] | None = None,
    feed: Feed = as_image,
) -> NDArray[np.float32]:
    """What `forward` gives, as 3×H×W.

    Args:
        graph: See `forward`; so are `image`, `extra`, `scaling` and `feed`.
        around: Pixels of the mirror image before and after the rows, and the columns; by default
            what the graph needs.
        memory: For what is fed.
    """
    height, width = image.shape[:2]
    (above, below), (left, right) = around or (
        _around(height, scaling),
        _around(width, scaling),
    )
    least = up(scaling.minimum, scaling.multiple)
    below, right = max(below, least - above - height), max(right, least - left - width)
    padded = image
    if above or below or left or right:
        # Reflects as often as it takes, and repeats a single row or column.
        padded = cv2.copyMakeBorder(image, above, below, left, right, cv2.BORDER_REFLECT_101)
        padded = np.asarray(padded, dtype=np.float32)
    fed = to_nchw(padded, memory)
    wanted = (1, 3, *fed.shape[2:])
    found = ask(graph, {**feed(fed), **extra}, ["enhanced"])["enhanced"]
    if found.shape != wanted:
        # OpenVINO may leave its last result in place, and say nothing, where memory runs out.
        raise DeviceError(
            f"{name_of(graph)} gave back {spell(found.shape)} for {spell(wanted)}: "
            "out of memory, or a model that changes the size"
        )
    result = found[0, :, above : above + height, left : left + width]
    return np.clip(result, 0.0, 1.0, out=result)


def _around(length: int, scaling: Scaling) -> tuple[int, int]:
    """Pixels of its mirror image before and after a side: the margin, and what fills it up."""
    whole = up(length + 2 * scaling.margin, scaling.multiple)
    return scaling.margin, whole - scaling.margin - length


def run_whole(
    graph: Graph,
    photo: Picture,
    extra: Arrays,
    scaling: Scaling,
    progress: Progress,
    *,
    feed: Feed = as_image,
) -> Iterator[Band]:
    """The enhanced photo as one band; see :func:`run_tiles`."""

    def work(top: int, bottom: int) -> FloatImage:
        return forward(graph, photo.rgb(slice(top, bottom)), extra, scaling, feed=feed)

    return walk((0, photo.height), work, progress)


def run_tiles(
    graph: Graph,
    photo: Picture,
    extra: Arrays,
    scaling: Scaling,
    progress: Progress,
    *,
    feed: Feed = as_image,
) -> Iterator[Band]:
    """The enhanced photo in bands from top to bottom.

    Runs it whole where it has no more pixels than one tile.

    Args:
        graph: What computes.
        photo: The source.
        extra: The graph's extra inputs, such as the ``glance``.
        scaling: Sizes, tile and overlap.
        progress: Called with the fraction done, after each tile.
        feed: Makes the graph's inputs of a tile's planes.

    Raises:
        DeviceError: The graph failed, memory ran out, or what came back is no number.
    """
    sides = (photo.height, photo.width)
    if math.prod(side + sum(_around(side, scaling)) for side in sides) <= scaling.tile**2:
        return run_whole(graph, photo, extra, scaling, progress, feed=feed)
    side = max(scaling.tile, scaling.minimum)
    tiling = plan_tiles(
        photo.height, photo.width, side, scaling.overlap, scaling.multiple, margin=scaling.margin
    )
    work = _RowsOfTiles(graph, photo, extra, scaling, tiling, progress, feed)
    edges = [tiling.rows.first(row) for row in range(len(tiling.rows.starts))]
    return walk((*edges, photo.height), work, lambda _: None)


@dataclass(slots=True, eq=False)
class _RowsOfTiles:
    """Work of :func:`walk`, called from top to bottom: a row of tiles, blended with the last."""

    graph: Graph
    photo: Picture
    extra: Arrays
    scaling: Scaling
    tiling: Tiling
    progress: Progress
    feed: Feed
    _done: int = 0
    _carried: FloatImage | None = None
    _bands: FloatImage = field(init=False)
    _fed: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        # Fresh memory each time would cost more than all that is done to it here.
        rows, columns = self.tiling.rows, self.tiling.columns
        shape = (min(rows.tile, self.photo.height), self.photo.width, 3)
        self._bands = np.empty(shape, dtype=np.float32)
        channels = self.photo.rgb(slice(0, 1), slice(0, 1)).shape[2]
        self._fed = np.empty((1, channels, rows.tile, columns.tile), dtype=np.float32)

    def __call__(self, top: int, final: int) -> FloatImage:
        rows = self.tiling.rows
        row = rows.starts.index(top) if top else 0
        bottom = rows.stop(row)
        band = self._bands[: bottom - top]
        covered = 0
        for column in range(len(self.tiling.columns.starts)):
            covered = self._tile(band, row, column, covered)
        weights = rows.weights(row, self.tiling.overlap)
        shared = weights != 1.0
        band[shared] *= weights[shared, None, None]
        if self._carried is not None:
            band[: self._carried.shape[0]] += self._carried
        self._carried = band[final - top :].copy()
        return band[: final - top]

    def _tile(self, band: FloatImage, row: int, column: int, covered: int) -> int:
        """Add one tile to `band`, of which the columns before `covered` have something already."""
        rows, columns = self.tiling.rows, self.tiling.columns
        left, right = columns.first(column), columns.stop(column)
        piece = self.photo.rgb(slice(rows.first(row), rows.stop(row)), slice(left, right))
        part = _planes(
            self.graph,
            piece,
            self.extra,
            self.scaling,
            around=(rows.around(row), columns.around(column)),
            memory=self._fed,
            feed=self.feed,
        )
        weights = columns.weights(column, self.tiling.overlap)
        shared = weights != 1.0
        part[:, :, shared] *= weights[shared]
        part = part.transpose(1, 2, 0)
        band[:, left:covered] += part[:, : covered - left]
        band[:, covered:right] = part[:, covered - left :]
        self._done += 1
        self.progress(self._done / self.tiling.count)
        return right
