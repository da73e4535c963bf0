"""Do tiles agree with the whole? Differences, in levels of 255, by model and image.

    python benchmarks/tiles.py [--model NAME]

Prints a Markdown table: each image is enhanced once whole and once in the tiles that the card
names, in float, and the two are compared. The seam figure is the mean difference within two pixels
of a tile's edge over the mean difference elsewhere: 1 means that no seam can be told.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from undark import Enhancer
from undark.models.store import Model, resolve

TILE, OVERLAP = 512, 128


def gradient(height: int, width: int) -> NDArray[np.float32]:
    ramp = np.linspace(0.01, 0.12, width, dtype=np.float32)[None, :, None]
    fall = np.linspace(1.0, 0.5, height, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(ramp * fall, (height, width, 3)))


def dark_photo(height: int, width: int) -> NDArray[np.float32]:
    picture = cv2.resize(data.coffee(), (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 0.008, picture.shape)
    return np.clip(picture.astype(np.float32) / 255 * 0.12 + noise, 0, 1).astype(np.float32)


def enhanced(
    model: Model, tile: int, overlap: int, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    scaling = replace(model.card.scaling, tile=tile, overlap=overlap)
    other = replace(model, card=replace(model.card, scaling=scaling))
    return Enhancer(other, runtime="onnxruntime").enhance(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    model = resolve(parser.parse_args().model)
    own = model.card.scaling
    print("| image | tile, overlap | mean | 99.9 % | largest | at seams over elsewhere |")
    print("|---|---|---|---|---|---|")
    for name, image in (("gradient", gradient(1400, 2000)), ("photo", dark_photo(1400, 2000))):
        whole = enhanced(model, 4096, 128, image)
        for tile, overlap in ((own.tile, own.overlap), (TILE, OVERLAP)):
            tiled = enhanced(model, tile, overlap, image)
            difference = np.abs(tiled - whole).max(axis=2) * 255
            edge = np.zeros(difference.shape, bool)
            for start in range(tile - overlap, max(image.shape[:2]), tile - overlap):
                for line in (start, start + overlap):
                    edge[max(0, line - 2) : line + 2] = True
                    edge[:, max(0, line - 2) : line + 2] = True
            ratio = difference[edge].mean() / max(float(difference[~edge].mean()), 1e-9)
            print(
                f"| {name} | {tile}, {overlap} | {difference.mean():.4f}"
                f" | {np.quantile(difference, 0.999):.3f} | {difference.max():.3f} | {ratio:.2f} |"
            )


if __name__ == "__main__":
    main()
