"""Mode ``steps``: a graph chooses an edit's steps on a look; they are done at full size.

The graph is a policy: it takes ``glance`` and ``state`` and gives ``logits``, one for each of
:data:`undark.pixels.look.ACTIONS` and one to stop; one from before there were places has fewer. A
band is worked on with as many rows around it as its steps look at, so that bands meet as if the
photo had been done whole; only one band is held in float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.graph import Graph, Signature, ask
from undark.models.card import Card, Scaling
from undark.modes.base import Band, Light, Mode, Progress, glance_shape
from undark.modes.tiling import rows_at_a_time, walk
from undark.photo import FloatImage, Photo
from undark.pixels.look import STATE, Look, choose_steps
from undark.pixels.steps import Step, apply_steps, halo

__all__ = ["Steps", "run_steps"]


class Steps(Mode):
    """Does the steps that a graph chooses one after the other."""

    name = "steps"
    needs_glance = True
    exact = True
    in_steps = True

    @classmethod
    def signature(cls, card: Card) -> Signature:
        """``glance`` and ``state`` in; ``logits`` out."""
        return Signature({**glance_shape(card), "state": (None, STATE)}, {"logits": (None, None)})

    @classmethod
    def describe(cls, scaling: Scaling) -> str:
        """That its steps are done at full size."""
        del scaling
        return "its steps are done at full size, in bands"

    def steps(self, graph: Graph, photo: Photo) -> tuple[Step, ...]:
        """The steps that the graph takes on `photo`."""
        assert self.glance is not None  # the mode needs one

        def policy(glance: NDArray[np.float32], state: NDArray[np.float32]) -> NDArray[np.float32]:
            return ask(graph, {"glance": glance, "state": state}, ("logits",))["logits"]

        return choose_steps(Look.of(photo, self.glance.height, self.glance.width), policy)

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
        return run_steps(photo, self.steps(graph, photo), progress)


def run_steps(photo: Photo, steps: Sequence[Step], progress: Progress) -> Iterator[Band]:
    """The photo after `steps`, in bands from top to bottom, which cover it once.

    Args:
        photo: The source.
        steps: In their order.
        progress: Called with the fraction done.
    """
    around = halo(steps)

    def work(top: int, bottom: int) -> FloatImage:
        first = max(top - around, 0)
        piece = photo.rgb(slice(first, min(bottom + around, photo.height)))
        return apply_steps(piece, steps, top=first, height=photo.height)[
            top - first : bottom - first
        ]

    # No less than twice what is looked at around it: else most of the work would be done twice.
    return walk(rows_at_a_time(photo, least=2 * around), work, progress)
