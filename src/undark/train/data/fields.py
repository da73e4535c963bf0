"""Darkness that differs from place to place: a lamp's pool, a bright window, a dark foreground.

Fields of EV over a well-lit photo, smooth or following its edges. Where all that is dark by nature
is lit again, a night becomes a day; so what lies outside a lamp's pool stays darker in the truth
too.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, to_float
from undark.pixels.colour import linear_to_srgb, luma, srgb_to_linear
from undark.pixels.guided import guided_coefficients
from undark.train.data.darken import record
from undark.train.data.hdr import camera_at

__all__ = ["darken_locally"]

_LIFTED = 2.3  # EV by which the surroundings of a pool of light are lifted at most
_GLOBAL = (0.0, 2.0)


def darken_locally(
    photo: NDArray[np.uint8], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A well-lit H×W×3 photo, dark in places, and its truth: 8-bit each."""
    light = srgb_to_linear(to_float(photo))
    kind = random.integers(6)
    kept = None
    if kind <= 2:
        field = _pool(light.shape[:2], random)
        kept = np.maximum(field - _LIFTED, 0.0)
    elif kind == 3:
        field = _slope(light.shape[:2], random)
    else:
        field = _contour(to_float(photo), random)
    truth = photo
    if kept is not None:
        dim = light * np.exp2(-kept)[..., None]
        truth = np.rint(255 * linear_to_srgb(np.minimum(dim, 1.0))).astype(np.uint8)
    dark = light * np.exp2(-field)[..., None]
    return record(dark, camera_at(float(random.uniform(*_GLOBAL)), random), random), truth


def _axes(size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return y / size[0], x / size[1]


def _pool(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Lit around a point, dark around that."""
    y, x = _axes(size)
    wide, high = random.uniform(0.12, 0.4, 2)
    far = ((x - random.uniform(0.2, 0.8)) / wide) ** 2 + (
        (y - random.uniform(0.2, 0.8)) / high
    ) ** 2
    depth = random.uniform(2.0, 6.0)
    return (depth * far / (far + 1.0)).astype(np.float32)


def _slope(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Dark on one side, softly or along a line."""
    y, x = _axes(size)
    angle = random.uniform(0.0, 2.0 * np.pi)
    along = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + random.uniform(-0.25, 0.25)
    steep = 2.0 ** random.uniform(1.5, 5.5)
    return (random.uniform(1.5, 3.5) / (1.0 + np.exp(-steep * along))).astype(np.float32)


def _contour(image: FloatImage, random: np.random.Generator) -> NDArray[np.float32]:
    """Dark where the photo is less bright, along its edges: as before a window or a bright sky."""
    grey = np.ascontiguousarray(luma(image))
    slope, offset = guided_coefficients(
        grey, grey, radius=max(4, grey.shape[1] // 40), epsilon=0.01
    )
    smooth = slope * grey + offset
    border = float(np.quantile(smooth, random.uniform(0.4, 0.85)))
    soft = float(random.uniform(0.02, 0.08))
    dark = 1.0 / (1.0 + np.exp(np.clip((smooth - border) / soft, -20.0, 20.0)))
    dark = cv2.GaussianBlur(dark.astype(np.float32), (0, 0), 1.5)
    return (random.uniform(1.5, 3.8) * dark).astype(np.float32)
