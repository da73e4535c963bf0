"""Mode ``relight``: decided once, lit by place and brightness, then restored in full-size tiles.

The graph takes ``image``, the ``gain`` of its pixels in EV, ``glance``, ``control`` (exposure in
EV, strength, denoise, local) and the grid that was ``applied``, and gives a ``grid`` of gains, a
``colour`` matrix, a ``black`` point and ``enhanced``. The first three depend on glance and control
alone. The graph sees nothing but what was lit by them, so what costs little (reading the grid at
each pixel; see :mod:`undark.pixels.grid`) is done outside it, in the photo's own depth, and what
costs much inside.
Pixels that got no light stay as they are, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.graph import Arrays, Graph, Signature, ask
from undark.models.card import Card, Scaling
from undark.modes.base import IMAGE, Band, Follow, Light, Mode, Progress, glance_shape
from undark.modes.tiling import run_tiles, unchanged
from undark.photo import FloatImage, Photo
from undark.pixels.arrays import to_nchw
from undark.pixels.grid import LEVELS, PLACES, Guide, mean_light, read_grid
from undark.pixels.lighting import light_up
from undark.pixels.lit import GridOnPlanes, PlaneLight

__all__ = ["PlacedLight", "Relight"]

_ASKED: Final = ("exposure", "strength", "denoise", "local")  # in order, the input `control`
_HEADROOM: Final = 0.25
_THREADS: Final = min(4, os.cpu_count() or 1)
_PIECE_ROWS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class PlacedLight(Light):
    """Light that differs by place and brightness.

    Attributes:
        grid: L×h×w gains in EV; see :func:`undark.pixels.grid.read_grid`.
        colour: 3×3, applied to linear RGB.
        black: The linear level of each channel that becomes black.
    """

    grid: NDArray[np.float32]
    colour: NDArray[np.float32]
    black: NDArray[np.float32]

    def steady(self, follow: Follow) -> PlacedLight:
        """All of it follows what is wanted, together."""
        parts = (np.exp2(self.grid), self.colour + 1.0, self.black)  # none is below zero
        flat = follow(np.concatenate([part.ravel() for part in parts]))
        grid, colour, black = np.split(flat, np.cumsum([part.size for part in parts])[:-1])
        return PlacedLight(
            np.log2(np.maximum(grid, np.float32(1e-3))).reshape(self.grid.shape),
            colour.reshape(3, 3) - 1.0,
            black,
        )

    def on_planes(self, mean: float) -> PlaneLight:
        """Its gains by place, without the restoration that follows them in photos."""
        return GridOnPlanes(self.grid, self.colour, self.black, mean)


class Relight(Mode):
    """Lights a photo as its graph decides, and lets the graph restore what the light uncovers."""

    name = "relight"
    controls: ClassVar[frozenset[str]] = frozenset(_ASKED)
    needs_glance = True
    decides = True
    tiled = True

    @classmethod
    def signature(cls, card: Card) -> Signature:
        """The image with its gains, what is asked, what was applied; ``enhanced`` and a light."""
        return Signature(
            {
                "image": IMAGE,
                "gain": (None, 1, None, None),
                **glance_shape(card),
                "control": (None, len(_ASKED)),
                "applied": (None, LEVELS, PLACES, PLACES),
            },
            {
                "enhanced": IMAGE,
                "grid": (None, LEVELS, PLACES, PLACES),
                "colour": (None, 3, 3),
                "black": (None, 3),
            },
            frozenset(("image", "gain")),
        )

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """Size and overlap of the tiles that are restored."""
        return (
            f"lit as a whole, then restored in tiles of {scaling.tile} pixels"
            f" that share {scaling.overlap}"
        )

    def decide(self, graph: Graph, glance: FloatImage, adjust: Adjust) -> PlacedLight:
        """The light for what `glance` shows and `adjust` asks."""
        side = self.scaling.minimum
        nothing = np.zeros((1, 4, side, side), np.float32)  # the decision needs no image
        none = np.zeros((LEVELS, PLACES, PLACES), np.float32)
        inputs = {**_feed(nothing), **_extra(glance, adjust, none)}
        answers = ask(graph, inputs, ("grid", "colour", "black"))
        return PlacedLight(answers["grid"][0], answers["colour"][0], answers["black"][0])

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
        glance = self.look(photo)
        if not isinstance(light, PlacedLight):
            light = self.decide(graph, glance, adjust)
        relit = _Relit(photo, light, Guide.of(photo.pixels, mean_light(glance)))
        if not (glance.any() and relit.is_lit()):
            # No light, so nothing to restore: the photo is well lit as it is, or wholly black.
            yield from unchanged(photo, progress)
            return
        extra = _extra(glance, adjust, light.grid)
        for band in run_tiles(graph, relit, extra, self.scaling, progress, feed=_feed):
            relit.finish(band, adjust.exposure)
            yield band


def _feed(planes: NDArray[np.float32]) -> Arrays:
    """Inputs of a part's own: RGB, and the gain in EV."""
    return {"image": planes[:, :3], "gain": planes[:, 3:]}


