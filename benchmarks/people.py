"""Draw people in the dark: well-lit photos as a dark room and as backlight leave them, enhanced.

    python benchmarks/people.py PHOTOS -o docs/images/people.jpg

For each photo of the folder PHOTOS a row: in a dark room (4.5 EV less light, with noise), that
enhanced; dark before what is bright behind it (2.6 EV less along the photo's edges), that enhanced;
and the photo itself. The noise is drawn by the photo's place in the sorted list.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark import Enhancer, Photo, read_photo, write_photo
from undark.evaluate.report.grid import image_grid
from undark.evaluate.samples import images_in
from undark.photo import from_float, to_float
from undark.pixels.colour import linear_to_srgb, luma, srgb_to_linear
from undark.pixels.guided import guided_coefficients

SIDE = 720
ROOM, BACKLIT = 4.5, 2.6
SHOT, READ = 1.5e-4, 4e-4


def shrunk(photo: Photo) -> NDArray[np.float32]:
    """Its pixels in [0, 1], the longest side `SIDE` at most."""
    scale = min(1.0, SIDE / max(photo.height, photo.width))
    size = (round(photo.width * scale), round(photo.height * scale))
    small = cv2.resize(to_float(photo.pixels), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def in_less_light(
    image: NDArray[np.float32], stops: NDArray[np.float32], random: np.random.Generator
) -> NDArray[Any]:
    """The image with so many EV less at each pixel, H×W, as a camera records it: 8 bits."""
    light = srgb_to_linear(image) * np.exp2(-stops)[..., None]
    light += np.sqrt(SHOT * light + READ**2) * random.standard_normal(light.shape, np.float32)
    return from_float(linear_to_srgb(np.clip(light, 0.0, 1.0)), np.dtype(np.uint8))


def behind_is_light(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """EV to take away where the image is not among its brightest third, along its edges."""
    grey = np.ascontiguousarray(luma(image))
    slope, offset = guided_coefficients(grey, grey, radius=16, epsilon=0.01)
    smooth = slope * grey + offset
    border = float(np.quantile(smooth, 0.66))
    dark = 1.0 / (1.0 + np.exp(np.clip((smooth - border) / 0.05, -20.0, 20.0)))
    return np.float32(BACKLIT) * cv2.GaussianBlur(dark.astype(np.float32), (0, 0), 1.5)


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("-m", "--model", default="default")
    options = parser.parse_args()
    enhancer = Enhancer(options.model)
    rows: list[list[NDArray[Any]]] = []
    for place, path in enumerate(sorted(images_in(options.photos))):
        image, random = shrunk(read_photo(path)), np.random.default_rng(place)
        room = in_less_light(image, np.full(image.shape[:2], ROOM, np.float32), random)
        against = in_less_light(image, behind_is_light(image), random)
        truth = from_float(image, np.dtype(np.uint8))
        rows.append([room, enhancer(room), against, enhancer(against), truth])
    labels = ["dark room", "undark", "backlit", "undark", "the photo"]
    sheet = image_grid(rows, labels=labels, cell_width=260)
    write_photo(Photo(sheet), options.output, quality=84, overwrite=True)
    print(options.output)


if __name__ == "__main__":
    main()
