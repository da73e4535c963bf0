"""Batches of crops, each a pure function of the seed, the step and its place in the step.

A run that is stopped and resumed at step k therefore sees from there on exactly what it would
have seen, whatever the number of worker processes, of batches to a step, and of the processes
that share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from undark.errors import DataError, RecipeError
from undark.photo import FloatImage, to_float
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.train.data.datasets import Dataset, Sample
from undark.train.recipe import Augment

__all__ = ["Batch", "BatchStream", "expose", "to_tensor"]

Batch = dict[str, Tensor]
"""``image`` and ``truth`` (N×3×crop×crop) and, with a glance, ``glance`` and ``truth_glance``
(N×3×glance×glance), RGB in [0, 1], and ``told`` (N booleans; see ``Source.level``); where asked
for, ``where`` (N×2×crop×crop), x and y of each pixel in the whole image, in [0, 1], and
``guide`` (N×1×crop×crop), the level at which it reads a grid of light. From stacks:
``image`` and ``glance`` of dark photos, ``light`` and ``light_glance`` of light ones."""

_NAMES = {
    "pairs": ("image", "truth", "glance", "truth_glance"),
    "dark": ("image", "", "glance", ""),
    "light": ("light", "", "light_glance", ""),
}


def to_tensor(image: FloatImage) -> Tensor:
    """H×W×C as a contiguous C×H×W tensor, H×W as 1×H×W."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