def _extra(glance: FloatImage, adjust: Adjust, applied: NDArray[np.float32]) -> Arrays:
    """The graph's extra inputs, the same for every part of the photo."""
    control = np.array([[getattr(adjust, name) for name in _ASKED]], np.float32)
    return {"glance": to_nchw(glance), "control": control, "applied": applied[None]}


@dataclass(slots=True, eq=False)
class _Relit:
    """A photo that is lit as it is read: RGB and the gain of each pixel."""

    photo: Photo
    light: PlacedLight
    guide: Guide
    _unlit: NDArray[np.bool_] | None = field(default=None, init=False)
    _whole: FloatImage | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    @property
    def height(self) -> int:
        return self.photo.height

    @property
    def width(self) -> int:
        return self.photo.width

    def rgb(self, rows: slice = slice(None), columns: slice = slice(None)) -> FloatImage:
        top, bottom, _ = rows.indices(self.height)
        left, right, _ = columns.indices(self.width)
        lit = np.empty((bottom - top, right - left, 4), np.float32)

        def light(first: int) -> None:
            part = slice(first, min(first + _PIECE_ROWS, bottom))
            pixels = self.photo.pixels[part, left:right]
            stops = self._stops(part, left, right)
            into = lit[first - top : part.stop - top]
            into[..., :3] = light_up(pixels, stops, self.light.colour, self.light.black)
            into[..., 3] = stops
            self._remember(stops == 0.0, part, left, right)

        starts = range(top, bottom, _PIECE_ROWS)
        if len(starts) == 1:
            light(top)
        else:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(light, starts))
        if (bottom - top, right - left) == (self.height, self.width):
            self._whole = lit  # a photo of one tile needs not be lit again to be finished
        return lit

    def _remember(self, unlit: NDArray[np.bool_], rows: slice, left: int, right: int) -> None:
        """Which pixels got no light; where all got some, there is no need of a mask."""
        if self._unlit is None:
            if not unlit.any():
                return
            with self._lock:
                if self._unlit is None:
                    self._unlit = np.zeros((self.height, self.width), np.bool_)
        self._unlit[rows, left:right] = unlit

    def _stops(self, rows: slice, left: int, right: int) -> NDArray[np.float32]:
        size = (self.height, self.width)
        guide = self.guide.read(self.photo.pixels[rows, left:right], rows.start, left, size)
        return read_grid(self.light.grid, guide, rows.start, left, size)

    def is_lit(self) -> bool:
        """Whether any pixel gets light, or loses some."""
        if not self.light.grid.any():
            return False
        return any(
            self._stops(slice(top, min(top + _PIECE_ROWS, self.height)), 0, self.width).any()
            for top in range(0, self.height, _PIECE_ROWS)
        )

    def finish(self, band: Band, exposure: float) -> None:
        """Put right in `band` what the restoration must not touch.

        Pixels that got no light are the source's. Where a user asked for more light than there
        would be, some of the way to white stays: truths have blown highlights, and the restoration
        draws them; but who asks for more light does not ask for that.
        """
        if self._unlit is None and exposure <= 0.0:
            return
        for first in range(0, len(band.pixels), _PIECE_ROWS):
            piece = band.pixels[first : first + _PIECE_ROWS]
            rows = slice(band.top + first, band.top + first + len(piece))
            if exposure > 0.0:
                left = np.float32(_HEADROOM * min(exposure, 1.0))
                lit = self.rgb(rows) if self._whole is None else self._whole[rows]
                np.minimum(piece, 1.0 - left * (1.0 - lit[..., :3]), out=piece)
            unlit = None if self._unlit is None else self._unlit[rows]
            if unlit is not None and unlit.any():
                piece[unlit] = self.photo.rgb(rows)[unlit]
