"""Mode ``curves``: for a graph that gives tone curves, and how much noise to take off.

The graph takes the ``glance`` alone and gives ``curves``, N×3×K, each rising from sample to
sample, and ``clean``, N×2, how much of the measured noise in luma and in colour to take off.
Curves multiply noise by their slope: what they have added is taken off, in bands with enough rows
around them. What is to be done is decided once from the whole photo, so the largest photo takes
little memory, and a video's frames can share a decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.graph import Arrays, Graph, Signature, ask
from undark.models.card import Card, Scaling
from undark.modes.base import Band, Light, Mode, Progress, glance_shape
from undark.modes.tiling import rows_at_a_time, walk
from undark.photo import FloatImage, Photo
from undark.pixels.arrays import to_nchw
from undark.pixels.curves import amplification, look_up, tables
from undark.pixels.noise import ALIGNMENT, HALO, Noise, clean, measure_noise

__all__ = ["Curves"]

# A photo of more pixels than these patches have is judged by them.
_PATCH = 256
_PATCHES = 4
# Bands worked on at once; each takes about 100 bytes a pixel.
_THREADS = 2


class Curves(Mode):
    """Applies a graph's tone curves, and cleans off the noise that they amplified."""

    name = "curves"
    needs_glance = True
    decides = True
    exact = True
    by_tables = True

    @classmethod
    def signature(cls, card: Card) -> Signature:
        """``glance`` in; ``curves`` and ``clean`` out."""
        return Signature(glance_shape(card), {"curves": (None, 3, None), "clean": (None, 2)})

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """That its curves are applied at full size."""
        del scaling
        return "its curves are applied at full size, in bands"

    def decide(self, graph: Graph, glance: FloatImage, adjust: Adjust) -> Light:
        """The curves for what `glance` shows."""
        del adjust
        return _light(_asked(graph, glance, ("curves",)))

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
        del adjust
        answers = _asked(graph, self.look(photo), ("curves", "clean"))
        curves = (light or _light(answers)).curves
        plan = _Plan.of(photo.pixels, curves, answers["clean"][0])

        def work(top: int, bottom: int) -> FloatImage:
            return plan.rows(photo.pixels, top, bottom)

        # No less than four times what is looked at around it, or most work would be done twice.
        edges = rows_at_a_time(photo, least=4 * HALO, alignment=ALIGNMENT)
        return walk(edges, work, progress, threads=_THREADS)


def _asked(graph: Graph, glance: FloatImage, outputs: Sequence[str]) -> Arrays:
    return ask(graph, {"glance": to_nchw(glance)}, outputs)


def _light(answers: Arrays) -> Light:
    return Light(np.clip(answers["curves"][0], 0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is to be done to one photo.

    Attributes:
        table: Its curves for its own type; see :func:`undark.pixels.curves.tables`.
        noise: To be taken off afterwards.
    """

    table: NDArray[np.float32]
    noise: Noise

    @classmethod
    def of(
        cls, pixels: NDArray[Any], curves: NDArray[np.float32], strength: NDArray[np.float32]
    ) -> _Plan:
        """Decide.

        Args:
            pixels: The photo, H×W×3 in native depth.
            curves: 3×K, rising; see :func:`undark.pixels.curves.sample_points`.
            strength: How much of the noise measured in luma and in colour is to be taken off; 1
                is all that the curves have added.
        """
        table = tables(curves, pixels.dtype)
        measured = measure_noise(look_up(piece, table) for piece in _sample(pixels))
        luma, colour = (float(value) for value in strength)
        return cls(table, measured.times(luma, colour, amplification(curves)))

    def rows(self, pixels: NDArray[Any], top: int, bottom: int) -> FloatImage:
        """Rows `top` to `bottom` of the photo, relit: float32, in [0, 1].

        Args:
            pixels: The whole photo.
            top: First row wanted, a multiple of :data:`undark.pixels.noise.ALIGNMENT`.
            bottom: First row not wanted.
        """
        first = max(top - HALO, 0)
        relit = look_up(pixels[first : bottom + HALO], self.table)
        result = clean(relit, self.noise)[top - first : bottom - first]
        return np.clip(result, 0.0, 1.0, out=result)


def _sample(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The whole of a small photo; patches spread evenly over a large one."""
    height, width = pixels.shape[:2]
    if height * width <= (_PATCH * _PATCHES) ** 2:
        yield pixels
        return
    for row in range(_PATCHES):
        for column in range(_PATCHES):
            top = max(height - _PATCH, 0) * row // (_PATCHES - 1)
            left = max(width - _PATCH, 0) * column // (_PATCHES - 1)
            yield pixels[top : top + _PATCH, left : left + _PATCH]