class BatchStream(IterableDataset[Batch]):
    """An endless stream of batches, from step `start` on."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        *,
        crop: int,
        batch: int,
        augment: Augment,
        seed: int,
        start: int = 0,
        places: bool = False,
        fresh: int = 2500,
        parts: int = 1,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Draw from `datasets` by their weights; the other arguments are the recipe's.

        With `places`, a batch of pairs says ``where`` its crops lie. What is made is made anew
        after `fresh` steps. A step takes `parts` batches. Of each batch, this stream gives one of
        equal parts: `share` is its number, from 0, and how many there are.

        Raises:
            DataError: There is nothing to draw from.
            RecipeError: A batch cannot be shared so.
        """
        super().__init__()
        if not any(len(dataset) for dataset in datasets):
            raise DataError("there is nothing to learn from")
        if batch % share[1]:
            raise RecipeError(
                f"data.batch: {batch} crops cannot be shared equally by {share[1]} processes"
            )
        # An item draws once from each side that there is.
        self._sides = [
            [dataset for dataset in datasets if dataset.side == side and len(dataset)]
            for side in _NAMES
        ]
        self._crop = crop
        self._batch = batch
        self._augment = augment
        self._seed = seed
        self._start = start
        self._places = places
        self._fresh = fresh
        self._parts = parts
        self._share = share

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the steps `start`, `start` + 1, ... without end, `parts` for each."""
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        number = self._start * self._parts + first
        while True:
            yield self.at(*divmod(number, self._parts))
            number += stride

    def at(self, step: int, part: int = 0) -> Batch:
        """The batch of one step, or one of its parts, counted from 0; or this stream's share."""
        own, shares = self._share
        count = self._batch // shares
        first = part * self._batch + own * count
        items = [
            self._item(np.random.default_rng((self._seed, step, number)), step)
            for number in range(first, first + count)
        ]
        return {key: torch.stack([item[key] for item in items]) for key in items[0]}

    def _item(self, random: np.random.Generator, step: int) -> Batch:
        item: Batch = {}
        for datasets in self._sides:
            if datasets:
                weights = np.array([dataset.source.weight for dataset in datasets])
                dataset = datasets[int(random.choice(len(datasets), p=weights / weights.sum()))]
                drawn = dataset.draw(int(random.integers(len(dataset))), step // self._fresh)
                item |= self._images(drawn, random, dataset)
                if drawn.high_glance is not None:
                    item["told"] = torch.tensor(dataset.source.level == "told")
        return item

    def _images(self, drawn: Sample, random: np.random.Generator, dataset: Dataset) -> Batch:
        low, high, where, guide = self._cut(drawn, random)
        glances = [drawn.low_glance, drawn.high_glance]
        if dataset.side != "light":
            low, glances[0] = self._vary(low, glances[0], random)
        images = [low, high, *glances, where, guide]
        if self._augment.flip and dataset.source.flip:
            turns, mirrored = int(random.integers(4)), bool(random.integers(2))
            images = [None if image is None else _turn(image, turns, mirrored) for image in images]
        return {
            name: to_tensor(image)
            for name, image in zip((*_NAMES[dataset.side], "where", "guide"), images, strict=True)
            if image is not None
        }

    def _cut(
        self, drawn: Sample, random: np.random.Generator
    ) -> tuple[FloatImage, FloatImage | None, FloatImage | None, FloatImage | None]:
        crop = self._crop
        rows, columns = drawn.low.shape[:2]
        angle = 0.0
        if self._augment.rotate > 0 and random.random() < self._augment.share:
            angle = float(random.uniform(-self._augment.rotate, self._augment.rotate))
        # A turned crop needs a margin; what still falls outside is reflected.
        side = crop if angle == 0.0 else int(np.ceil(crop * 1.1)) + 2
        side_rows, side_columns = min(side, rows), min(side, columns)
        top = int(random.integers(rows - side_rows + 1))
        left = int(random.integers(columns - side_columns + 1))

        def piece(pixels: NDArray[Any]) -> FloatImage:
            part = to_float(pixels[top : top + side_rows, left : left + side_columns])
            if angle == 0.0 and part.shape[:2] == (crop, crop):
                return part
            matrix = cv2.getRotationMatrix2D((side_columns / 2, side_rows / 2), angle, 1.0)
            matrix[:, 2] += (crop - side_columns) / 2, (crop - side_rows) / 2
            mode = cv2.INTER_LINEAR if angle else cv2.INTER_NEAREST
            return cv2.warpAffine(
                part, matrix, (crop, crop), flags=mode, borderMode=cv2.BORDER_REFLECT_101
            ).astype(np.float32)

        where = piece(_places(rows, columns)) if self._places else None
        high = None if drawn.high is None else piece(drawn.high)
        guide = None if drawn.guide is None else piece(drawn.guide)
        return piece(drawn.low), high, where, guide

    def _vary(
        self, low: FloatImage, glance: FloatImage | None, random: np.random.Generator
    ) -> tuple[FloatImage, FloatImage | None]:
        """Another exposure and more noise of the same scene, in linear light."""
        augment = self._augment
        if augment.exposure > 0 and random.random() < augment.share:
            gain = np.float32(2.0 ** random.uniform(-augment.exposure, augment.exposure))
            low = expose(low, gain)
            glance = None if glance is None else expose(glance, gain)
        if augment.noise > 0 and random.random() < augment.share:
            deviation = augment.noise * random.random() * np.sqrt(0.1 + low)
            noise = random.standard_normal(low.shape, dtype=np.float32)
            low = np.clip(low + deviation * noise, 0.0, 1.0).astype(np.float32)
        return low, glance


def expose(image: FloatImage, gain: np.float32) -> FloatImage:
    """`image` as if taken with `gain` of the light: linear light, clipped at white."""
    return linear_to_srgb(np.minimum(srgb_to_linear(image) * gain, np.float32(1.0)))


@lru_cache(maxsize=8)
def _places(rows: int, columns: int) -> FloatImage:
    """Where each pixel's centre lies, x and y in [0, 1]: rows×columns×2."""
    x = (np.arange(columns, dtype=np.float32) + 0.5) / columns
    y = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32, copy=False)


def _turn(image: FloatImage, turns: int, mirrored: bool) -> FloatImage:
    image = np.rot90(image, turns)
    return image[:, ::-1] if mirrored else image
