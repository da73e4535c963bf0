"""The Report: what an evaluation found, shown on the console and written as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from undark.errors import UsageError
from undark.evaluate.metrics import METRICS
from undark.evaluate.report.grid import image_grid
from undark.evaluate.report.page import page
from undark.evaluate.report.results import Findings
from undark.evaluate.report.text import megabytes, probability, ranged, written
from undark.io.names import counted
from undark.photo import Photo

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Report"]

_LISTED = 40


class Report(Findings):
    """What an evaluation found, ready to be shown and written; made of what `Findings` is."""

    def tables(self) -> list[RenderableType]:
        """Tables for a terminal: each image where there are few, the means, the paired tests."""
        from rich.table import Table

        parts: list[RenderableType] = []
        shown = (
            self.measured("psnr", "ssim") if self.has_truth else self.measured("niqe", "brisque")
        )
        if self.images <= _LISTED:
            title = " / ".join(METRICS[name].heading for name in shown)
            each = Table("image", title=f"Each image: {title}")
            for item in self.contenders:
                each.add_column(item.name, justify="right", overflow="fold")
            for rows in zip(*(item.images for item in self.contenders), strict=True):
                scores = [
                    " / ".join(written(name, row.values[name]) for name in shown) for row in rows
                ]
                each.add_row(rows[0].image, *scores)
            parts.append(each)

        scenes = (
            f"{counted(self.images, 'image')} of {counted(self.scenes, 'scene')} of {self.data}"
        )
        compared = [name for name in self.metrics if METRICS[name].needs_truth]
        if compared:
            title = f"Means over {scenes}, protocol {self.protocol}: against the truth"
            parts.append(self._means(title, compared, timed=False))
        alone = [name for name in self.metrics if not METRICS[name].needs_truth]
        title = f"Means over {scenes}: the output alone, and what it took"
        parts.append(self._means(title, alone, timed=True))

        if self.differences:
            first = self.contenders[0].name
            paired = Table("model", title=f"Difference from {first}, image by image")
            more = self.measured("lpips", "dists", "niqe") if self.has_truth else []
            tested = [*shown, *more]
            for name in tested:
                paired.add_column(METRICS[name].heading, justify="right", no_wrap=True)
                paired.add_column("p", justify="right", no_wrap=True)
            for name, found in self.differences.items():
                cells: list[str] = []
                for metric in tested:
                    item = found[metric]
                    cells += [
                        ranged(metric, item.mean, (item.low, item.high)),
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
                ranged(name, item.means[name], item.intervals[name])
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
            UsageError: The report holds no images.
            OutputError: One cannot be written.
        """
        from undark.io.atomic import write_atomically
        from undark.io.photo import encode_photo

        if not self.grid:
            raise UsageError("this report holds no images to write")
        rows = [images for _, images in self.grid]
        labels = ["dark", *(item.name for item in self.contenders)]
        labels += ["truth"] if self.has_truth else []
        sheet = image_grid(rows, labels=labels, captions=[caption for caption, _ in self.grid])
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
