"""The Graph: whatever computes for a model, and what its inputs and outputs are.

A runtime's session is one, so is a network being trained, so is a function in a test. Modes
(:mod:`undark.modes`) know nothing else of what runs a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from undark.errors import DeviceError, ModelError

__all__ = ["Arrays", "Graph", "Shape", "Signature", "ask", "name_of", "spell"]

Arrays = Mapping[str, NDArray[np.float32]]
"""Inputs or outputs of a graph by name."""

Shape = tuple[int | None, ...]
"""Sizes of an array's dimensions; None where any size will do."""


class Graph(Protocol):
    """Whatever computes: a runtime's session, a network being trained, a function in a test.

    Example:
        >>> def brighter(inputs, outputs):
        ...     return {"enhanced": 2 * inputs["image"]}
        >>> image = np.full((1, 3, 2, 2), 0.25, np.float32)
        >>> float(ask(brighter, {"image": image}, ["enhanced"])["enhanced"].max())
        0.5
    """

    def __call__(self, inputs: Arrays, outputs: Sequence[str], /) -> Arrays:
        """The outputs of those names.

        Args:
            inputs: All inputs by name, float32, with a first dimension for the photos of a batch.
            outputs: What is wanted; a graph need not compute its other outputs.

        Returns:
            Arrays of its own, which the caller may change.

        Raises:
            DeviceError: It failed, or memory ran out.
        """
        ...


def ask(graph: Graph, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
    """What `graph` answers, all of it numbers.

    Raises:
        DeviceError: It failed, memory ran out, or values came back that are not numbers.
    """
    answers = graph(inputs, outputs)
    for name in outputs:
        # No number among numbers of about 1 makes a sum infinite.
        if not np.isfinite(answers[name].sum()):
            # Some GPUs do so where a value overflows; unsaid, the photo would turn out black.
            raise DeviceError(
                f"{name_of(graph)} gave values that are not numbers; try the device cpu"
            )
    return answers


def name_of(graph: Graph) -> str:
    """What `graph` says of itself, where it can: a session names its runtime and device."""
    describe = getattr(graph, "describe", None)
    return str(describe()) if callable(describe) else "the graph"


def spell(shape: Shape) -> str:
    """A shape for a person: ``any×3×64×64``."""
    return "×".join("any" if size is None else str(size) for size in shape)


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a graph, with their shapes. The first dimension is the batch's.

    Attributes:
        inputs: Shape of each input by name.
        outputs: Shape of each output by name.
        any_size: Inputs that are given in any size, so that dimensions which are None here must be
            None in the graph too.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    any_size: frozenset[str] = field(default_factory=frozenset[str])

    def check(self, found: Signature, label: str) -> None:
        """See that a graph is as this asks.

        Args:
            found: The graph's own.
            label: What to call the model in errors.

        Raises:
            ModelError: Inputs, outputs or a shape differ.
        """
        for kind, mine, its in (
            ("inputs", self.inputs, found.inputs),
            ("outputs", self.outputs, found.outputs),
        ):
            if set(mine) != set(its):
                raise ModelError(
                    f"{label}: the graph's {kind} are {', '.join(sorted(its))}; its card asks for"
                    f" {', '.join(sorted(mine))}: correct the card, or learn the model again with"
                    " this version of undark"
                )
            for key, wanted in mine.items():
                if not _fits(its[key], wanted, free=key in self.any_size):
                    raise ModelError(
                        f"{label}: the graph's {key!r} is {spell(its[key])}; "
                        f"its card asks for {spell(wanted)}"
                    )


def _fits(found: Shape, wanted: Shape, *, free: bool) -> bool:
    """Whether a graph's shape can be the wanted one; the batch's size does not matter."""
    if len(found) != len(wanted):
        return False
    return all(
        (mine is None or mine == want) if want is not None else (not free or mine is None)
        for mine, want in list(zip(found, wanted, strict=True))[1:]
    )
