"""Photos through a graph that relights and restores: decided once, relit by tables, then restored.

The graph sees nothing but what it relit itself, so what costs hardly anything (a table per channel
and a smooth map) is done outside it, on the photo's own depth, and what costs much, inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undark.curves import lift, look_up, sample_points, tables
from undark.engine.guided import upsample_rows
from undark.engine.retouching import as_it_is
from undark.engine.session import Feeds, Session
from undark.engine.tiling import run_tiles, to_nchw
from undark.errors import DeviceError
from undark.models.card import Card
from undark.photo import FloatImage, Photo

__all__ = ["Control", "decide_light", "run_relighting"]

_PIECE_PIXELS = 1 << 15
_HEADROOM = 0.25
_FLAT = 1e-3  # a map that differs less from 1 everywhere does nothing that one could see
_SAME = 1e-5  # likewise a curve, less than a step of 16 bits from what it is given


@dataclass(frozen=True, slots=True)
class Control:
    """What a user asks of the graph.

    Attributes:
        exposure: More or less light than the graph would choose, in EV.
        strength: Share, in EV, of the light that it would add.
        denoise: Share of its restoration; 0 leaves the relit photo with its grain.
    """

    exposure: float = 0.0
    strength: float = 1.0
    denoise: float = 1.0

    def feed(self) -> NDArray[np.float32]:
        """As the graph takes it: 1×3."""
        return np.array([[self.exposure, self.strength, self.denoise]], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Relit:
    """A photo that is relit as it is read; `gains` has its width already."""

    photo: Photo
    table: NDArray[np.float32]
    gains: NDArray[np.float32] | None

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


def decide_light(
    session: Session, glance: FloatImage, card: Card, control: Control
) -> tuple[Feeds, NDArray[np.float32], NDArray[np.float32]]:
    """What the graph of `card` decides for a photo that looks like `glance`.

    Returns:
        The graph's inputs besides the image, the same for every part of the photo; the curves, 3×K
        in [0, 1]; and the map of the light, h×w×3, gains of :func:`undark.curves.lift`.

    Raises:
        DeviceError: The runtime failed, or what came back is no number.
    """
    besides = {"glance": to_nchw(glance), "control": control.feed()}
    side = card.scaling.minimum
    nothing = np.zeros((1, 3, side, side), np.float32)  # the decision needs no picture
    curves, gains = (
        session.infer({"image": nothing, **besides}, name)[0] for name in ("curves", "map")
    )
    if not (np.isfinite(curves).all() and np.isfinite(gains).all()):
        raise DeviceError(
            f"{session.describe()} gave values that are not numbers; try the device cpu"
        )
    return besides, np.clip(curves, 0.0, 1.0), np.ascontiguousarray(gains.transpose(1, 2, 0))


def run_relighting(
    session: Session,
    photo: Photo,
    card: Card,
    control: Control,
    *,
    progress: Callable[[float], None],
) -> Iterator[tuple[int, FloatImage]]:
    """The enhanced photo in bands from top to bottom.

    Args:
        session: A graph that gives ``curves``, ``map`` and ``enhanced``.
        photo: The source.
        card: With a glance.
        control: What is asked for.
        progress: Told the share done, after each tile.

    Yields:
        First row of a band, and the band as B×W×3 float32 in [0, 1]. Together they cover the
        photo once.
    """
    assert card.glance is not None  # a card's reader sees to it
    glance = photo.glance(card.glance.height, card.glance.width)
    besides, curves, gains = decide_light(session, glance, card, control)
    flat = float(np.abs(gains - 1.0).max()) < _FLAT
    if flat and float(np.abs(curves - sample_points(curves.shape[1])).max()) < _SAME:
        # No light, so by the card's mode nothing to restore: the photo is well lit as it is.
        yield from as_it_is(photo, progress)
        return
    wide = None if flat else upsample_rows(gains, len(gains), photo.width, 0, len(gains))
    relit = _Relit(photo, tables(curves, photo.pixels.dtype), wide)
    for top, band in run_tiles(session, relit, besides, card.scaling, progress=progress):
        if control.exposure > 0.0:
            # Truths have blown highlights, and the restoration draws them; but who asks for more
            # light than it would give does not ask for that: some of the way to white stays.
            left = np.float32(_HEADROOM * min(control.exposure, 1.0))
            room = 1.0 - relit.rgb(slice(top, top + band.shape[0]))
            np.minimum(band, 1.0 - left * room, out=band)
        yield top, band
