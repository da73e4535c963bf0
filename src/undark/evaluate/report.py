"""The Report: what an evaluation found, as numbers, files and pictures."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.grid import picture_grid
from undark.evaluate.metrics import METRICS
from undark.evaluate.protocol import protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "ContenderResult",
    "Failure",
    "PictureResult",
    "Report",
    "hardware",
    "picture_grid",
    "versions",
]

_LISTED = 40
_HEADINGS = {
    "psnr": ("PSNR dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "mae": ("MAE", "{:.4f}"),
    "delta_e2000": ("ΔE2000", "{:.2f}"),
    "blown_share": ("blown", "{:.2%}"),
    "crushed_share": ("crushed", "{:.2%}"),
    "mean_level": ("mean", "{:.3f}"),
}


@dataclass(frozen=True, slots=True)
class PictureResult:
    """One contender's result on one picture; `seconds` from Photo to Photo, without files."""

    picture: str
    scene: str
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ContenderResult:
    """All that one model or baseline scored.

    Attributes:
        name: Catalog name, path, or name of the baseline.
        sha256: Digest of the weights, or None for a baseline.
        runtime: What ran it ("unet by openvino 2026.4 on cpu"), or None for a baseline.
        pictures: One result per picture, in the order of the pairs; at least one.
    """

    name: str
    sha256: str | None
    runtime: str | None
    pictures: tuple[PictureResult, ...]

    @property
    def means(self) -> dict[str, float]:
        """The mean of every metric over the pictures."""
        return {
            name: float(np.mean([picture.values[name] for picture in self.pictures]))
            for name in METRICS
        }

    @property
    def seconds(self) -> float:
        """Median seconds per photo: the first run of a session is slower, and not typical."""
        return float(np.median([picture.seconds for picture in self.pictures]))


@dataclass(frozen=True, slots=True)
class Failure:
    """A pair that could not be measured; it counts for no contender."""

    picture: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    Attributes:
        data: The folder of pairs, as it was given.
        protocol: Name of the protocol.
        contenders: In the order asked for, each measured on the same pictures.
        failures: Pairs left out, with the reason.
        unmatched: Files without a partner.
        grid: Rows of dark, outputs, truth for :meth:`write`, with a caption each.
    """

    data: str
    protocol: str
    contenders: tuple[ContenderResult, ...]
    failures: tuple[Failure, ...] = ()
    unmatched: tuple[str, ...] = ()
    grid: tuple[tuple[str, Sequence[NDArray[Any]]], ...] = field(default=(), repr=False)

    @property
    def pictures(self) -> int:
        """How many pictures every contender was measured on."""
        return len(self.contenders[0].pictures)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can hold it; an infinite PSNR becomes None."""
        chosen = protocol(self.protocol)
        return _finite(
            {
                "data": self.data,
                "protocol": {
                    "name": chosen.name,
                    "formula": chosen.formula,
                    "uses_truth": chosen.uses_truth,
                },
                "metrics": METRICS,
                "pictures": self.pictures,
                "contenders": [
                    {
                        "name": item.name,
                        "sha256": item.sha256,
                        "runtime": item.runtime,
                        "means": item.means,
                        "median_seconds": item.seconds,
                        "pictures": [asdict(picture) for picture in item.pictures],
                    }
                    for item in self.contenders
                ],
                "failures": [asdict(failure) for failure in self.failures],
                "unmatched": list(self.unmatched),
                "versions": versions(),
                "hardware": hardware(),
            }
        )

    def as_csv(self) -> str:
        """One line per contender and picture."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", "picture", "scene", *METRICS, "seconds"])
        for item in self.contenders:
            for picture in item.pictures:
                values = [f"{picture.values[name]:.6g}" for name in METRICS]
                writer.writerow(
                    [item.name, picture.picture, picture.scene, *values, f"{picture.seconds:.4f}"]
                )
        return text.getvalue()

    def tables(self) -> list[RenderableType]:
        """Tables for a terminal: each picture where there are few, then the means."""
        from rich.table import Table

        parts: list[RenderableType] = []
        if self.pictures <= _LISTED:
            each = Table("picture", title="Each picture: PSNR dB / SSIM")
            for item in self.contenders:
                each.add_column(item.name, justify="right", overflow="fold")
            for rows in zip(*(item.pictures for item in self.contenders), strict=True):
                scores = [f"{row.values['psnr']:.2f} / {row.values['ssim']:.4f}" for row in rows]
                each.add_row(rows[0].picture, *scores)
            parts.append(each)
        overall = Table(
            "model",
            title=f"Means over {self.pictures} pictures of {self.data}, protocol {self.protocol}",
        )
        for heading, _ in _HEADINGS.values():
            overall.add_column(heading, justify="right", no_wrap=True)
        overall.add_column("s/photo", justify="right", no_wrap=True)
        for item in self.contenders:
            means = item.means
            cells = [form.format(means[name]) for name, (_, form) in _HEADINGS.items()]
            overall.add_row(item.name, *cells, f"{item.seconds:.3f}")
        parts.append(overall)
        return parts

    def write(self, folder: Path) -> list[Path]:
        """Write report.json, pictures.csv and grid.jpg into `folder`, making it if need be.

        Returns:
            The files written.

        Raises:
            OutputError: One cannot be written.
        """
        from undark.io.atomic import write_atomically
        from undark.io.images import encode_photo
        from undark.photo import Photo

        if not self.grid:
            raise UsageError("this report holds no pictures to write")
        rows = [pictures for _, pictures in self.grid]
        labels = ["dark", *(item.name for item in self.contenders), "truth"]
        sheet = picture_grid(rows, labels=labels, captions=[caption for caption, _ in self.grid])
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        contents = {
            folder / "report.json": text.encode(),
            folder / "pictures.csv": self.as_csv().encode(),
            folder / "grid.jpg": encode_photo(Photo(sheet), format="JPEG", quality=92),
        }
        for path, content in contents.items():
            write_atomically(path, content)
        return list(contents)


def _finite(value: Any) -> Any:
    """The same structure with None for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def versions() -> dict[str, str]:
    """Versions of undark and of what its results depend on, of those that are installed."""
    found = {"python": platform.python_version()}
    names = ("undark", "numpy", "onnxruntime", "openvino", "opencv-python-headless", "pillow")
    for name in (*names, "scikit-image"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str | int]:
    """The processor, how many of its threads this process may use, and the system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "threads": usable or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    # Linux tells the model's name here only; elsewhere the platform module knows it.
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
