"""Modes: the ways of running a graph on photos of any size. A model's card names one.

To add one, write a file with a :class:`undark.modes.base.Mode` and a line in `MODES`.
"""

from __future__ import annotations

from typing import Final

from undark.errors import ModelError
from undark.models.card import Card
from undark.modes.base import Band, Light, Mode, ToneCurves
from undark.modes.curves import Curves
from undark.modes.guided import Guided
from undark.modes.relight import Relight
from undark.modes.steps import Steps
from undark.modes.tiles import Tiles

__all__ = ["MODES", "Band", "Light", "Mode", "ToneCurves", "mode_of"]

MODES: Final[dict[str, type[Mode]]] = {
    item.name: item for item in (Tiles, Guided, Curves, Relight, Steps)
}
"""Every mode by name."""


def mode_of(card: Card, label: str | None = None) -> Mode:
    """The mode that runs the model of `card`.

    Args:
        card: What the model is.
        label: What to call it in errors; by default by the card's name.

    Raises:
        ModelError: There is no such mode, or the card lacks something that it needs.
    """
    label = label or f"model {card.name!r}"
    found = MODES.get(card.scaling.mode)
    if found is None:
        raise ModelError(
            f"{label}: unknown scaling mode {card.scaling.mode!r}; known: {', '.join(MODES)}"
        )
    try:
        return found(card.scaling, card.glance)
    except ModelError as error:
        raise ModelError(f"{label}: {error}") from error
