"""The catalog: every model that comes with undark, in order, written by hand.

To add one: put ``STEM.onnx`` and its card ``STEM.json`` into ``models/weights`` and add a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DEFAULT", "ENTRIES", "Entry", "names"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalog.

    Attributes:
        name: What a user writes after ``-m``.
        stem: Stem of its files in ``models/weights``.
    """

    name: str
    stem: str


DEFAULT: Final = "relight"
"""The model that is used where none is named."""

ENTRIES: Final = (
    Entry(name="relight", stem="relight"),
    Entry(name="relight-open", stem="relight-open"),
    Entry(name="unet", stem="unet"),
    Entry(name="pix2pix", stem="pix2pix"),
    Entry(name="cyclegan", stem="cyclegan"),
    Entry(name="agent", stem="agent"),
    Entry(name="curve", stem="curve"),
)
"""All models, the default first."""


def names() -> tuple[str, ...]:
    """Names of all models of the catalog, in order."""
    return tuple(entry.name for entry in ENTRIES)
