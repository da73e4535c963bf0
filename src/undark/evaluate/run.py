"""Measuring models and baselines on a set of images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError, InputError, MissingExtraError, UndarkError, UsageError
from undark.evaluate import baselines
from undark.evaluate.arrays import grey
from undark.evaluate.choice import wanted_metrics
from undark.evaluate.memory import Origin, peak_of
from undark.evaluate.metrics import METRICS, headline, measure
from undark.evaluate.metrics.base import Compare
from undark.evaluate.metrics.features import HOW_TO_GET
from undark.evaluate.protocol import Protocol, protocol
from undark.evaluate.report.album import Album, small
from undark.evaluate.report.report import Report
from undark.evaluate.report.results import ContenderResult, Failure, ImageResult
from undark.evaluate.report.text import written
from undark.evaluate.samples import Sample, Samples, find_samples
from undark.io.halves import Shot, read_shot
from undark.io.photo import write_photo
from undark.photo import Photo

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer

__all__ = ["BASELINES", "Contender", "contender", "evaluate"]

_GRID_ROWS = 8
_GRID_WIDTH = 320
_TONES = 64


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that enhances and is to be measured.

    Attributes:
        name: What the report calls it; unique in one evaluation.
        enhance: Photo in, Photo of the same size out.
        sha256: Digest of its weights, or None where it has none.
        runtime: What runs it, or None where nothing does.
        origin: How another process gets at it, to measure its memory; None where it cannot.
    """

    name: str
    enhance: Callable[[Photo], Photo]
    sha256: str | None = None
    runtime: str | None = None
    origin: Origin | None = None


BASELINES: tuple[Contender, ...] = tuple(
    Contender(name, enhance, origin=Origin(baseline=name))
    for name, enhance in baselines.BASELINES.items()
)
"""The baselines of :mod:`undark.evaluate.baselines` as contenders."""


def contender(name: str, enhancer: Enhancer, *, origin: Origin | None = None) -> Contender:
    """A model, opened as `enhancer`, under the name that the report gives it."""

    def enhance(photo: Photo) -> Photo:
        return enhancer.enhance(photo)

    return Contender(
        name,
        enhance,
        sha256=enhancer.card.sha256,
        runtime=enhancer.describe(),
        origin=origin,
    )


