"""Bodies of training data, held in memory as 8- or 16-bit pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError, InputError
from undark.io.images import READABLE_SUFFIXES, read_photo
from undark.io.pairs import TrainingPair, find_pairs
from undark.photo import FloatImage, Photo, area_resize, to_float
from undark.train.data.darken import darken, draw_darkness
from undark.train.data.split import split_by_scene
from undark.train.recipe import Data, Source

__all__ = ["Body", "Drawn", "LoadedPair", "load_bodies", "load_pairs"]

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """One pair in memory: H×W×3 in native depth, both of one size."""

    name: str
    low: NDArray[Any]
    high: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One whole pair as a step draws it, with its glances (float32; None without a glance)."""

    low: NDArray[Any]
    high: NDArray[Any]
    low_glance: FloatImage | None
    high_glance: FloatImage | None


class Body(Protocol):
    """A body of data that whole pairs can be drawn from."""

    weight: float

    def __len__(self) -> int:
        """How many pictures it holds."""
        ...

    def draw(self, index: int, version: int) -> Drawn:
        """Pair `index`; `version` changes what is made afresh now and then."""
        ...


def _glances(
    low: NDArray[Any], high: NDArray[Any], glance: int
) -> tuple[FloatImage | None, FloatImage | None]:
    if not glance:
        return None, None
    return area_resize(low, glance, glance), area_resize(high, glance, glance)


class _Pairs:
    """Real pairs, as they are."""

    def __init__(self, pairs: Sequence[LoadedPair], *, weight: float, glance: int) -> None:
        self.weight = weight
        self._drawn = [
            Drawn(pair.low, pair.high, *_glances(pair.low, pair.high, glance)) for pair in pairs
        ]

    def __len__(self) -> int:
        return len(self._drawn)

    def draw(self, index: int, version: int) -> Drawn:
        del version
        return self._drawn[index]


class _Darkened:
    """Well-lit photos, darkened whole; each is darkened anew when the version changes."""

    def __init__(
        self, photos: Sequence[NDArray[Any]], *, weight: float, glance: int, seed: int
    ) -> None:
        self.weight = weight
        self._photos = photos
        self._glance = glance
        self._seed = seed
        self._made: dict[int, tuple[int, Drawn]] = {}

    def __len__(self) -> int:
        return len(self._photos)

    def draw(self, index: int, version: int) -> Drawn:
        known = self._made.get(index)
        if known is not None and known[0] == version:
            return known[1]
        random = np.random.default_rng((self._seed, index, version))
        high = self._photos[index]
        low = darken(to_float(high), draw_darkness(random), random)
        levels = np.round(low * np.float32(255)).astype(np.uint8)
        drawn = Drawn(levels, high, *_glances(levels, high, self._glance))
        self._made[index] = (version, drawn)
        return drawn


def load_bodies(
    data: Data, *, root: Path, glance: int, seed: int, notify: Notify
) -> tuple[list[Body], dict[str, list[LoadedPair]]]:
    """Read every source of a recipe.

    Args:
        data: The recipe's table.
        root: The folder that ``--data`` names.
        glance: Side of the glance in pixels; 0 for none.
        seed: Of what is made at random.
        notify: Told, a line each, what has no partner and what could not be read.

    Returns:
        The bodies to draw from, and the held-out pairs by source name.

    Raises:
        DataError: A source is missing, empty, or has a pair of unequal size.
    """
    bodies: list[Body] = []
    held: dict[str, list[LoadedPair]] = {}
    for number, source in enumerate(data.sources):
        folder = root / source.path
        name = source.name or folder.resolve().name
        if source.kind == "pairs":
            found = find_pairs(folder)
            for path in found.unmatched:
                notify(f"{path}: has no partner; left out")
            learn, check = split_by_scene(found.pairs, held_out=data.held_out, run=data.run)
            bodies.append(
                _Pairs(load_pairs(learn, notify=notify), weight=source.weight, glance=glance)
            )
            if check:
                held[name] = load_pairs(check, notify=notify)
        else:
            body = _lit_body(source, folder, glance=glance, seed=seed + number, notify=notify)
            bodies.append(body)
    return bodies, held


def _lit_body(source: Source, folder: Path, *, glance: int, seed: int, notify: Notify) -> Body:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of well-lit photos")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE_SUFFIXES)
    photos = [photo.pixels for photo in _read_all(paths, notify) if photo is not None]
    if not photos:
        raise DataError(f"{folder}: holds no readable photo")
    if source.kind == "keep":
        kept = [LoadedPair(str(i), pixels, pixels) for i, pixels in enumerate(photos)]
        return _Pairs(kept, weight=source.weight, glance=glance)
    return _Darkened(photos, weight=source.weight, glance=glance, seed=seed)


def load_pairs(pairs: Sequence[TrainingPair], *, notify: Notify) -> list[LoadedPair]:
    """Read pairs; an unreadable one is told of and left out.

    Raises:
        DataError: None can be read, or the two sides of one differ in size.
    """
    lows = _read_all([pair.low for pair in pairs], notify)
    highs = _read_all([pair.high for pair in pairs], notify)
    loaded: list[LoadedPair] = []
    for pair, low, high in zip(pairs, lows, highs, strict=True):
        if low is None or high is None:
            continue
        if low.pixels.shape != high.pixels.shape:
            raise DataError(
                f"{pair.low} is {low.width}×{low.height} but its partner {pair.high} is"
                f" {high.width}×{high.height}; pairs must be of one size"
            )
        loaded.append(LoadedPair(pair.name, low.pixels, high.pixels))
    if not loaded:
        raise DataError(f"none of the {len(pairs)} pairs can be read")
    return loaded


def _read_all(paths: Sequence[Path], notify: Notify) -> list[Photo | None]:
    def read(path: Path) -> Photo | InputError:
        try:
            return read_photo(path)
        except InputError as error:
            return error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(read, paths))
    photos: list[Photo | None] = []
    for result in results:
        if isinstance(result, InputError):
            notify(f"{result}; left out")
            photos.append(None)
        else:
            photos.append(result)
    return photos
