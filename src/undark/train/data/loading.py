"""Photos and pairs read into memory. One that cannot be used is left out by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError, InputError
from undark.evaluate.metrics.ssim import LEAST_SIDE
from undark.io.halves import Shot, read_shot
from undark.io.pairs import TrainingPair, swapped
from undark.photo import Photo, area_resize, from_float

__all__ = ["LoadedPair", "Notify", "load_both", "load_pairs", "load_photos", "tell_names"]

Notify = Callable[[str], None]

_NAMED = 20
"""How many files of one complaint are named."""


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """One pair in memory: H×W×3 in native depth, both of one size."""

    name: str
    low: NDArray[Any]
    high: NDArray[Any]


def load_pairs(
    pairs: Sequence[TrainingPair], *, notify: Notify, max_side: int = 0, left_out: float = 1.0
) -> list[LoadedPair]:
    """Read pairs, shrunk to `max_side` if not 0.

    One that cannot be read, is too small to be measured, or whose sides differ in size, is told of
    and left out.

    Raises:
        DataError: None can be used, or more than the share `left_out` (and more than one) cannot.
    """
    lows = _read_all([pair.low for pair in pairs], max_side)
    highs = _read_all([pair.high for pair in pairs], max_side)
    loaded: list[LoadedPair] = []
    bad: list[str] = []
    for pair, low, high in zip(pairs, lows, highs, strict=True):
        if isinstance(low, InputError) or isinstance(high, InputError):
            bad.append(str(low if isinstance(low, InputError) else high))
        elif low.pixels.shape != high.pixels.shape:
            bad.append(f"{pair.low} is {low.size} but its partner {pair.high} is {high.size}")
        elif min(low.pixels.shape[:2]) < LEAST_SIDE:
            shrunk = f", shrunk to data.max_side = {max_side}," if max_side else ""
            bad.append(
                f"{pair.low} is {low.size}{shrunk} and so too small to be measured, which takes"
                f" {LEAST_SIDE}×{LEAST_SIDE} pixels"
            )
        else:
            loaded.append(LoadedPair(pair.name, low.pixels, high.pixels))
    _judge(bad, len(pairs), "pairs", left_out, notify)
    return loaded


def load_photos(
    paths: Sequence[Shot], *, notify: Notify, max_side: int = 0, left_out: float = 1.0
) -> list[NDArray[Any]]:
    """Read photos, H×W×3 in native depth, as `load_pairs` reads pairs.

    Raises:
        DataError: As `load_pairs` does.
    """
    read = _read_all(paths, max_side)
    bad = [str(result) for result in read if isinstance(result, InputError)]
    _judge(bad, len(paths), "photos", left_out, notify)
    return [result.pixels for result in read if not isinstance(result, InputError)]


def tell_names(names: Sequence[str], why: str, notify: Notify) -> None:
    """Tell, a line each, what is left out; of very many the first and how many more."""
    for name in names[:_NAMED]:
        notify(f"{name}{why}; left out")
    if len(names) > _NAMED:
        notify(f"and {len(names) - _NAMED} more{why}; left out")


def load_both(
    learn: Sequence[TrainingPair],
    apart: Sequence[TrainingPair],
    folder: Path,
    *,
    notify: Notify,
    max_side: int = 0,
    left_out: float = 1.0,
) -> tuple[list[LoadedPair], list[LoadedPair]]:
    """The pairs of `folder` to learn from and those held out, read and judged as one set.

    Raises:
        DataError: As `load_pairs` does, or none is left to learn from.
    """
    both = [*learn, *apart]
    if not both:
        return [], []
    loaded = load_pairs(both, notify=notify, max_side=max_side, left_out=left_out)
    levels = [(_level(pair.low), _level(pair.high)) for pair in loaded]
    if (warning := swapped(folder, both, levels)) is not None:
        notify(warning)
    names = {pair.name for pair in apart}
    learned = [pair for pair in loaded if pair.name not in names]
    if learn and not learned:
        raise DataError(f"{folder}: of the pairs to learn from none can be used")
    return learned, [pair for pair in loaded if pair.name in names]


def _level(pixels: NDArray[Any]) -> float:
    """Nearly the mean level: of some pixels in rows and columns over the whole photo."""
    rows, columns = (max(1, side // 64) for side in pixels.shape[:2])
    return float(np.mean(pixels[::rows, ::columns]) / np.iinfo(pixels.dtype).max)


def _judge(bad: Sequence[str], count: int, what: str, left_out: float, notify: Notify) -> None:
    if bad and len(bad) == count:
        raise DataError(f"none of the {count} {what} can be used; {bad[0]}")
    tell_names(bad, "", notify)
    if len(bad) > max(1.0, left_out * count):
        raise DataError(
            f"{len(bad)} of {count} {what} cannot be used, more than data.left_out = {left_out:g}"
            f" allows; the first: {bad[0]}"
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """Pixels as they are learned from, and the size of the file's own."""

    pixels: NDArray[Any]
    size: str


def _read_all(paths: Sequence[Shot], max_side: int) -> list[_Read | InputError]:
    def read(path: Shot) -> _Read | InputError:
        try:
            photo = read_shot(path)
        except InputError as error:
            return error
        return _Read(_shrunk(photo, max_side), f"{photo.width}×{photo.height}")

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(read, paths))


def _shrunk(photo: Photo, max_side: int) -> NDArray[Any]:
    """The photo's pixels, its longer side at most `max_side`; nobody learns from alpha."""
    shrink = max_side / max(photo.height, photo.width)
    if not max_side or shrink >= 1.0:
        return photo.pixels
    rows, columns = (max(1, round(side * shrink)) for side in (photo.height, photo.width))
    return from_float(area_resize(photo.pixels, rows, columns), photo.pixels.dtype)
