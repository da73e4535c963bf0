"""Make the dark example photos from freely licensed images in scikit-image's data.

    python examples/make.py [HDR]

needs the [train] extra. The images are darkened by the physical model of
`undark.train.data.darken`, with the darkness of each written down here. With HDR, a folder of
high-dynamic-range images as `undark.train.data.hdr` reads it, two scenes are photographed as a
camera exposes for what is bright in them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from undark.photo import from_float, to_float
from undark.pixels.colour import luma
from undark.train.data.darken import Darkness, darken, record
from undark.train.data.hdr import load_hdr

PICTURES = {
    "astronaut": (
        data.astronaut,
        Darkness(
            ev=4.2,
            white_balance=(1.06, 1.0, 0.92),
            shot=3e-4,
            read=(5e-4, 4e-4, 6e-4),
            correlation=0.6,
            pedestal=(2e-4, 1e-4, 3e-4),
        ),
    ),
    "chelsea": (
        data.chelsea,
        Darkness(
            ev=3.4,
            white_balance=(1.0, 1.0, 0.95),
            shot=6e-4,
            read=(6e-4, 5e-4, 8e-4),
            correlation=0.5,
        ),
    ),
    "coffee": (
        data.coffee,
        Darkness(
            ev=5.0,
            white_balance=(1.0, 1.0, 1.05),
            shot=2e-4,
            read=(3e-4, 3e-4, 4e-4),
            correlation=0.6,
            pedestal=(1e-4, 1e-4, 2e-4),
        ),
    ),
}

SCENES = {
    # Name of the image, its columns, the percentile of its light that is exposed to 0.35.
    "window": ("peppermint_powerplant", slice(290, 830), 97.0),
    "square": ("st_peters_square_night", slice(350, 890), 98.5),
}
CAMERA = Darkness(
    ev=0.0, shot=2e-4, read=(4e-4, 3e-4, 5e-4), correlation=0.5, pedestal=(1e-4, 1e-4, 1e-4)
)


def photograph(hdr: Path, folder: Path) -> None:
    images = {image.name: image.light for image in load_hdr(hdr)}
    for number, (name, (image, columns, percentile)) in enumerate(SCENES.items()):
        light = images[image][:, columns].astype(np.float32)
        light *= np.float32(0.35 / np.percentile(luma(light), percentile))
        shot = record(light, CAMERA, np.random.default_rng(10 + number))
        Image.fromarray(shot).save(folder / f"{name}.jpg", quality=95, subsampling=0)
        print(f"{name}.jpg")


def main() -> None:
    folder = Path(__file__).parent
    if len(sys.argv) > 1:
        photograph(Path(sys.argv[1]), folder)
    for number, (name, (load, darkness)) in enumerate(PICTURES.items()):
        random = np.random.default_rng(number)
        dark = darken(to_float(load()), darkness, random)
        path = folder / f"{name}.jpg"
        Image.fromarray(from_float(dark, np.dtype(np.uint8))).save(path, quality=95, subsampling=0)
        print(path.name)


if __name__ == "__main__":
    main()
