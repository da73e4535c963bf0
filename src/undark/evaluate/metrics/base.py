"""What a metric is: a function with all that a report needs to show its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

__all__ = ["Alone", "Compare", "Metric"]

Compare = Callable[[NDArray[Any], NDArray[Any]], float]
"""Output and truth, both H×W×3 RGB of one size, to a number."""

Alone = Callable[[NDArray[Any]], float]
"""An output, H×W×3 RGB, to a number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and how its values are read and shown.

    Attributes:
        heading: Short name with its unit, for a table.
        form: How its values are written, as `str.format` takes it.
        better: Which way is better, or None where neither is.
        meaning: One line for a reader.
        compare: Its function, where it compares with a truth; None where that needs weights, which
            the caller brings.
        alone: Its function, where it looks at the output alone.
    """

    heading: str
    form: str
    better: Literal["more", "less"] | None
    meaning: str
    compare: Compare | None = None
    alone: Alone | None = None

    @property
    def needs_truth(self) -> bool:
        """Whether it compares with a truth; the others look at the output alone."""
        return self.alone is None
