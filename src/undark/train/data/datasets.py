"""Datasets to learn from, held in memory as 8- or 16-bit images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError
from undark.io.halves import Shot
from undark.io.pairs import TrainingPair, find_pairs, holds_pairs, photos_below
from undark.photo import FloatImage, area_resize, from_float, to_float
from undark.pixels.colour import srgb_to_linear
from undark.pixels.grid import Guide, mean_light
from undark.pixels.tone import saturation
from undark.train.data.darken import draw_darkness, read_camera, record
from undark.train.data.fields import darken_locally
from undark.train.data.hdr import load_hdr, photograph
from undark.train.data.leaves import lamps, scatter
from undark.train.data.loading import LoadedPair, Notify, load_both, load_photos, tell_names
from undark.train.data.remembered import Divided, Splits
from undark.train.data.split import scenes_by_likeness, split_by_scene
from undark.train.recipe import Data, Source

__all__ = ["Dataset", "Side", "load_datasets"]

_MEASURED_UNDER = (2.0, 4.0)
"""How many EV under the held-out HDR images are photographed."""
_LAMPS = 0.4
"""Share of the photos with shapes over them in which lamps burn too."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One whole image as a step draws it, with its truth where it has one.

    Glances are float32, and None without a glance or without a truth; the guide, H×W, tells the
    level at which each pixel reads a grid of light, 255 for 1.
    """

    low: NDArray[Any]
    high: NDArray[Any] | None
    low_glance: FloatImage | None
    high_glance: FloatImage | None = None
    guide: NDArray[np.uint8] | None = None


Side = Literal["pairs", "dark", "light"]
"""What a body gives: pairs, dark photos or light ones."""


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


@dataclass(frozen=True, slots=True)
class _Look:
    """What a method sees of whole images: a glance of that side, if not 0, and guides."""

    glance: int
    guides: bool = False

    def at(self, low: NDArray[Any], high: NDArray[Any] | None) -> Sample:
        if not self.glance:
            return Sample(low, high, None)
        seen = area_resize(low, self.glance, self.glance)
        truth = None if high is None else area_resize(high, self.glance, self.glance)
        return Sample(low, high, seen, truth, self._guide(low, seen) if self.guides else None)

    @staticmethod
    def _guide(low: NDArray[Any], glance: FloatImage) -> NDArray[np.uint8]:
        levels = Guide.of(low, mean_light(glance)).read(low)
        return np.rint(255 * levels).astype(np.uint8)


class _Pairs:
    """Real pairs, as they are."""

    side: Side = "pairs"

    def __init__(self, pairs: Sequence[LoadedPair], source: Source, *, look: _Look) -> None:
        self.source = source
        self._drawn = [look.at(pair.low, pair.high) for pair in pairs]

    def __len__(self) -> int:
        return len(self._drawn)

    def draw(self, index: int, version: int) -> Sample:
        del version
        return self._drawn[index]


class _Stack:
    """Photos of one kind, dark or light, that no partner goes with."""

    side: Side

    def __init__(
        self, photos: Sequence[NDArray[Any]], source: Source, *, side: Side, look: _Look
    ) -> None:
        self.source = source
        self.side = side
        self._drawn = [look.at(photo, None) for photo in photos]

    def __len__(self) -> int:
        return len(self._drawn)

    def draw(self, index: int, version: int) -> Sample:
        del version
        return self._drawn[index]


Make = Callable[[int, np.random.Generator], tuple[NDArray[Any], NDArray[Any]]]
"""Makes a dark image of number so-and-so and its truth."""


class _Made:
    """Images that are made; each is made anew when the version changes."""

    side: Side = "pairs"

    def __init__(self, count: int, make: Make, source: Source, *, look: _Look, seed: int) -> None:
        self.source = source
        self._count = count
        self._make = make
        self._look = look
        self._seed = seed
        self._made: dict[int, tuple[int, Sample]] = {}

    def __len__(self) -> int:
        return self._count

    def draw(self, index: int, version: int) -> Sample:
        known = self._made.get(index)
        if known is not None and known[0] == version:
            return known[1]
        low, high = self._make(index, np.random.default_rng((self._seed, index, version)))
        drawn = self._look.at(low, high)
        self._made[index] = (version, drawn)
        return drawn


def load_datasets(
    data: Data,
    *,
    root: Path,
    glance: int,
    seed: int,
    notify: Notify,
    guides: bool = False,
    splits: Splits | None = None,
) -> tuple[list[Dataset], dict[str, list[LoadedPair]]]:
    """Read every source of a recipe.

    Args:
        data: The recipe's table.
        root: The folder that ``--data`` names.
        glance: Side of the glance in pixels; 0 for none.
        seed: Of what is made at random.
        notify: Told, a line each, what has no partner and what could not be read.
        guides: Whether each image needs the level by which its pixels read a grid of light.
        splits: How the run divided its pairs before, which holds again, and is noted there.

    Returns:
        The datasets to draw from, and the held-out pairs by source name.

    Raises:
        DataError: A source is missing or empty, or too much of it cannot be used.
    """
    notify = _once(notify)
    datasets: list[Dataset] = []
    held: dict[str, list[LoadedPair]] = {}
    look = _Look(glance, guides)
    splits = splits or Splits()
    for number, source in enumerate(data.sources):
        folder = root / source.path
        name = source.name or folder.resolve().name
        check: list[LoadedPair] = []
        place = _Place(folder, root, number, name, splits)
        if source.kind == "render":
            dataset, check = _rendered(place, source, data, look, seed=seed + number, notify=notify)
        elif source.kind == "pairs":
            learn, apart = _split(place, source, data, notify)
            pairs, check = load_both(
                learn, apart, folder, notify=notify, max_side=data.max_side, left_out=data.left_out
            )
            if source.chroma != 1.0:
                pairs = [replace(pair, high=_coloured(pair.high, source.chroma)) for pair in pairs]
            dataset = _Pairs(pairs, source, look=look)
        elif source.kind in ("dark", "light"):
            paths, apart = _stack_paths(place, source, data, notify)
            photos = _read_stack(paths, folder, notify, data)
            dataset = _Stack(photos, source, side=source.kind, look=look)
            _, check = load_both(
                [], apart, folder, notify=notify, max_side=data.max_side, left_out=data.left_out
            )
        else:
            dataset = _lit_dataset(
                place, source, data, look=look, seed=seed + number, notify=notify
            )
        datasets.append(dataset)
        if check:
            held[name] = check
    return datasets, held


@dataclass(frozen=True, slots=True)
class _Place:
    """A source's folder below `root`, and its `number` and `name` among the run's `splits`."""

    folder: Path
    root: Path
    number: int
    name: str
    splits: Splits

    def divide(
        self,
        pairs: Sequence[TrainingPair],
        fresh: Divided,
        notify: Notify,
        scenes: Sequence[str] = (),
    ) -> Divided:
        """The pairs to learn from and those held out, as the run knows them; see `Splits.keep`."""
        return self.splits.keep(
            self.number, self.name, self.folder, pairs, fresh, scenes=scenes, notify=notify
        )


def _once(notify: Notify) -> Notify:
    """`notify`, but silent where a line is repeated: several sources may share a folder."""
    told: set[str] = set()

    def tell(line: str) -> None:
        if line not in told:
            told.add(line)
            notify(line)

    return tell


def _coloured(pixels: NDArray[Any], chroma: float) -> NDArray[Any]:
    """Native pixels with `chroma` times their colour."""
    return from_float(saturation(to_float(pixels), chroma - 1.0), pixels.dtype)


def _rendered(
    place: _Place, source: Source, data: Data, look: _Look, *, seed: int, notify: Notify
) -> tuple[Dataset, list[LoadedPair]]:
    """Photographs of HDR images, and some of the images that are held out."""
    images = load_hdr(place.folder)
    files = [place.folder / image.name for image in images]
    names = [TrainingPair(file, file, file.name, file.name) for file in files]
    fresh = split_by_scene(names, held_out=data.held_out, run=1)
    learn, apart = place.divide(names, fresh, notify)
    wanted, kept = ({pair.name for pair in part} for part in (learn, apart))
    chosen = [image for image in images if image.name in wanted]
    check = [
        LoadedPair(
            f"{image.name} {under:g} EV under",
            *photograph(image, np.random.default_rng((1, turn)), under=under),
        )
        for turn, image in enumerate(images)
        if image.name in kept
        for under in _MEASURED_UNDER
    ]

    def make(index: int, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        return photograph(chosen[index], random)

    return _Made(len(chosen), make, source, look=look, seed=seed), check


def _split(place: _Place, source: Source, data: Data, notify: Notify) -> Divided:
    """The pairs of a folder to learn from, and those held out."""
    folder = place.folder
    if source.held_with:
        _, apart = split_by_scene(
            find_pairs(place.root / source.held_with, source.dark_half).pairs,
            held_out=data.held_out,
            run=data.run,
        )
        scenes = {pair.scene for pair in apart}
        pairs = find_pairs(folder, source.dark_half).pairs
        fresh = (
            [pair for pair in pairs if pair.scene not in scenes],
            [pair for pair in pairs if pair.scene in scenes],
        )
        return place.divide(pairs, fresh, notify, sorted(scenes))
    found = find_pairs(folder, source.dark_half)
    for line in found.explain(folder):
        notify(line)
    tell_names([str(path) for path in found.unmatched], ": has no partner", notify)
    pairs = found.pairs
    if source.scenes == "likeness" and data.held_out > 0:
        pairs = scenes_by_likeness(pairs)
    fresh = split_by_scene(pairs, held_out=data.held_out, run=data.run)
    learn, apart = place.divide(pairs, fresh, notify)
    if data.held_out > 0 and not apart:
        alone = "a single pair" if len(pairs) == 1 else f"all {len(pairs)} pairs are of one scene"
        if fresh[1]:
            alone = "none of the pairs that the run holds out is there"
        notify(f"{folder}: {alone}; nothing is held out, so nothing is measured on unseen pairs")
    return learn, apart


def _stack_paths(
    place: _Place, source: Source, data: Data, notify: Notify
) -> tuple[list[Shot], list[TrainingPair]]:
    """The photos of a stack, and held-out pairs where the folder is one of pairs.

    Both stacks of one folder of pairs leave out the same scenes; they are measured once, with
    the dark side.
    """
    folder = place.folder
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of photos")
    if source.only or not holds_pairs(folder, source.dark_half):
        files = sorted(photos_below(folder))
        if source.only:
            files = [p for p in files if any(fnmatch(p.name, only) for only in source.only)]
        return list(files), []
    learn, check = _split(place, source, data, notify)
    if source.kind != "dark":
        return [pair.high for pair in learn], []
    return [pair.low for pair in learn], check


def _read_stack(
    paths: Sequence[Shot], folder: Path, notify: Notify, data: Data
) -> list[NDArray[Any]]:
    if not paths:
        raise DataError(f"{folder}: holds no readable photo")
    return load_photos(paths, notify=notify, max_side=data.max_side, left_out=data.left_out)


def _lit_dataset(
    place: _Place, source: Source, data: Data, *, look: _Look, seed: int, notify: Notify
) -> Dataset:
    paths, _ = _stack_paths(place, source, data, notify)
    photos = _read_stack(paths, place.folder, notify, data)
    if source.kind == "keep":
        kept = [LoadedPair(str(i), pixels, pixels) for i, pixels in enumerate(photos)]
        return _Pairs(kept, source, look=look)
    camera = read_camera(place.root / source.camera) if source.camera else None

    def make(index: int, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        if not source.leaves or random.random() >= source.leaves:
            return darkened(photos[index], random)
        pair = darkened(scatter(photos[index], random), random)
        return lamps(*pair, random) if random.random() < _LAMPS else pair

    def darkened(
        high: NDArray[Any], random: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        if source.darkness == "local":
            return darken_locally(high, random)
        drawn = draw_darkness(random, camera, night=source.darkness == "night")
        return record(srgb_to_linear(to_float(high)), drawn, random), high

    return _Made(len(photos), make, source, look=look, seed=seed)
