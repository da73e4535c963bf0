"""Retouching in steps: a policy chooses them on a look at the photo; they are done at full size.

A band is worked on with as many rows around it as its steps look at, so that bands meet as if the
photo had been done whole; only one band is held in float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from undark.engine.session import Session
from undark.errors import DeviceError
from undark.models.card import Card
from undark.photo import FloatImage, Photo
from undark.retouch import Look, Step, apply_steps, choose_steps, halo

__all__ = ["as_it_is", "plan_steps", "run_steps"]

_BAND_PIXELS = 1 << 20


def plan_steps(session: Session, photo: Photo, card: Card) -> tuple[Step, ...]:
    """The steps that the graph of `card` takes on `photo`.

    Raises:
        DeviceError: The runtime failed, or what came back is no number.
    """
    assert card.glance is not None  # a card's reader sees to it

    def policy(glance: NDArray[np.float32], state: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = session.infer({"glance": glance, "state": state}, "logits")
        if not np.isfinite(logits).all():
            raise DeviceError(
                f"{session.describe()} gave values that are not numbers; try the device cpu"
            )
        return logits

    return choose_steps(Look.of(photo, card.glance.height, card.glance.width), policy)


def run_steps(
    photo: Photo, steps: Sequence[Step], *, progress: Callable[[float], None]
) -> Iterator[tuple[int, FloatImage]]:
    """The photo after `steps`, in bands from top to bottom.

    Args:
        photo: The source.
        steps: In their order.
        progress: Told the share done.

    Yields:
        First row of a band, and the band as B×W×3 float32 in [0, 1]. Together they cover the
        photo once.
    """
    around = halo(steps)
    # No less than twice what is looked at around it: else most of the work would be done twice.
    rows = max(1, _BAND_PIXELS // photo.width, 2 * around)
    for top in range(0, photo.height, rows):
        bottom = min(top + rows, photo.height)
        first = max(top - around, 0)
        piece = photo.rgb(slice(first, min(bottom + around, photo.height)))
        yield top, apply_steps(piece, steps)[top - first : bottom - first]
        progress(bottom / photo.height)


def as_it_is(photo: Photo, progress: Callable[[float], None]) -> Iterator[tuple[int, FloatImage]]:
    """The photo itself in such bands."""
    return run_steps(photo, (), progress=progress)
