"""What a folder of pairs holds, and what is wrong with it, before anything learns from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import InputError
from undark.evaluate.metrics.ssim import LEAST_SIDE
from undark.io.halves import DarkHalf, read_shot
from undark.io.pairs import PairSet, TrainingPair, find_pairs, swapped
from undark.photo import FloatImage, area_resize, from_float

__all__ = ["DatasetFindings", "Likeness", "PairFacts", "look_at"]

Progress = Callable[[int, int], None]

DUPLICATE = 0.985
"""Two truths that correlate so much in their details are nearly one image."""

ALIKE = 0.9
"""The same of one scene seen twice."""

_REGISTERED = 512
_MOVED = 0.75
_CERTAIN = 0.15
_SAME_LEVEL = 0.03
_DETAIL = 32
_SHOWN = 144


@dataclass(frozen=True, slots=True)
class PairFacts:
    """One pair that can be used.

    Attributes:
        name: As in reports.
        scene: As the folder says.
        width: In pixels.
        height: In pixels.
        low: Mean level of the dark photo, in [0, 1].
        high: The same of its truth.
        shift: How far the truth lies to the right of and below the dark photo, in pixels of the
            photos.
        misaligned: Whether that is more than 0.75 pixels when their longer side is shrunk to 512,
            and certain.
        detail: The truth's details, normalised: 1024 numbers of which two photos' product is how
            they correlate.
        pictures: Both sides as small JPEG files.
    """

    name: str
    scene: str
    width: int
    height: int
    low: float
    high: float
    shift: tuple[float, float]
    misaligned: bool
    detail: NDArray[np.float32]
    pictures: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two truths that look alike: the names of their pairs, and how they correlate (up to 1)."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True, slots=True)
class DatasetFindings:
    """What was found in a folder of pairs.

    Attributes:
        folder: The folder.
        found: Its pairs, and what has no partner.
        facts: Of each pair that can be used.
        unusable: Name and reason of each that cannot.
        duplicates: Pairs whose truths are nearly one image, and whose dark photos are as dark.
        leaks: Pairs of different scenes whose truths look alike: one may be held out while the
            other is learned from.
        shared: Pairs here and there whose truths look alike, where another folder was given.
    """

    folder: Path
    found: PairSet
    facts: tuple[PairFacts, ...]
    unusable: tuple[tuple[str, str], ...]
    duplicates: tuple[Likeness, ...]
    leaks: tuple[Likeness, ...]
    shared: tuple[Likeness, ...]

    @property
    def misaligned(self) -> tuple[PairFacts, ...]:
        """The pairs whose sides do not lie over each other, the worst first."""
        moved = [item for item in self.facts if item.misaligned]
        return tuple(sorted(moved, key=lambda item: -float(np.hypot(*item.shift))))

    @property
    def swapped(self) -> str | None:
        """A warning, where most dark sides are brighter than their truths."""
        levels = [(item.low, item.high) for item in self.facts]
        return swapped(self.folder, self.found.pairs, levels)

    def summary(self) -> dict[str, Any]:
        """The findings in plain values, as JSON holds them."""
        low, high = ([getattr(item, side) for item in self.facts] for side in ("low", "high"))
        return {
            "folder": str(self.folder),
            "pairs": len(self.facts),
            "scenes": len({item.scene for item in self.facts}),
            "matched": list(self.found.rules),
            "sizes": sorted({f"{item.width}×{item.height}" for item in self.facts}),
            "mean_level_low": round(float(np.mean(low)), 4) if low else None,
            "mean_level_high": round(float(np.mean(high)), 4) if high else None,
            "swapped": self.swapped is not None,
            "unmatched": [str(path) for path in self.found.unmatched],
            "unusable": [{"pair": name, "reason": why} for name, why in self.unusable],
            "misaligned": [{"pair": i.name, "shift": list(i.shift)} for i in self.misaligned],
            **{
                key: [[item.first, item.second, item.correlation] for item in alike]
                for key, alike in (
                    ("duplicates", self.duplicates),
                    ("leaks", self.leaks),
                    ("shared", self.shared),
                )
            },
        }


def look_at(
    folder: Path,
    *,
    against: Path | None = None,
    dark_half: DarkHalf = "guess",
    progress: Progress | None = None,
) -> DatasetFindings:
    """Look at every pair in `folder`.

    Args:
        folder: Pairs, in any layout of :func:`undark.io.pairs.find_pairs`.
        against: Another folder of pairs, that must not show the same: one to measure on.
        dark_half: Of images that hold both sides.
        progress: Called with how many pairs are done, and of how many.

    Raises:
        DataError: A folder holds no pairs.
    """
    found = find_pairs(folder, dark_half)
    others = find_pairs(against, dark_half).pairs if against is not None else ()
    facts, unusable = _facts([*found.pairs, *others], progress)
    here = [fact for fact in facts[: len(found.pairs)] if fact is not None]
    there = [fact for fact in facts[len(found.pairs) :] if fact is not None]
    alike = _alike(here, here, same=True)
    scenes = {item.name: item.scene for item in here}
    levels = {item.name: item.low for item in here}
    duplicates = [
        item
        for item in alike
        if item.correlation >= DUPLICATE
        and abs(levels[item.first] - levels[item.second]) <= _SAME_LEVEL * levels[item.first]
    ]
    apart = [item for item in alike if scenes[item.first] != scenes[item.second]]
    return DatasetFindings(
        Path(folder),
        found,
        tuple(here),
        tuple(unusable),
        tuple(duplicates),
        tuple(apart),
        tuple(_alike(here, there, same=False)),
    )


def _facts(
    pairs: Sequence[TrainingPair], progress: Progress | None
) -> tuple[list[PairFacts | None], list[tuple[str, str]]]:
    facts: list[PairFacts | None] = []
    unusable: list[tuple[str, str]] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for number, (pair, result) in enumerate(zip(pairs, pool.map(_look, pairs), strict=True), 1):
            if isinstance(result, str):
                unusable.append((pair.name, result))
            facts.append(None if isinstance(result, str) else result)
            if progress is not None:
                progress(number, len(pairs))
    return facts, unusable


def _look(pair: TrainingPair) -> PairFacts | str:
    """The facts of a pair, or why it cannot be used."""
    try:
        low, high = read_shot(pair.low), read_shot(pair.high)
    except InputError as error:
        return str(error)
    if low.pixels.shape != high.pixels.shape:
        return f"{low.width}×{low.height} with {high.width}×{high.height}"
    if min(low.height, low.width) < LEAST_SIDE:
        return f"{low.width}×{low.height}, less than {LEAST_SIDE}×{LEAST_SIDE}"
    shrink = max(1.0, max(low.height, low.width) / _REGISTERED)
    size = (max(1, round(low.height / shrink)), max(1, round(low.width / shrink)))
    small = [area_resize(photo.pixels, *size) for photo in (low, high)]
    across, down, certain = _shift(*small)
    moved = certain >= _CERTAIN and float(np.hypot(across, down)) > _MOVED
    return PairFacts(
        name=pair.name,
        scene=pair.scene,
        width=low.width,
        height=low.height,
        low=float(small[0].mean()),
        high=float(small[1].mean()),
        shift=(round(across * shrink, 1) + 0.0, round(down * shrink, 1) + 0.0),  # no minus 0
        misaligned=moved,
        detail=_detail(small[1]),
        pictures=(_picture(small[0]), _picture(small[1])),
    )


def _shift(low: FloatImage, high: FloatImage) -> tuple[float, float, float]:
    """How far `high` lies right of and below `low`, and how certain that is (0 to 1).

    By phase correlation (Kuglin and Hines 1975), which does not see how bright either is.
    """
    rows, columns = low.shape[:2]
    if min(rows, columns) < 16:
        return 0.0, 0.0, 0.0

    def plane(image: FloatImage) -> NDArray[np.float32]:
        light = np.sqrt(image.mean(axis=2, dtype=np.float32))
        smooth = np.asarray(cv2.GaussianBlur(light, (0, 0), 1.5), np.float32)
        return np.asarray(smooth - smooth.mean(), np.float32)

    window = cv2.createHanningWindow((columns, rows), cv2.CV_32F)
    first, second = plane(low), plane(high)
    (across, down), certain = cv2.phaseCorrelate(first, second, window)
    return float(across), float(down), float(certain)


def _detail(image: FloatImage) -> NDArray[np.float32]:
    small = area_resize(image, _DETAIL, _DETAIL).mean(axis=2)
    broad = np.asarray(cv2.GaussianBlur(small, (0, 0), _DETAIL / 8), np.float32)
    vector = np.asarray(small - broad, np.float32).ravel()
    length = float(np.linalg.norm(vector))
    # What has no detail at all is like nothing.
    return vector / np.float32(length) if length > 1e-3 else np.zeros_like(vector)


def _picture(image: FloatImage) -> bytes:
    shrink = max(1.0, max(image.shape[:2]) / _SHOWN)
    rows, columns = (max(1, round(side / shrink)) for side in image.shape[:2])
    pixels = from_float(area_resize(image, rows, columns), np.dtype(np.uint8))
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert done
    return coded.tobytes()


def _alike(
    first: Sequence[PairFacts], second: Sequence[PairFacts], *, same: bool
) -> list[Likeness]:
    """Those of `first` and `second` that look alike, the most alike first."""
    if not first or not second:
        return []
    details = np.stack([item.detail for item in second])
    found: list[Likeness] = []
    for start, end in pairwise([*range(0, len(first), 256), len(first)]):
        products = np.stack([item.detail for item in first[start:end]]) @ details.T
        for row, column in np.argwhere(products >= ALIKE):
            one, other = start + int(row), int(column)
            if not same or one < other:
                likeness = round(min(1.0, float(products[row, column])), 3)
                found.append(Likeness(first[one].name, second[other].name, likeness))
    return sorted(found, key=lambda item: -item.correlation)
