"""A strip of images: a photo after each step that an agent takes on it.

python benchmarks/episode.py PHOTO -m agent -o docs/images/episode.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from undark import Enhancer, read_photo
from undark.evaluate.report.grid import image_grid
from undark.io.photo import write_photo
from undark.photo import Photo
from undark.pixels.places import EVERYWHERE
from undark.pixels.steps import Step, apply_steps

ACROSS = 4


def _named(step: Step) -> str:
    place = "" if step.where == EVERYWHERE else f" in {step.where}"
    return f"{step.operation} {step.amount:+g}{place}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("-m", "--model", default="agent")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()

    photo = read_photo(arguments.photo)
    steps = Enhancer(arguments.model).steps(photo)
    frames = [apply_steps(photo.rgb(), steps[:count]) for count in range(len(steps) + 1)]
    names = ["as it was", *(_named(step) for step in steps)]
    starts = range(0, len(frames), ACROSS)
    strip = image_grid(
        [frames[start : start + ACROSS] for start in starts],
        captions=[" | ".join(names[start : start + ACROSS]) for start in starts],
    )
    write_photo(Photo(strip), arguments.output, quality=88, overwrite=True)
    print("\n".join(str(step) for step in steps))


if __name__ == "__main__":
    main()
