"""Draw before/after contact sheets of dark photos that have no truth.

    python benchmarks/gallery.py PHOTOS -o docs/images/gallery

enhances every photo of the folder PHOTOS and writes `docs/images/gallery-1.jpg`, `-2.jpg`, ...: two
photos a row, each dark and enhanced, with its name and mean levels beneath.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from undark import Enhancer, Photo, read_photo, write_photo
from undark.evaluate.report.grid import image_grid
from undark.io.walk import plan

ROWS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="without its suffix")
    parser.add_argument("-m", "--model", default="default")
    parser.add_argument("--quality", type=int, default=84)
    options = parser.parse_args()
    enhancer = Enhancer(options.model)
    cells, captions = [], []
    for pair in plan([str(options.photos)], output=Path("unused")):
        dark = read_photo(pair.source)
        light = enhancer(dark)
        cells.append([dark.pixels, light.pixels])
        levels = (round(float(photo.pixels.mean())) for photo in (dark, light))
        captions.append(f"{pair.source.stem}: mean level {' to '.join(map(str, levels))}")
    for number, first in enumerate(range(0, len(cells), 2 * ROWS), start=1):
        page = range(first, min(first + 2 * ROWS, len(cells)), 2)
        rows = [[picture for cell in cells[i : i + 2] for picture in cell] for i in page]
        sheet = image_grid(
            rows,
            labels=["dark photo", "undark", "dark photo", "undark"][: max(map(len, rows))],
            captions=["        ".join(captions[i : i + 2]) for i in page],
            cell_width=300,
        )
        path = options.output.with_name(f"{options.output.name}-{number}.jpg")
        write_photo(Photo(sheet), path, quality=options.quality, overwrite=True)
        print(path)


if __name__ == "__main__":
    main()
