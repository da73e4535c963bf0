"""The files of weights that LPIPS and DISTS need, found where the user says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.metrics.backbone import check_digest
from undark.evaluate.metrics.checkpoint import read_weights

__all__ = ["bring"]

Weights = Mapping[str, NDArray[Any]]
_Made = TypeVar("_Made")


def bring(places: Sequence[Path], variable: str, make: Callable[[Weights], _Made]) -> _Made | None:
    """A metric made of the weights in `places`, or where the environment variable says.

    Args:
        places: Files that ``torch.save`` made, or folders with such files.
        variable: Environment variable that names them where `places` is empty, parted as in PATH.
        make: Makes the metric of all parameters by name.

    Returns:
        The metric, or None where nothing was named.

    Raises:
        UsageError: A file is not one of weights, or together they are not those of the metric.
    """
    named = os.environ.get(variable, "")
    places = list(places) or [Path(item) for item in named.split(os.pathsep) if item]
    if not places:
        return None
    found: dict[str, NDArray[Any]] = {}
    for path in _files(places):
        check_digest(path)
        found |= read_weights(path)
    try:
        return make(found)
    except UsageError as error:
        raise UsageError(f"{', '.join(map(str, places))}: {error}") from error


def _files(places: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for place in places:
        if not place.is_dir():
            files.append(place)
            continue
        held = sorted(path for path in place.iterdir() if path.suffix in (".pth", ".pt"))
        if not held:
            raise UsageError(f"{place}: no weights in it, which end in .pth or .pt")
        files += held
    return files
