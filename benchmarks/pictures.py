"""Draw the images of README and docs from the examples.

    python benchmarks/pictures.py

writes `docs/images/before-after.jpg`, the examples dark, enhanced by the default model, and as they
were before darkening, and `docs/images/methods.jpg`, each of them by every model of the catalog.
"""

from __future__ import annotations

from pathlib import Path

from skimage import data

from undark import Enhancer, Photo, models, read_photo, write_photo
from undark.evaluate.report.grid import image_grid

ORIGINALS = {"astronaut": data.astronaut, "chelsea": data.chelsea, "coffee": data.coffee}
ROOT = Path(__file__).parents[1]


def draw(name: str, columns: dict[str, Enhancer], *, cell_width: int) -> None:
    """Write `docs/images/NAME`: dark, a column for each enhancer, and the original."""
    rows = []
    for example, original in ORIGINALS.items():
        dark = read_photo(ROOT / "examples" / f"{example}.jpg")
        rows.append([dark.pixels, *(e(dark).pixels for e in columns.values()), original()])
    labels = ["dark photo", *columns, "before darkening"]
    path = ROOT / "docs" / "images" / name
    write_photo(
        Photo(image_grid(rows, labels=labels, cell_width=cell_width)),
        path,
        quality=88,
        overwrite=True,
    )
    print(path.relative_to(ROOT))


def main() -> None:
    draw("before-after.jpg", {"undark": Enhancer()}, cell_width=400)
    draw("methods.jpg", {name: Enhancer(name) for name in models.names()}, cell_width=260)


if __name__ == "__main__":
    main()
