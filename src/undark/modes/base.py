"""The Mode: one way of running a graph on photos of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from undark.adjust import Adjust
from undark.errors import ModelError
from undark.graph import Arrays, Graph, Shape, Signature
from undark.models.card import Card, Glance, Scaling
from undark.photo import FloatImage, Photo
from undark.pixels.arrays import to_nchw
from undark.pixels.lit import CurvesOnPlanes, PlaneLight
from undark.pixels.steps import Step

__all__ = [
    "IMAGE",
    "Band",
    "Follow",
    "Light",
    "Mode",
    "Progress",
    "ToneCurves",
    "glance_shape",
]

IMAGE = (None, 3, None, None)
"""Shape of images of any size, RGB in [0, 1]: N×3×H×W."""

Progress = Callable[[float], None]
"""Called with the fraction done, rising to 1."""

Follow = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Smooths over time what is at least 0; see
:meth:`undark.engine.temporal.TemporalSmoother.follow`."""


class Band(NamedTuple):
    """Some rows of a result.

    Attributes:
        top: Its first row.
        pixels: B×W×3 float32 in [0, 1]; they hold until the next band is asked for.
    """

    top: int
    pixels: FloatImage


class Light(ABC):
    """What a graph decided about the light of a whole photo."""

    @abstractmethod
    def steady(self, follow: Follow) -> Self:
        """The light for this frame of a video.

        Args:
            follow: Given what would be best for the frame alone, as positive factors of light,
                answers what suits the frames before it too.
        """

    @abstractmethod
    def on_planes(self, mean: float) -> PlaneLight:
        """What it does to the planes of a video's frame.

        Args:
            mean: The frame's mean light, linear; see :func:`undark.pixels.grid.mean_light`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ToneCurves(Light):
    """Light that is the same everywhere.

    Attributes:
        curves: Tone curves, 3×K in [0, 1], at :func:`undark.pixels.curves.sample_points`.
    """

    curves: NDArray[np.float32]

    def steady(self, follow: Follow) -> ToneCurves:
        """Curves that follow those that are wanted."""
        return ToneCurves(np.minimum(follow(self.curves), np.float32(1.0)))

    def on_planes(self, mean: float) -> PlaneLight:
        """The curves; a mean light is nothing to them."""
        del mean
        return CurvesOnPlanes(self.curves)


class Mode(ABC):
    """One way of running a graph on photos of any size. Keeps nothing from photo to photo.

    Attributes:
        name: What a card calls it.
        controls: Names of the :class:`undark.adjust.Adjust` fields that it acts on itself. The
            others, where they can be done to any result, are done to the bands that it gives.
        needs_glance: Whether a card of this mode must have one.
        tiled: Whether photos are run in full-size tiles, which must agree with the whole.
        exact: Whether all is computed in float32, whatever precision is asked for: what decides
            for the whole photo takes no time.
        decides: Whether :meth:`decide` gives a light.
        by_tables: Whether the light that it decides is tone curves, done by tables: its network is
            tiny.
        in_steps: Whether it edits in steps, which :meth:`steps` tells.

    Args:
        scaling: Sizes that the graph takes.
        glance: Size of the graph's glance, or None.

    Raises:
        ModelError: Something that the mode needs is missing or makes no sense.
    """

    name: ClassVar[str]
    controls: ClassVar[frozenset[str]] = frozenset()
    needs_glance: ClassVar[bool] = False
    tiled: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    decides: ClassVar[bool] = False
    by_tables: ClassVar[bool] = False
    in_steps: ClassVar[bool] = False

    def __init__(self, scaling: Scaling, glance: Glance | None = None) -> None:
        """Check that the mode has what it needs."""
        if self.needs_glance and glance is None:
            raise ModelError(f"a model of mode {self.name} needs a glance")
        if self.tiled and scaling.overlap * 2 >= scaling.tile:
            raise ModelError("tiles must be more than twice their overlap")
        if not 0 <= scaling.margin <= scaling.overlap:
            raise ModelError("a margin must be from 0 to the overlap of tiles")
        self.scaling = scaling
        self.glance = glance

    @classmethod
    def signature(cls, card: Card) -> Signature:
        """Inputs and outputs that the graph of `card` must have.

        By default ``image`` and, where the card has one, ``glance`` in; ``enhanced`` out.
        """
        return Signature(
            {"image": IMAGE, **glance_shape(card)}, {"enhanced": IMAGE}, frozenset(("image",))
        )

    @classmethod
    @abstractmethod
    def describe(cls, scaling: Scaling) -> str:
        """How it runs large photos, for a person."""

    @abstractmethod
    def bands(
        self,
        graph: Graph,
        photo: Photo,
        adjust: Adjust,
        progress: Progress,
        *,
        light: Light | None = None,
    ) -> Iterator[Band]:
        """The enhanced photo in bands from top to bottom, which cover it once.

        Args:
            graph: What computes.
            photo: The source.
            adjust: What is asked for; a mode heeds its `controls`.
            progress: Called with the fraction done.
            light: What was decided for the photo already, by a mode whose :meth:`decide` does;
                by default it is decided now.

        Raises:
            DeviceError: The graph failed, or what came back is no number.
        """

    def decide(self, graph: Graph, glance: FloatImage, adjust: Adjust) -> Light | None:
        """The light for a photo or frame that looks like `glance`; None where a mode decides none.

        Raises:
            DeviceError: The graph failed, or what came back is no number.
        """
        del graph, glance, adjust
        return None

    def steps(self, graph: Graph, photo: Photo) -> tuple[Step, ...]:
        """The steps in which it would edit `photo`; none for a mode that does not work in steps.

        Raises:
            DeviceError: The graph failed, or what came back is no number.
        """
        del graph, photo
        return ()

    def look(self, photo: Photo) -> FloatImage:
        """The glance at `photo` of a graph that has one."""
        assert self.glance is not None  # those that call this need one
        return photo.glance(self.glance.height, self.glance.width)

    def extra_inputs(self, photo: Photo) -> Arrays:
        """What the graph takes beside the image: its ``glance``, if it has one."""
        return {} if self.glance is None else {"glance": to_nchw(self.look(photo))}


def glance_shape(card: Card) -> dict[str, Shape]:
    """The input ``glance`` of a card that has one."""
    if card.glance is None:
        return {}
    return {"glance": (None, 3, card.glance.height, card.glance.width)}
