"""Datasets to learn from, held in memory as 8- or 16-bit images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError, InputError
from undark.io.formats import is_readable_name
from undark.io.pairs import TrainingPair, find_pairs
from undark.io.photo import read_photo
from undark.photo import FloatImage, Photo, area_resize, from_float, to_float
from undark.train.data.darken import Darkness, darken, draw_darkness, read_camera
from undark.train.data.split import scenes_by_likeness, split_by_scene
from undark.train.recipe import Data, Source

__all__ = ["Dataset", "LoadedPair", "Sample", "Side", "load_datasets", "load_pairs"]

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoadedPair:
    """One pair in memory: H×W×3 in native depth, both of one size."""

    name: str
    low: NDArray[Any]
    high: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One whole image as a step draws it, with its truth where it has one.

    Glances are float32, and None without a glance or without a truth.
    """

    low: NDArray[Any]
    high: NDArray[Any] | None
    low_glance: FloatImage | None
    high_glance: FloatImage | None = None


Side = Literal["pairs", "dark", "light"]
"""What a dataset gives: pairs, dark photos or light ones."""


class Dataset(Protocol):
    """A set of data that whole images can be drawn from."""

    source: Source
    side: Side

    def __len__(self) -> int:
        """How many images it holds."""
        ...

    def draw(self, index: int, version: int) -> Sample:
        """Picture or pair `index`; `version` changes what is made afresh now and then."""
        ...


def _glances(
    low: NDArray[Any], high: NDArray[Any], glance: int
) -> tuple[FloatImage | None, FloatImage | None]:
    if not glance:
        return None, None
    return area_resize(low, glance, glance), area_resize(high, glance, glance)


class _Pairs:
    """Real pairs, as they are."""

    side: Side = "pairs"

    def __init__(self, pairs: Sequence[LoadedPair], source: Source, *, glance: int) -> None:
        self.source = source
        self._drawn = [
            Sample(pair.low, pair.high, *_glances(pair.low, pair.high, glance)) for pair in pairs
        ]

    def __len__(self) -> int:
        return len(self._drawn)

    def draw(self, index: int, version: int) -> Sample:
        del version
        return self._drawn[index]


class _Stack:
    """Photos of one kind, dark or light, that no partner goes with."""

    side: Side

    def __init__(
        self, photos: Sequence[NDArray[Any]], source: Source, *, side: Side, glance: int
    ) -> None:
        self.source = source
        self.side = side
        self._drawn = [
            Sample(photo, None, area_resize(photo, glance, glance) if glance else None)
            for photo in photos
        ]

    def __len__(self) -> int:
        return len(self._drawn)

    def draw(self, index: int, version: int) -> Sample:
        del version
        return self._drawn[index]


class _Darkened:
    """Well-lit photos, darkened whole; each is darkened anew when the version changes."""

    side: Side = "pairs"

    def __init__(
        self,
        photos: Sequence[NDArray[Any]],
        source: Source,
        *,
        glance: int,
        seed: int,
        camera: Darkness | None = None,
    ) -> None:
        self.source = source
        self._photos = photos
        self._glance = glance
        self._seed = seed
        self._camera = camera
        self._made: dict[int, tuple[int, Sample]] = {}

    def __len__(self) -> int:
        return len(self._photos)

    def draw(self, index: int, version: int) -> Sample:
        known = self._made.get(index)
        if known is not None and known[0] == version:
            return known[1]
        random = np.random.default_rng((self._seed, index, version))
        high = self._photos[index]
        night = self.source.darkness == "night"
        low = darken(to_float(high), draw_darkness(random, self._camera, night=night), random)
        levels = np.round(low * np.float32(255)).astype(np.uint8)
        drawn = Sample(levels, high, *_glances(levels, high, self._glance))
        self._made[index] = (version, drawn)
        return drawn


