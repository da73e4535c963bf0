"""Measuring models and baselines on a folder of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError, InputError, MissingExtraError, UndarkError, UsageError
from undark.evaluate.baselines import automatic_gamma, identity
from undark.evaluate.metrics import measure
from undark.evaluate.protocol import Protocol, protocol
from undark.evaluate.report import ContenderResult, Failure, PictureResult, Report
from undark.io.images import read_photo
from undark.io.pairs import TrainingPair, find_pairs
from undark.photo import Photo, area_resize, from_float

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer

__all__ = ["BASELINES", "Contender", "contender", "evaluate"]

_GRID_ROWS = 12
_GRID_WIDTH = 320


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that enhances and is to be measured.

    Attributes:
        name: What the report calls it; unique in one evaluation.
        enhance: Photo in, Photo of the same size out.
        sha256: Digest of its weights, or None where it has none.
        runtime: What runs it, or None where nothing does.
    """

    name: str
    enhance: Callable[[Photo], Photo]
    sha256: str | None = None
    runtime: str | None = None


BASELINES: tuple[Contender, ...] = (
    Contender("identity", identity),
    Contender("automatic gamma", automatic_gamma),
)
"""What needs no model."""


def contender(name: str, enhancer: Enhancer) -> Contender:
    """A model, opened as `enhancer`, under the name that the report gives it."""

    def enhance(photo: Photo) -> Photo:
        return enhancer.enhance(photo)

    return Contender(
        name,
        enhance,
        sha256=enhancer.card.sha256,
        runtime=enhancer.describe(),
    )


def evaluate(
    data: Path,
    contenders: Sequence[Contender],
    *,
    protocol_name: str = "plain",
    limit: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Measure `contenders` on the pairs in `data`.

    A pair that cannot be read, whose sides differ in size, or on which a contender fails is left
    out for all of them, so that the means compare, and is named in the report's failures.

    Args:
        data: A folder of pairs, in any layout that :func:`undark.io.pairs.find_pairs` reads.
        contenders: At least one, with names that differ.
        protocol_name: One of :data:`undark.evaluate.protocol.PROTOCOLS`.
        limit: Take only so many pairs, spread evenly over all.
        progress: Called before each pair with the pairs done, their number and the pair's name.

    Raises:
        UsageError: No contender, two of one name, an unknown protocol, or a limit below 1.
        DataError: No pair was found.
        InputError: None could be measured.
        MissingExtraError: The extra ``evaluate`` is not installed.
    """
    names = [item.name for item in contenders]
    if not names:
        raise UsageError("nothing to evaluate; name a model, or ask for the baselines")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{repeated[0]!r} is to be evaluated twice; name it once")
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1 pair, not {limit}")
    chosen = protocol(protocol_name)
    found = find_pairs(data)
    pairs = _spread(found.pairs, limit or len(found.pairs))

    results: dict[str, list[PictureResult]] = {name: [] for name in names}
    failures: list[Failure] = []
    grid: list[tuple[str, Sequence[NDArray[np.uint8]]]] = []
    for index, pair in enumerate(pairs):
        if progress is not None:
            progress(index, len(pairs), pair.name)
        try:
            measured, pictures = _measure(pair, contenders, chosen)
        except MissingExtraError:
            raise
        except UndarkError as error:
            failures.append(Failure(pair.name, str(error)))
            continue
        for name, result in zip(names, measured, strict=True):
            results[name].append(result)
        # Spread evenly over the pairs; where one failed, the next that did not stands in.
        if len(grid) < _GRID_ROWS and index * _GRID_ROWS >= len(grid) * len(pairs):
            scores = ", ".join(
                f"{name} {result.values['psnr']:.2f} dB"
                for name, result in zip(names, measured, strict=True)
            )
            grid.append((f"{pair.name}: {scores}", [_thumbnail(item) for item in pictures]))
    if not grid:
        raise InputError(f"{data}: no pair could be measured; the first: {failures[0].reason}")
    return Report(
        data=str(data),
        protocol=chosen.name,
        contenders=tuple(
            ContenderResult(item.name, item.sha256, item.runtime, tuple(results[item.name]))
            for item in contenders
        ),
        failures=tuple(failures),
        unmatched=tuple(str(path) for path in found.unmatched),
        grid=tuple(grid),
    )


def _measure(
    pair: TrainingPair, contenders: Sequence[Contender], chosen: Protocol
) -> tuple[list[PictureResult], list[NDArray[np.uint8]]]:
    dark, truth = read_photo(pair.low), read_photo(pair.high)
    if dark.pixels.shape != truth.pixels.shape:
        raise DataError(
            f"{pair.low} is {dark.width}×{dark.height} and {pair.high} is"
            f" {truth.width}×{truth.height} pixels; a pair must be of one size"
        )
    results: list[PictureResult] = []
    pictures = [dark.pixels]
    for item in contenders:
        begin = perf_counter()
        output = item.enhance(dark)
        seconds = perf_counter() - begin
        prepared = chosen.prepare(output.pixels, truth.pixels)
        results.append(
            PictureResult(pair.name, pair.scene, seconds, measure(prepared, truth.pixels))
        )
        pictures.append(prepared)
    return results, [*pictures, truth.pixels]


def _spread(pairs: Sequence[TrainingPair], count: int) -> Sequence[TrainingPair]:
    """At most `count` pairs, evenly spread from the first on."""
    count = min(count, len(pairs))
    return [pairs[index * len(pairs) // count] for index in range(count)]


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small enough to be kept until the grid is drawn."""
    height, width = pixels.shape[:2]
    if width <= _GRID_WIDTH:
        return pixels
    small = area_resize(pixels, max(1, round(height * _GRID_WIDTH / width)), _GRID_WIDTH)
    return from_float(small, np.dtype(np.uint8))
