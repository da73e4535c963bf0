"""Mode ``relight``: decided once, relit by tables, then restored in full-size tiles.

The graph takes ``image``, ``glance`` and ``control`` (exposure in EV, strength, denoise) and gives
``curves``, a ``map`` of gains by place, and ``enhanced``. Curves and map depend on glance and
control alone. The graph sees nothing but what it relit itself, so what costs hardly anything (a
table per channel and a smooth map) is done outside it, on the photo's own depth, and what costs
much, inside. A photo to which it adds no light is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.graph import Arrays, Graph, Signature, ask
from undark.models.card import Card, Scaling
from undark.modes.base import PICTURE, Band, Light, Mode, Progress, glance_shape
from undark.modes.tiling import run_tiles, unchanged
from undark.photo import FloatImage, Photo
from undark.pixels.arrays import to_nchw
from undark.pixels.curves import lift, look_up, sample_points, tables
from undark.pixels.resize import upsample_rows

__all__ = ["Relight"]

_ASKED: Final = ("exposure", "strength", "denoise")  # the order of the graph's input `control`
_PIECE_PIXELS: Final = 1 << 15
_HEADROOM: Final = 0.25
_FLAT: Final = 1e-3  # a map that differs less from 1 everywhere does nothing that one could see
_SAME: Final = 1e-5  # likewise a curve, less than a step of 16 bits from what it is given


class Relight(Mode):
    """Relights a photo as its graph decides, and lets the graph restore what the light uncovers."""

    name = "relight"
    controls = frozenset(_ASKED)
    needs_glance = True
    decides = True
    tiled = True

    @classmethod
    def signature(cls, card: Card) -> Signature:
        """``image``, ``glance`` and ``control`` in; ``enhanced``, ``curves`` and ``map`` out."""
        return Signature(
            {"image": PICTURE, **glance_shape(card), "control": (None, len(_ASKED))},
            {"enhanced": PICTURE, "curves": (None, 3, None), "map": (None, 3, None, None)},
            frozenset(("image",)),
        )

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """Size and overlap of the tiles that are restored."""
        return (
            f"relit as a whole, then restored in tiles of {scaling.tile} pixels"
            f" that share {scaling.overlap}"
        )

    def decide(self, graph: Graph, glance: FloatImage, adjust: Adjust) -> Light:
        """The curves and the gains by place for what `glance` shows and `adjust` asks."""
        side = self.scaling.minimum
        nothing = np.zeros((1, 3, side, side), np.float32)  # the decision needs no picture
        inputs = {"image": nothing, **_extra(glance, adjust)}
        answers = ask(graph, inputs, ("curves", "map"))
        gains = np.ascontiguousarray(answers["map"][0].transpose(1, 2, 0))
        return Light(np.clip(answers["curves"][0], 0.0, 1.0), gains)

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
        light = light or self.decide(graph, glance, adjust)
        if _adds_nothing(light):
            # No light, so by the card's mode nothing to restore: the photo is well lit as it is.
            yield from unchanged(photo, progress)
            return
        relit = _Relit.of(photo, light)
        for band in run_tiles(graph, relit, _extra(glance, adjust), self.scaling, progress):
            if adjust.exposure > 0.0:
                _keep_headroom(band, relit, adjust.exposure)
            yield band


def _extra(glance: FloatImage, adjust: Adjust) -> Arrays:
    """The graph's inputs beside the image, the same for every part of the photo."""
    control = np.array([[getattr(adjust, name) for name in _ASKED]], np.float32)
    return {"glance": to_nchw(glance), "control": control}


def _is_flat(light: Light) -> bool:
    return light.gains is None or float(np.abs(light.gains - 1.0).max()) < _FLAT


def _adds_nothing(light: Light) -> bool:
    same = sample_points(light.curves.shape[1])
    return _is_flat(light) and float(np.abs(light.curves - same).max()) < _SAME


def _keep_headroom(band: Band, relit: _Relit, exposure: float) -> None:
    """Leave some of the way to white.

    Truths have blown highlights, and the restoration draws them; but who asks for more light than
    it would give does not ask for that.
    """
    left = np.float32(_HEADROOM * min(exposure, 1.0))
    room = 1.0 - relit.rgb(slice(band.top, band.top + len(band.pixels)))
    np.minimum(band.pixels, 1.0 - left * room, out=band.pixels)


@dataclass(frozen=True, slots=True, eq=False)
class _Relit:
    """A photo that is relit as it is read; `gains` has its width already."""

    photo: Photo
    table: NDArray[np.float32]
    gains: NDArray[np.float32] | None

    @classmethod
    def of(cls, photo: Photo, light: Light) -> _Relit:
        wide = None
        if light.gains is not None and not _is_flat(light):
            rows = len(light.gains)
            wide = upsample_rows(light.gains, rows, photo.width, 0, rows)
        return cls(photo, tables(light.curves, photo.pixels.dtype), wide)

    @property
    def height(self) -> int:
        return self.photo.height

    @property
    def width(self) -> int:
        return self.photo.width

    def rgb(self, rows: slice = slice(None), columns: slice = slice(None)) -> FloatImage:
        pixels = self.photo.pixels[rows, columns]
        if self.gains is None:
            return look_up(pixels, self.table)
        relit = np.empty(pixels.shape, np.float32)
        part = self.gains[:, columns]
        top, bottom, _ = rows.indices(self.height)
        step = max(1, _PIECE_PIXELS // pixels.shape[1])  # in pieces that stay in the cache
        for first in range(top, bottom, step):
            last = min(first + step, bottom)
            gains = upsample_rows(part, self.height, pixels.shape[1], first, last)
            piece = slice(first - top, last - top)
            relit[piece] = lift(look_up(pixels[piece], self.table), gains)
        return relit
