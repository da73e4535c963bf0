"""Images that hold both sides of a pair, left and right: A|B, as Pix2Pix's datasets are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import InputError, UnsupportedError
from undark.io.photo import read_photo
from undark.photo import Photo, area_resize

__all__ = ["DARK_HALVES", "DarkHalf", "Half", "Halves", "Shot", "halves_in", "read_shot"]

DarkHalf = Literal["guess", "left", "right"]
"""Which half of an A|B image is the dark one."""

DARK_HALVES: Final[tuple[DarkHalf, ...]] = ("guess", "left", "right")

_LOOKED_AT = 12
_SIDE = 48
_ALIKE = 0.5
"""Halves of which the details correlate so much show the same."""

_APART = 1.25
"""Ratio of the halves' mean levels from which one is darker, and not just another view."""


@dataclass(frozen=True, slots=True)
class Half:
    """One half of an image, as a photo of its own."""

    path: Path
    side: Literal["left", "right"]

    @property
    def parent(self) -> Path:
        """The image's folder."""
        return self.path.parent

    @property
    def parents(self) -> Sequence[Path]:
        """The folders above the image."""
        return self.path.parents

    def __str__(self) -> str:
        """The image and the half, for a user."""
        return f"{self.path} ({self.side} half)"


Shot = Path | Half
"""What one side of a pair is read from."""


def read_shot(shot: Shot) -> Photo:
    """The photo of a file, or of one half of it.

    Raises:
        InputError: It cannot be read, or its width is odd, so that it has no halves.
    """
    if isinstance(shot, Path):
        return read_photo(shot)
    photo = read_photo(shot.path)
    middle, odd = divmod(photo.width, 2)
    if odd or not middle:
        raise UnsupportedError(f"{shot.path}: is {photo.width} pixels wide, so it has no halves")
    part = slice(0, middle) if shot.side == "left" else slice(middle, None)
    return photo.with_pixels(np.ascontiguousarray(photo.pixels[:, part]))


@dataclass(frozen=True, slots=True)
class Halves:
    """The images of a folder that hold both sides.

    Attributes:
        pairs: The dark and the light half of each.
        rule: Which half is taken for the dark one, and why, in words for a user.
    """

    pairs: tuple[tuple[Half, Half], ...]
    rule: str


def halves_in(photos: Sequence[Path], dark: DarkHalf = "guess") -> Halves | None:
    """The images `photos` of one folder as pairs, or None where they are not of that kind.

    Where the dark half is to be guessed, some of the images are looked at: both halves must show
    the same, and one must be darker.
    """
    if not photos:
        return None
    if dark == "guess":
        count = min(_LOOKED_AT, len(photos))
        votes: list[str] = []
        for number in range(count):
            votes.append(_darker(photos[number * len(photos) // count]))
            if votes.count("") > count // 5:
                return None
        left, right = votes.count("left"), votes.count("right")
        side = "left" if left >= right else "right"
        if max(left, right) < 0.7 * count:
            return None
        why = f"it is darker in {max(left, right)} of the {count} looked at; say which, if not so"
    else:
        side, why = dark, "as asked"
    other = "right" if side == "left" else "left"
    pairs = tuple((Half(path, side), Half(path, other)) for path in photos)
    return Halves(
        pairs, f"each image holds both sides, and its {side} half is the dark one ({why})"
    )


def _darker(path: Path) -> str:
    """The darker half of an image that shows the same twice; empty where it does not."""
    try:
        return _looked_at(path, path.stat().st_mtime_ns)
    except (InputError, OSError):
        return ""


@lru_cache(maxsize=512)
def _looked_at(path: Path, changed: int) -> Literal["left", "right", ""]:
    del changed
    photo = read_photo(path)
    middle, odd = divmod(photo.width, 2)
    if odd or min(middle, photo.height) < 16:
        return ""
    left, right = (
        area_resize(np.ascontiguousarray(half), _SIDE, _SIDE).mean(axis=2)
        for half in (photo.pixels[:, :middle], photo.pixels[:, middle:])
    )
    if float((_detail(left) * _detail(right)).sum()) < _ALIKE:
        return ""
    levels = float(left.mean()), float(right.mean())
    if max(levels) < _APART * min(levels):
        return ""
    return "left" if levels[0] < levels[1] else "right"


def _detail(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """What lies where, whatever the level: normalised, so that a product is a correlation."""
    light = np.asarray(cv2.GaussianBlur(np.sqrt(plane), (0, 0), 1.0), np.float32)
    light -= light.mean()
    length = float(np.linalg.norm(light))
    return np.asarray(light / max(length, 1e-6), np.float32)
