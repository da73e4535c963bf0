"""Draw the images of README and docs from the examples.

    python benchmarks/pictures.py

writes `docs/images/before-after.jpg`, examples dark and enhanced by the default model, and
`docs/images/methods.jpg`, those that were darkened by every model of the catalog and as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from skimage import data

from undark import Enhancer, Photo, models, read_photo, write_photo
from undark.evaluate.report.grid import image_grid

ORIGINALS = {"astronaut": data.astronaut, "chelsea": data.chelsea, "coffee": data.coffee}
ROOT = Path(__file__).parents[1]


PAIRED = (("chelsea", "window"), ("coffee", "square"))
"""Examples that stand beside each other in the first image."""


def dark(example: str) -> Photo:
    return read_photo(ROOT / "examples" / f"{example}.jpg")


def write(name: str, rows: list[list[NDArray[Any]]], labels: list[str], cell_width: int) -> None:
    """Write `docs/images/NAME`."""
    path = ROOT / "docs" / "images" / name
    sheet = image_grid(rows, labels=labels, cell_width=cell_width)
    write_photo(Photo(sheet), path, quality=88, overwrite=True)
    print(path.relative_to(ROOT))


def main() -> None:
    enhancer = Enhancer()
    rows = [
        [photo.pixels for name in pair for photo in (dark(name), enhancer(dark(name)))]
        for pair in PAIRED
    ]
    write("before-after.jpg", rows, ["dark photo", "undark"] * 2, 400)
    columns = {name: Enhancer(name) for name in models.names()}
    rows = [
        [dark(name).pixels, *(e(dark(name)).pixels for e in columns.values()), original()]
        for name, original in ORIGINALS.items()
    ]
    write("methods.jpg", rows, ["dark photo", *columns, "before darkening"], 260)


if __name__ == "__main__":
    main()
