"""Pairs of a camera that no model has learned, made from well-lit photos; for trying fine-tuning.

    python benchmarks/another_camera.py PHOTOS OUT

Writes OUT/low and OUT/high: each photo of PHOTOS as it is, and as this camera would have taken it
in 3 to 5 EV less light. What it does to a photo is not among what `undark.train.data.darken` draws
for training: lines of rows that are lighter or darker, blotches of colour some pixels wide, a
strong tone curve of its own, a cast of green and much sharpening before JPEG. Each photo's noise is
drawn by its place in the sorted list, so that a second run makes the same files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from undark import read_photo, write_photo
from undark.evaluate.samples import images_in
from undark.photo import FloatImage, from_float, to_float
from undark.pixels.colour import linear_to_srgb, srgb_to_linear

_CAST = np.array((0.92, 1.08, 0.86), np.float32)
_SHOT, _READ, _LINES, _BLOTCHES = 1.2e-4, 4e-4, 4e-4, 8e-4
_PEDESTAL = np.array((8e-4, 4e-4, 1.2e-3), np.float32)
_GAMMA, _SHARPEN, _QUALITY = 1.25, 1.2, 82


def take(photo: FloatImage, random: np.random.Generator) -> NDArray[np.uint8]:
    """The H×W×3 `photo`, in [0, 1], as the camera takes it with far less light: 8 bits."""
    rows, columns = photo.shape[:2]
    light = srgb_to_linear(photo) * np.float32(2.0 ** -random.uniform(3.0, 5.0)) * _CAST
    light += np.sqrt(_SHOT * light + _READ**2) * random.standard_normal(light.shape, np.float32)
    light += _LINES * random.standard_normal((rows, 1, 1), np.float32)
    coarse = random.standard_normal((rows // 6 + 1, columns // 6 + 1, 3), np.float32)
    light += _BLOTCHES * cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    encoded = linear_to_srgb(np.clip(light + _PEDESTAL, 0.0, 1.0)) ** np.float32(_GAMMA)
    soft = cv2.GaussianBlur(encoded, (0, 0), 1.0)
    sharp = np.clip(encoded + np.float32(_SHARPEN) * (encoded - soft), 0.0, 1.0)
    levels = from_float(sharp.astype(np.float32), np.dtype(np.uint8))
    _, coded = cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pairs; 0 if all went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args(arguments)
    for half in ("low", "high"):
        (asked.out / half).mkdir(parents=True, exist_ok=True)
    paths = sorted(images_in(asked.photos))
    for place, path in enumerate(paths):
        photo = read_photo(path)
        dark = take(to_float(photo.pixels), np.random.default_rng(place))
        write_photo(type(photo)(dark), asked.out / "low" / f"{path.stem}.png")
        write_photo(photo, asked.out / "high" / f"{path.stem}.png")
    print(f"{len(paths)} pairs in {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
