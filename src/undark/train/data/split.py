"""Splitting pairs by scene: images of one scene never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import InputError
from undark.io.halves import read_shot
from undark.io.pairs import TrainingPair
from undark.photo import area_resize

__all__ = ["scenes_by_likeness", "split_by_scene"]

_SIDE, _MARGIN = 96, 24
_ALIKE = 0.8


def split_by_scene(
    pairs: Sequence[TrainingPair], *, held_out: float, run: int
) -> tuple[list[TrainingPair], list[TrainingPair]]:
    """Training and validation pairs.

    Scenes are taken in the order in which they come, in whole runs of `run` neighbours (which
    often show one room from another side), evenly spread over the set.

    Args:
        pairs: In their natural order.
        held_out: Fraction of the scenes to hold out, in [0, 1); at least one run where it is
            above 0 and there are two scenes or more.
        run: Neighbouring scenes that stay together; made smaller for small sets.
    """
    scenes = list(dict.fromkeys(pair.scene for pair in pairs))
    if held_out <= 0 or len(scenes) == 1:
        return list(pairs), []
    wanted = min(max(round(held_out * len(scenes)), 1), len(scenes) - 1)
    run = min(run, wanted)
    count = max(1, wanted // run)
    stride = len(scenes) / count
    held: set[str] = set()
    for index in range(count):
        start = int(stride * index + (stride - run) / 2)
        held.update(scenes[start : start + run])
    return (
        [pair for pair in pairs if pair.scene not in held],
        [pair for pair in pairs if pair.scene in held],
    )


def scenes_by_likeness(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    """The pairs with scenes found by how alike their truths look.

    For sets in which one shot was cropped several times and nothing says so: two truths are of
    one scene where one's middle, shifted by up to a quarter of the side, correlates with the
    other by 0.8 or more in its details. What is alike by way of a third is of one scene too.
    Unreadable images are left to the loader.
    """
    thumbs = [_thumb(pair) for pair in pairs]
    scene = list(range(len(pairs)))

    def root(index: int) -> int:
        while scene[index] != index:
            index = scene[index]
        return index

    for first, one in enumerate(thumbs):
        for second in range(first):
            other = thumbs[second]
            if one is None or other is None or root(first) == root(second):
                continue
            if max(_likeness(one, other), _likeness(other, one)) >= _ALIKE:
                scene[root(first)] = root(second)
    named = [replace(pair, scene=f"shot {root(i)}") for i, pair in enumerate(pairs)]
    return sorted(named, key=lambda pair: int(pair.scene.split()[1]))


def _likeness(whole: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    middle = np.ascontiguousarray(other[_MARGIN : _SIDE - _MARGIN, _MARGIN : _SIDE - _MARGIN])
    return float(cv2.matchTemplate(whole, middle, cv2.TM_CCOEFF_NORMED).max())


def _thumb(pair: TrainingPair) -> NDArray[np.float32] | None:
    """Details of the truth at 96×96: broad shading, common to all shots of a table, taken off."""
    try:
        small = area_resize(read_shot(pair.high).pixels, _SIDE, _SIDE).mean(axis=2)
    except InputError:
        return None
    return (small - cv2.GaussianBlur(small, (0, 0), _SIDE / 8)).astype(np.float32)
