"""Evaluation protocols: what is done to an output before it is measured, with its formula.

A number without its protocol says nothing: rescaling outputs to the truth's brightness adds two
to eight dB on the usual benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.arrays import LUMA_601
from undark.photo import from_float, to_float

__all__ = ["PROTOCOLS", "Protocol", "protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to make an output ready to be measured.

    Attributes:
        name: What the command line calls it.
        formula: The exact computation, printed with every number.
        uses_truth: It looks at the truth, so its numbers are no user's result and never a
            headline.
        prepare: (output, truth), both H×W×3 RGB of any depth, to the H×W×3 uint8 to measure; where
            it does not use the truth, that may be None.
    """

    name: str
    formula: str
    uses_truth: bool
    prepare: Callable[[NDArray[Any], NDArray[Any] | None], NDArray[np.uint8]]


def _plain(output: NDArray[Any], truth: NDArray[Any] | None) -> NDArray[np.uint8]:  # noqa: ARG001
    return from_float(to_float(output), np.dtype(np.uint8))


def _gt_mean(output: NDArray[Any], truth: NDArray[Any] | None) -> NDArray[np.uint8]:
    if truth is None:
        raise UsageError("the protocol gt-mean needs the truth")
    values = to_float(output)
    grey = float(np.mean(values @ LUMA_601))
    if grey > 0:
        values = values * np.float32(float(np.mean(to_float(truth) @ LUMA_601)) / grey)
    return from_float(values, np.dtype(np.uint8))


PROTOCOLS: dict[str, Protocol] = {
    "plain": Protocol(
        "plain",
        "y = round(255 * clip(output, 0, 1)); the truth's brightness is not used",
        False,
        _plain,
    ),
    "gt-mean": Protocol(
        "gt-mean",
        "y = round(255 * clip(output * mean(grey(truth)) / mean(grey(output)), 0, 1)),"
        " grey = 0.299 R + 0.587 G + 0.114 B; uses the truth, so it is no user's result",
        True,
        _gt_mean,
    ),
}
"""The protocols by name, the default first."""


def protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        UsageError: There is none of that name.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise UsageError(f"unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}") from None
