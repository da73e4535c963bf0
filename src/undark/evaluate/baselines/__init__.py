"""What needs no model: the numbers that every model has to beat.

Each is Photo in, Photo of the same size and depth out. A family of them is one file here, and each
of them one line in :data:`BASELINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from undark.evaluate.baselines.gamma import TARGET_MEAN, automatic_gamma, fixed_gamma
from undark.evaluate.baselines.histogram import clahe, equalise
from undark.evaluate.baselines.identity import identity
from undark.evaluate.baselines.retinex import lime, msrcr
from undark.photo import Photo

__all__ = [
    "BASELINES",
    "TARGET_MEAN",
    "automatic_gamma",
    "clahe",
    "equalise",
    "fixed_gamma",
    "identity",
    "lime",
    "msrcr",
]

BASELINES: Final[Mapping[str, Callable[[Photo], Photo]]] = {
    "identity": identity,
    "gamma 1/2.2": fixed_gamma,
    "automatic gamma": automatic_gamma,
    "histogram equalisation": equalise,
    "CLAHE": clahe,
    "LIME": lime,
    "MSRCR": msrcr,
}
"""The baselines by name."""