def evaluate(
    data: Path | Samples,
    contenders: Sequence[Contender],
    *,
    protocol_name: str = "plain",
    limit: int | None = None,
    metrics: Sequence[str] | None = None,
    brought: Mapping[str, Compare] = MappingProxyType({}),
    memory: bool = False,
    images: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Measure `contenders` on `data`.

    An image that cannot be read, whose truth is of another size, or on which a contender fails is
    left out for all of them, so that the means compare, and is named in the report's failures.

    Args:
        data: Samples, or a folder that :func:`undark.evaluate.samples.find_samples` reads: pairs
            in any layout of :func:`undark.io.pairs.find_pairs`, or images without truths.
        contenders: At least one, with names that differ. The others are tested against the first.
        protocol_name: One of :data:`undark.evaluate.protocol.PROTOCOLS`.
        limit: Take only so many images, spread evenly over all.
        metrics: Names of the metrics to measure, of :data:`undark.evaluate.metrics.METRICS`; by
            default all that can be. The one that reports order images by is always measured.
        brought: The metrics that need weights, by name, where these are at hand.
        memory: Measure the peak memory of each contender too, in a process of its own, on the
            largest image.
        images: Keep images for :meth:`undark.evaluate.report.report.Report.write`.
        progress: Called before each image with those done, their number and the image's name.

    Raises:
        UsageError: No contender, two of one name, an unknown protocol or metric, one that needs
            truths or weights where there are none, or a limit below 1.
        DataError: No image was found.
        InputError: None could be measured.
        MissingExtraError: The extra ``evaluate`` is not installed.
    """
    _check(contenders, limit)
    chosen = protocol(protocol_name)
    found = data if isinstance(data, Samples) else find_samples(data)
    if chosen.uses_truth and not found.has_truth:
        raise UsageError(f"the protocol {chosen.name} needs truths, and {found.label} has none")
    wanted = wanted_metrics(metrics, brought, truths=found.has_truth)
    samples = _spread(found.items, limit or len(found.items))
    tally = _Tally([item.name for item in contenders], found.has_truth, len(samples), images)
    scale = _Scale(chosen, brought, wanted)
    for index, sample in enumerate(samples):
        if progress is not None:
            progress(index, len(samples), sample.name)
        tally.measure(index, sample, contenders, scale)
    largest = tally.largest_in(found)
    peaks = _peaks(contenders, largest) if memory else {}
    lacks_features = wanted is None and "feature_distance" not in brought
    return _report(found, chosen, contenders, tally, peaks, lacks_features=lacks_features)


def _check(contenders: Sequence[Contender], limit: int | None) -> None:
    names = [item.name for item in contenders]
    if not names:
        raise UsageError("nothing to evaluate; name a model, or ask for the baselines")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{repeated[0]!r} is to be evaluated twice; name it once")
    if limit is not None and limit < 1:
        raise UsageError(f"the limit must be at least 1 image, not {limit}")


@dataclass(frozen=True, slots=True)
class _Scale:
    """How outputs are measured: see :func:`evaluate`."""

    protocol: Protocol
    brought: Mapping[str, Compare]
    wanted: frozenset[str] | None


def _peaks(contenders: Sequence[Contender], photo: Shot) -> dict[str, int | None]:
    """Peak memory on `photo` of each contender that another process can open."""
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(photo, Path):  # the other process reads whole files
            whole = Path(folder, "half.png")
            write_photo(read_shot(photo), whole)
            photo = whole
        return {
            item.name: peak_of(item.origin, photo) for item in contenders if item.origin is not None
        }


def _report(
    found: Samples,
    chosen: Protocol,
    contenders: Sequence[Contender],
    tally: _Tally,
    peaks: Mapping[str, int | None],
    *,
    lacks_features: bool,
) -> Report:
    notes = [f"pairs: {rule}" for rule in found.matched]
    if found.has_truth and lacks_features:
        notes.append(f"no MobileNetV2 feature distance: its weights are missing; {HOW_TO_GET}")
    return Report(
        data=found.label,
        protocol=chosen.name,
        contenders=tuple(
            ContenderResult(
                name=item.name,
                sha256=item.sha256,
                runtime=item.runtime,
                images=tuple(tally.results[item.name]),
                peak_memory=peaks.get(item.name),
            )
            for item in contenders
        ),
        failures=tuple(tally.failures),
        unmatched=tuple(str(path) for path in found.unmatched),
        notes=tuple(notes),
        memory_on=tally.size if peaks else None,
        tones=tally.tones,
        grid=tuple(tally.grid),
        album=tally.album.rows,
    )


class _Tally:
    """What is gathered image by image."""

    def __init__(self, names: Sequence[str], truths: bool, count: int, images: bool) -> None:
        self.names = names
        self.shown = ["dark", *names, *(["truth"] if truths else [])]
        self.count = count
        self.images = images
        self.results: dict[str, list[ImageResult]] = {name: [] for name in names}
        self.failures: list[Failure] = []
        self.grid: list[tuple[str, Sequence[NDArray[np.uint8]]]] = []
        self.album = Album(count, len(self.shown))
        self._largest: Shot | None = None
        self.size = ""
        self._score = headline(truths=truths)
        self._pixels = 0
        self._tones = {name: np.zeros(_TONES) for name in self.shown}

    @property
    def tones(self) -> dict[str, list[float]]:
        """Mean fraction of pixels by luma."""
        done = len(self.results[self.names[0]])
        return {name: (sums / done).tolist() for name, sums in self._tones.items()}

    def measure(
        self,
        index: int,
        sample: Sample,
        contenders: Sequence[Contender],
        scale: _Scale,
    ) -> None:
        """Measure one image by all contenders; one that fails is noted and counts for none."""
        try:
            measured, row = _measure(sample, contenders, scale)
        except MissingExtraError:
            raise
        except UndarkError as error:
            self.failures.append(Failure(sample.name, str(error)))
        else:
            self._add(index, sample, measured, row)

    def largest_in(self, samples: Samples) -> Shot:
        """The largest image measured.

        Raises:
            InputError: None could be measured.
        """
        if self._largest is None:
            reason = self.failures[0].reason
            raise InputError(f"{samples.label}: no image could be measured; the first: {reason}")
        return self._largest

    def _add(
        self,
        index: int,
        sample: Sample,
        measured: Sequence[ImageResult],
        row: Sequence[NDArray[np.uint8]],
    ) -> None:
        """One image: its results by contender; and dark, outputs and truth."""
        done = len(self.results[self.names[0]])
        for name, result in zip(self.names, measured, strict=True):
            self.results[name].append(result)
        for name, image in zip(self.shown, row, strict=True):
            self._tones[name] += _tones(image)
        height, width = row[0].shape[:2]
        if height * width > self._pixels:
            self._pixels, self._largest = height * width, sample.dark
            self.size = f"{sample.name}, {width}×{height} pixels"
        if not self.images:
            return
        metric = METRICS[self._score]
        scores = [result.values[self._score] for result in measured]
        sign = 1 if metric.better == "more" else -1
        self.album.add(done, row, [sign * score for score in scores])
        # Spread evenly over the samples; where one failed, the next that did not stands in.
        if len(self.grid) < _GRID_ROWS and index * _GRID_ROWS >= len(self.grid) * self.count:
            texts = [written(self._score, score) for score in scores]
            named = ", ".join(f"{n} {text}" for n, text in zip(self.names, texts, strict=True))
            caption = f"{sample.name}: {metric.heading} {named}"
            self.grid.append((caption, [small(item, _GRID_WIDTH) for item in row]))


def _measure(
    sample: Sample, contenders: Sequence[Contender], scale: _Scale
) -> tuple[list[ImageResult], list[NDArray[np.uint8]]]:
    dark = read_shot(sample.dark)
    truth = None if sample.truth is None else read_shot(sample.truth).pixels
    if truth is not None and dark.pixels.shape != truth.shape:
        raise DataError(
            f"{sample.dark} is {dark.width}×{dark.height} and {sample.truth} is"
            f" {truth.shape[1]}×{truth.shape[0]} pixels; a pair must be of one size"
        )
    results: list[ImageResult] = []
    images = [dark.pixels]
    for item in contenders:
        begin = perf_counter()
        output = item.enhance(dark)
        seconds = perf_counter() - begin
        prepared = scale.protocol.prepare(output.pixels, truth)
        values = measure(prepared, truth, brought=scale.brought, wanted=scale.wanted)
        results.append(ImageResult(sample.name, sample.scene, seconds, values))
        images.append(prepared)
    return results, [*images, *([] if truth is None else [truth])]


def _spread(items: Sequence[Sample], count: int) -> Sequence[Sample]:
    """At most `count` of them, evenly spread from the first on."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _tones(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Fraction of the pixels at each of `_TONES` levels of luma."""
    counts, _ = np.histogram(grey(image), bins=_TONES, range=(0, 1))
    return counts / counts.sum()
