"""Photos of any size through a graph that gives curves: one look at the whole, then tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from undark.engine.session import Session
from undark.engine.tiling import to_nchw
from undark.errors import DeviceError
from undark.models.card import Card
from undark.photo import FloatImage, Photo
from undark.relight import Relighting

__all__ = ["decide_curves", "plan_relighting", "run_curves"]


def plan_relighting(session: Session, photo: Photo, card: Card) -> Relighting:
    """What the graph of `card` decides for `photo`.

    Raises:
        DeviceError: The runtime failed, or what came back is no number.
    """
    assert card.glance is not None  # a card's reader sees to it
    glance = photo.glance(card.glance.height, card.glance.width)
    curves = decide_curves(session, glance)
    return Relighting.of(photo.pixels, curves, _asked(session, glance, "clean"))


def decide_curves(session: Session, glance: FloatImage) -> NDArray[np.float32]:
    """The tone curves, 3×K in [0, 1], for what `glance` shows.

    Raises:
        DeviceError: The runtime failed, or what came back is no number.
    """
    return np.clip(_asked(session, glance, "curves"), 0.0, 1.0)


def _asked(session: Session, glance: FloatImage, output: str) -> NDArray[np.float32]:
    answer = session.infer({"glance": to_nchw(glance)}, output)[0]
    if not np.isfinite(answer).all():
        raise DeviceError(
            f"{session.describe()} gave values that are not numbers; try the device cpu"
        )
    return answer


def run_curves(
    session: Session, photo: Photo, card: Card, *, progress: Callable[[float], None]
) -> Iterator[tuple[int, FloatImage]]:
    """The enhanced photo in bands from top to bottom.

    Args:
        session: A graph that gives ``curves`` (N×3×K, each rising from sample to sample) and
            ``clean`` (N×2, how much of the noise in luma and in colour to take off).
        photo: The source.
        card: With a glance.
        progress: Told the share done.

    Yields:
        First row of a band, and the band as B×W×3 float32 in [0, 1]. Together they cover the
        photo once.
    """
    for top, band in plan_relighting(session, photo, card).bands(photo.pixels):
        yield top, band
        progress((top + band.shape[0]) / photo.height)
