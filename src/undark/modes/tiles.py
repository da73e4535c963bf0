"""Mode ``tiles``: full-size tiles that overlap.

For a network whose every global decision comes from the glance, or that makes none.
"""

from __future__ import annotations

from collections.abc import Iterator

from undark.adjust import Adjust
from undark.graph import Graph
from undark.models.card import Scaling
from undark.modes.base import Band, Light, Mode, Progress
from undark.modes.tiling import run_tiles
from undark.photo import Photo

__all__ = ["Tiles"]


class Tiles(Mode):
    """Runs a graph on overlapping tiles of the photo."""

    name = "tiles"
    tiled = True

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """Size and overlap of its tiles."""
        return f"tiles of {scaling.tile} pixels that share {scaling.overlap}"

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
        del adjust, light
        return run_tiles(graph, photo, self.extra_inputs(photo), self.scaling, progress)