def load_datasets(
    data: Data, *, root: Path, glance: int, seed: int, notify: Notify
) -> tuple[list[Dataset], dict[str, list[LoadedPair]]]:
    """Read every source of a recipe.

    Args:
        data: The recipe's table.
        root: The folder that the sources' paths are relative to.
        glance: Side of the glance in pixels; 0 for none.
        seed: Of what is made at random.
        notify: Called with a line for each file without a partner and each unreadable one.

    Returns:
        The datasets to draw from, and the held-out pairs by source name.

    Raises:
        DataError: A source is missing, empty, or has a pair of unequal size.
    """
    datasets: list[Dataset] = []
    held: dict[str, list[LoadedPair]] = {}
    for number, source in enumerate(data.sources):
        folder = root / source.path
        name = source.name or folder.resolve().name
        if source.kind == "pairs":
            learn, check = _split(folder, source, data, notify)
            pairs = load_pairs(learn, notify=notify, max_side=data.max_side)
            datasets.append(_Pairs(pairs, source, glance=glance))
        elif source.kind in ("dark", "light"):
            paths, check = _stack_paths(folder, source, data, notify)
            photos = _read_stack(paths, folder, notify, data.max_side)
            datasets.append(_Stack(photos, source, side=source.kind, glance=glance))
        else:
            check = []
            datasets.append(
                _lit_dataset(source, root, data, glance=glance, seed=seed + number, notify=notify)
            )
        if check:
            held[name] = load_pairs(check, notify=notify, max_side=data.max_side)
    return datasets, held


def _split(
    folder: Path, source: Source, data: Data, notify: Notify
) -> tuple[list[TrainingPair], list[TrainingPair]]:
    """The pairs of a folder to learn from, and those held out."""
    found = find_pairs(folder)
    for path in found.unmatched:
        notify(f"{path}: has no partner; left out")
    pairs = found.pairs
    if source.scenes == "likeness" and data.held_out > 0:
        pairs = scenes_by_likeness(pairs)
    return split_by_scene(pairs, held_out=data.held_out, run=data.run)


def _stack_paths(
    folder: Path, source: Source, data: Data, notify: Notify
) -> tuple[list[Path], list[TrainingPair]]:
    """The photos of a stack, and held-out pairs where the folder is one of pairs.

    Both stacks of one folder of pairs leave out the same scenes; they are measured once, with
    the dark side.
    """
    paths = _pictures(folder)
    if paths or not any(child.is_dir() or child.name == "pairs.csv" for child in folder.iterdir()):
        return paths, []
    learn, check = _split(folder, source, data, notify)
    if source.kind != "dark":
        return [pair.high for pair in learn], []
    return [pair.low for pair in learn], check


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of photos")
    return sorted(path for path in folder.iterdir() if is_readable_name(path))


def _read_stack(
    paths: Sequence[Path], folder: Path, notify: Notify, max_side: int
) -> list[NDArray[Any]]:
    photos = [p.pixels for p in _read_all(paths, notify, max_side) if p is not None]
    if not photos:
        raise DataError(f"{folder}: holds no readable photo")
    return photos


def _lit_dataset(
    source: Source, root: Path, data: Data, *, glance: int, seed: int, notify: Notify
) -> Dataset:
    folder = root / source.path
    paths, _ = _stack_paths(folder, source, data, notify)
    photos = _read_stack(paths, folder, notify, data.max_side)
    if source.kind == "keep":
        kept = [LoadedPair(str(i), pixels, pixels) for i, pixels in enumerate(photos)]
        return _Pairs(kept, source, glance=glance)
    return _Darkened(
        photos,
        source,
        glance=glance,
        seed=seed,
        camera=read_camera(root / source.camera) if source.camera else None,
    )


def load_pairs(
    pairs: Sequence[TrainingPair], *, notify: Notify, max_side: int = 0
) -> list[LoadedPair]:
    """Read pairs, shrunk to `max_side` if not 0; an unreadable one is left out, with a notice.

    Raises:
        DataError: None can be read, or the two sides of one differ in size.
    """
    lows = _read_all([pair.low for pair in pairs], notify, max_side)
    highs = _read_all([pair.high for pair in pairs], notify, max_side)
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


def _read_all(paths: Sequence[Path], notify: Notify, max_side: int) -> list[Photo | None]:
    def read(path: Path) -> Photo | InputError:
        try:
            return _shrunk(read_photo(path), max_side)
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


def _shrunk(photo: Photo, max_side: int) -> Photo:
    """The photo, its longer side at most `max_side`; without alpha, which nobody learns from."""
    scale = max_side / max(photo.height, photo.width)
    if not max_side or scale >= 1.0:
        return photo
    rows, columns = (max(1, round(side * scale)) for side in (photo.height, photo.width))
    small = area_resize(photo.pixels, rows, columns)
    return Photo(pixels=from_float(small, photo.pixels.dtype), gray=photo.gray)
