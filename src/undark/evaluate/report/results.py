"""What an evaluation found: numbers by contender and image, their means, and how sure they are."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.machine import hardware, versions
from undark.evaluate.metrics import METRICS, headline
from undark.evaluate.protocol import Protocol, protocol
from undark.evaluate.statistics import CONFIDENCE, FEW, RESAMPLES, Difference, difference, interval

__all__ = ["ContenderResult", "Failure", "Findings", "ImageResult"]


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One contender's result on one image; `seconds` from Photo to Photo, without files."""

    image: str
    scene: str
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class ContenderResult:
    """All that one model or baseline scored.

    Attributes:
        name: Catalog name, path, or name of the baseline.
        sha256: Digest of the weights, or None for a baseline.
        runtime: What ran it ("unet by openvino 2026.4 on cpu"), or None for a baseline.
        images: One result per image, in the order of the samples; at least one.
        peak_memory: Bytes, of a process that reads and enhances the largest image; None where
            it was not measured.
    """

    name: str
    sha256: str | None
    runtime: str | None
    images: tuple[ImageResult, ...]
    peak_memory: int | None = None

    def values(self, metric: str) -> list[float]:
        """The metric on each image; NaN where it is not defined."""
        return [image.values[metric] for image in self.images]

    @property
    def scenes(self) -> list[str]:
        """The scene of each image."""
        return [image.scene for image in self.images]

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean of every metric over the images on which it is defined; NaN if on none."""
        return {name: _mean(self.values(name)) for name in self.images[0].values}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The bootstrap interval of each mean; NaN where there is none."""
        return {name: interval(self.values(name), self.scenes) for name in self.means}

    @property
    def seconds(self) -> float:
        """Median seconds per photo: the first run of a session is slower, and not typical."""
        return float(np.median([image.seconds for image in self.images]))

    def against(self, other: ContenderResult) -> dict[str, Difference]:
        """By metric, how this one differs from another on the same images."""
        return {
            name: difference(self.values(name), other.values(name), self.scenes)
            for name in self.means
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be measured; it counts for no contender."""

    image: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """What an evaluation found, as numbers and small images.

    Attributes:
        data: The images' folder, as it was given, or what else they are called.
        protocol: Name of the protocol.
        contenders: In the order asked for, each measured on the same images.
        failures: Images left out, with the reason.
        unmatched: Files without a partner.
        notes: What else a reader must know.
        memory_on: The image that peak memory was measured on, or None where it was not.
        tones: Mean fraction of pixels at each of 64 levels of luma, for "dark", each contender and,
            where there are truths, "truth".
        grid: Rows of dark, outputs, truth for the grid, with a caption each.
        album: Rows of the same as JPEG, by their place among the measured images.
    """

    data: str
    protocol: str
    contenders: tuple[ContenderResult, ...]
    failures: tuple[Failure, ...] = ()
    unmatched: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    memory_on: str | None = None
    tones: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    grid: tuple[tuple[str, Sequence[NDArray[Any]]], ...] = field(default=(), repr=False)
    album: Mapping[int, Sequence[bytes]] = field(
        default_factory=dict[int, Sequence[bytes]], repr=False
    )

    @property
    def images(self) -> int:
        """How many images every contender was measured on."""
        return len(self.contenders[0].images)

    @property
    def scenes(self) -> int:
        """How many scenes they show."""
        return len(set(self.contenders[0].scenes))

    @property
    def metrics(self) -> list[str]:
        """The metrics measured, in the order of reports."""
        found = self.contenders[0].images[0].values
        return [name for name in METRICS if name in found]

    def measured(self, *names: str) -> list[str]:
        """Those of the named metrics that were measured."""
        return [name for name in names if name in self.metrics]

    @property
    def has_truth(self) -> bool:
        """Whether there were truths to compare with."""
        return headline(truths=True) in self.metrics

    @property
    def headline(self) -> str:
        """The metric that images are ordered by; it is always measured."""
        return headline(truths=self.has_truth)

    @property
    def chosen(self) -> Protocol:
        """The protocol."""
        return protocol(self.protocol)

    @property
    def formula(self) -> str:
        """The protocol by name with its exact formula, in a line."""
        return f"Protocol {self.chosen.name}: {self.chosen.formula}"

    @property
    def certainty(self) -> str:
        """In a line, what the intervals are and how far to trust them."""
        text = (
            f"Intervals hold {CONFIDENCE:.0%} of the means of {RESAMPLES} bootstrap drawings of the"
            f" {self.scenes} scenes; p is Wilcoxon's signed-rank test, two-sided, over scenes, not"
            " corrected for the number of comparisons."
        )
        if self.scenes < FEW:
            text += (
                f" {self.scenes} {'scene is' if self.scenes == 1 else 'scenes are'} few: the"
                " intervals are rough, and small differences mean nothing."
            )
        return text

    @cached_property
    def differences(self) -> dict[str, dict[str, Difference]]:
        """Each contender but the first against the first, by name and metric."""
        first, *others = self.contenders
        return {item.name: item.against(first) for item in others}

    def as_dict(self) -> dict[str, Any]:
        """Everything but the images as JSON can hold it; what is infinite or NaN becomes None."""
        return _finite(
            {
                "data": self.data,
                "protocol": {
                    "name": self.chosen.name,
                    "formula": self.chosen.formula,
                    "uses_truth": self.chosen.uses_truth,
                },
                "metrics": {
                    name: {
                        "meaning": METRICS[name].meaning,
                        "better": METRICS[name].better,
                        "needs_truth": METRICS[name].needs_truth,
                    }
                    for name in self.metrics
                },
                "pictures": self.images,
                "scenes": self.scenes,
                "certainty": self.certainty,
                "contenders": [self._contender(item) for item in self.contenders],
                "memory_on": self.memory_on,
                "tones": self.tones,
                "failures": [
                    {"picture": failure.image, "reason": failure.reason}
                    for failure in self.failures
                ],
                "unmatched": list(self.unmatched),
                "notes": list(self.notes),
                "versions": versions(),
                "hardware": hardware(),
            }
        )

    def _contender(self, item: ContenderResult) -> dict[str, Any]:
        differences = self.differences.get(item.name, {})
        return {
            "name": item.name,
            "sha256": item.sha256,
            "runtime": item.runtime,
            "means": item.means,
            "intervals": item.intervals,
            "against_first": {name: asdict(found) for name, found in differences.items()},
            "median_seconds": item.seconds,
            "peak_memory": item.peak_memory,
            "pictures": [
                {
                    "picture": result.image,
                    "scene": result.scene,
                    "seconds": result.seconds,
                    "values": result.values,
                }
                for result in item.images
            ],
        }

    def as_csv(self) -> str:
        """One line per contender and image."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", "picture", "scene", *self.metrics, "seconds"])
        for item in self.contenders:
            for result in item.images:
                values = [f"{result.values[name]:.6g}" for name in self.metrics]
                writer.writerow(
                    [item.name, result.image, result.scene, *values, f"{result.seconds:.4f}"]
                )
        return text.getvalue()


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _finite(value: Any) -> Any:
    """The same structure with None for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {key: _finite(item) for key, item in entries.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
