"""The Report: what an evaluation found, as numbers, files and pictures."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.grid import picture_grid
from undark.evaluate.machine import hardware, versions
from undark.evaluate.measure import METRICS
from undark.evaluate.protocol import Protocol, protocol
from undark.evaluate.statistics import CONFIDENCE, FEW, RESAMPLES, Difference, difference, interval

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "NOTHING",
    "ContenderResult",
    "Failure",
    "PictureResult",
    "Report",
    "megabytes",
    "probability",
    "written",
]

NOTHING = "–"
"""What stands for a number that is not defined."""

_LISTED = 40


@dataclass(frozen=True, slots=True)
class PictureResult:
    """One contender's result on one picture; `seconds` from Photo to Photo, without files."""

    picture: str
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
        pictures: One result per picture, in the order of the samples; at least one.
        peak_memory: Bytes, of a process that reads and enhances the largest picture; None where
            it was not measured.
    """

    name: str
    sha256: str | None
    runtime: str | None
    pictures: tuple[PictureResult, ...]
    peak_memory: int | None = None

    def values(self, metric: str) -> list[float]:
        """The metric on each picture; NaN where it is not defined."""
        return [picture.values[metric] for picture in self.pictures]

    @property
    def scenes(self) -> list[str]:
        """The scene of each picture."""
        return [picture.scene for picture in self.pictures]

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean of every metric over the pictures on which it is defined; NaN if on none."""
        return {name: _mean(self.values(name)) for name in self.pictures[0].values}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The bootstrap interval of each mean; NaN where there is none."""
        return {name: interval(self.values(name), self.scenes) for name in self.means}

    @property
    def seconds(self) -> float:
        """Median seconds per photo: the first run of a session is slower, and not typical."""
        return float(np.median([picture.seconds for picture in self.pictures]))

    def against(self, other: ContenderResult) -> dict[str, Difference]:
        """By metric, how this one differs from another on the same pictures."""
        return {
            name: difference(self.values(name), other.values(name), self.scenes)
            for name in self.means
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be measured; it counts for no contender."""

    picture: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        data: The pictures' folder, as it was given, or what else they are called.
        protocol: Name of the protocol.
        contenders: In the order asked for, each measured on the same pictures.
        failures: Pictures left out, with the reason.
        unmatched: Files without a partner.
        notes: What a reader must know besides.
        memory_on: The picture that peak memory was measured on, or None where it was not.
        tones: Mean share of pixels at each of 64 levels of luma, for "dark", each contender and,
            where there are truths, "truth".
        grid: Rows of dark, outputs, truth for the grid, with a caption each.
        album: Rows of the same as JPEG, by their place among the measured pictures.
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
    def pictures(self) -> int:
        """How many pictures every contender was measured on."""
        return len(self.contenders[0].pictures)

    @property
    def scenes(self) -> int:
        """How many scenes they show."""
        return len(set(self.contenders[0].scenes))

    @property
    def metrics(self) -> list[str]:
        """The metrics measured, in the order of reports."""
        found = self.contenders[0].pictures[0].values
        return [name for name in METRICS if name in found]

    @property
    def has_truth(self) -> bool:
        """Whether there were truths to compare with."""
        return "psnr" in self.metrics

    @property
    def headline(self) -> str:
        """The metric that pictures are ordered by."""
        return "psnr" if self.has_truth else "niqe"

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
        """Everything but the pictures as JSON can hold it; what is infinite or NaN becomes None."""
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
                "pictures": self.pictures,
                "scenes": self.scenes,
                "certainty": self.certainty,
                "contenders": [
                    {
                        "name": item.name,
                        "sha256": item.sha256,
                        "runtime": item.runtime,
                        "means": item.means,
                        "intervals": item.intervals,
                        "against_first": {
                            name: asdict(found)
                            for name, found in self.differences.get(item.name, {}).items()
                        },
                        "median_seconds": item.seconds,
                        "peak_memory": item.peak_memory,
                        "pictures": [asdict(picture) for picture in item.pictures],
                    }
                    for item in self.contenders
                ],
                "memory_on": self.memory_on,
                "tones": self.tones,
                "failures": [asdict(failure) for failure in self.failures],
                "unmatched": list(self.unmatched),
                "notes": list(self.notes),
                "versions": versions(),
                "hardware": hardware(),
            }
        )

    def as_csv(self) -> str:
        """One line per contender and picture."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", "picture", "scene", *self.metrics, "seconds"])
        for item in self.contenders:
            for picture in item.pictures:
                values = [f"{picture.values[name]:.6g}" for name in self.metrics]
                writer.writerow(
                    [item.name, picture.picture, picture.scene, *values, f"{picture.seconds:.4f}"]
                )
        return text.getvalue()

    def tables(self) -> list[RenderableType]:
        """Tables for a terminal: each picture where there are few, the means, the paired tests."""
        from rich.table import Table

        parts: list[RenderableType] = []
        shown = ["psnr", "ssim"] if self.has_truth else ["niqe", "brisque"]
        if self.pictures <= _LISTED:
            title = " / ".join(METRICS[name].heading for name in shown)
            each = Table("picture", title=f"Each picture: {title}")
            for item in self.contenders:
                each.add_column(item.name, justify="right", overflow="fold")
            for rows in zip(*(item.pictures for item in self.contenders), strict=True):
                scores = [
                    " / ".join(written(name, row.values[name]) for name in shown) for row in rows
                ]
                each.add_row(rows[0].picture, *scores)
            parts.append(each)

        scenes = f"{self.pictures} pictures of {self.scenes} scenes of {self.data}"
        compared = [name for name in self.metrics if METRICS[name].needs_truth]
        if compared:
            title = f"Means over {scenes}, protocol {self.protocol}: against the truth"
            parts.append(self._means(title, compared, timed=False))
        alone = [name for name in self.metrics if not METRICS[name].needs_truth]
        title = f"Means over {scenes}: the output alone, and what it took"
        parts.append(self._means(title, alone, timed=True))

        if self.differences:
            first = self.contenders[0].name
            paired = Table("model", title=f"Difference from {first}, picture by picture")
            tested = [*shown, "niqe"] if self.has_truth else shown
            for name in tested:
                paired.add_column(METRICS[name].heading, justify="right", no_wrap=True)
                paired.add_column("p", justify="right", no_wrap=True)
            for name, found in self.differences.items():
                cells: list[str] = []
                for metric in tested:
                    item = found[metric]
                    cells += [
                        _ranged(metric, item.mean, (item.low, item.high)),
                        probability(item.p),
                    ]
                paired.add_row(name, *cells)
            parts.append(paired)
        return parts

    def _means(self, title: str, metrics: Sequence[str], *, timed: bool) -> RenderableType:
        from rich.table import Table

        table = Table("model", title=title)
        for name in metrics:
            table.add_column(METRICS[name].heading, justify="right", no_wrap=True)
        if timed:
            table.add_column("s/photo", justify="right", no_wrap=True)
            table.add_column("peak MB", justify="right", no_wrap=True)
        for item in self.contenders:
            cells = [
                _ranged(name, item.means[name], item.intervals[name])
                if name == self.headline
                else written(name, item.means[name])
                for name in metrics
            ]
            if timed:
                cells += [f"{item.seconds:.3f}", megabytes(item.peak_memory)]
            table.add_row(item.name, *cells)
        return table

    def write(self, folder: Path) -> list[Path]:
        """Write report.html, report.json, pictures.csv and grid.png into `folder`.

        Returns:
            The files written; the folder is made if need be.

        Raises:
            UsageError: The report holds no pictures.
            OutputError: One cannot be written.
        """
        from undark.evaluate.page import page
        from undark.io.atomic import write_atomically
        from undark.io.photo import encode_photo
        from undark.photo import Photo

        if not self.grid:
            raise UsageError("this report holds no pictures to write")
        rows = [pictures for _, pictures in self.grid]
        labels = ["dark", *(item.name for item in self.contenders)]
        labels += ["truth"] if self.has_truth else []
        sheet = picture_grid(rows, labels=labels, captions=[caption for caption, _ in self.grid])
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        contents = {
            folder / "report.html": page(self).encode(),
            folder / "report.json": text.encode(),
            folder / "pictures.csv": self.as_csv().encode(),
            folder / "grid.png": encode_photo(Photo(sheet), format="PNG"),
        }
        for path, content in contents.items():
            write_atomically(path, content)
        return list(contents)


def written(metric: str, value: float) -> str:
    """A value of `metric` as reports write it."""
    return NOTHING if math.isnan(value) else METRICS[metric].form.format(value)


def megabytes(count: int | None) -> str:
    """Bytes as megabytes (10^6), or what stands for nothing."""
    return NOTHING if count is None else f"{count / 1e6:.0f}"


def _ranged(metric: str, value: float, ends: tuple[float, float]) -> str:
    if math.isnan(ends[0]):
        return written(metric, value)
    low, high = (written(metric, end) for end in ends)
    return f"{written(metric, value)} [{low}, {high}]"


def probability(value: float) -> str:
    """A p value as reports write it."""
    if math.isnan(value):
        return NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _finite(value: Any) -> Any:
    """The same structure with None for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
