"""Draw the README's picture: the examples before, after, and as they were before darkening.

    python benchmarks/pictures.py

enhances `examples/*.jpg` with the default model and writes `docs/images/before-after.jpg`.
"""

from __future__ import annotations

from pathlib import Path

from skimage import data

from undark import Enhancer, Photo, read_photo, write_photo
from undark.evaluate.grid import picture_grid

ORIGINALS = {"astronaut": data.astronaut, "chelsea": data.chelsea, "coffee": data.coffee}


def main() -> None:
    root = Path(__file__).parents[1]
    enhancer = Enhancer()
    rows = []
    for name, original in ORIGINALS.items():
        dark = read_photo(root / "examples" / f"{name}.jpg")
        rows.append([dark.pixels, enhancer(dark).pixels, original()])
    grid = picture_grid(rows, labels=["dark photo", "undark", "before darkening"], cell_width=400)
    path = root / "docs" / "images" / "before-after.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(grid), path, quality=88)
    print(path.relative_to(root))


if __name__ == "__main__":
    main()
