"""Photos of real high-dynamic-range images: any exposure, noise, and a truth with its light.

An image is stored as two files and a line of ``maps.csv``: ``NAME.jpg`` is log2 of each channel
over a blurred base in [-5, 5], ``NAME.png`` that base (16 bit, small), from ``low`` to ``high`` in
log2.

The truth is a fusion of exposures (Mertens, Kautz and Van Reeth, "Exposure Fusion", Pacific
Graphics 2007) around the one at which what is lit is right: lit subjects keep their texture, the
rest is lifted by some two stops, a black sky stays black. A night is no day.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError
from undark.photo import FloatImage
from undark.pixels.colour import linear_to_srgb, luma
from undark.train.data.darken import Darkness, draw_darkness, record

__all__ = ["HdrImage", "fuse", "load_hdr", "photograph"]

_LIT, _RIGHT = 92.0, 0.35
"""The percentile of the light that counts as lit, and the linear level at which that is right."""
_TRUTH_STOPS = (-1.5, 0.0, 1.15, 2.3)
_SIDES = (0.55, 1.0)
_SHAPES = (0.75, 1.9)
_LEAST_SIDE = 200
_RIGHT_ALREADY = 0.25
_DARKER = (0.5, 4.5)


@dataclass(frozen=True, slots=True)
class HdrImage:
    """One image in linear light, H×W×3 float16 up to a scale of its own."""

    name: str
    light: NDArray[np.float16]


def load_hdr(folder: Path) -> list[HdrImage]:
    """The images that ``maps.csv`` in `folder` names, by name.

    Raises:
        DataError: The table or a file that it names is missing or cannot be read.
    """
    table = folder / "maps.csv"
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
        return [
            HdrImage(
                row["name"], _decode(folder / row["name"], float(row["low"]), float(row["high"]))
            )
            for row in sorted(rows, key=lambda row: row["name"])
        ]
    except OSError as error:
        raise DataError(f"{table}: cannot be read: {error.strerror}") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{table}: not a table of HDR images: {error}") from error


def _decode(stem: Path, low: float, high: float) -> NDArray[np.float16]:
    detail = cv2.imread(str(stem.with_name(stem.name + ".jpg")), cv2.IMREAD_COLOR)
    base = cv2.imread(str(stem.with_name(stem.name + ".png")), cv2.IMREAD_UNCHANGED)
    if detail is None or base is None:
        raise DataError(f"{stem}: its .jpg or its .png cannot be read")
    size = (detail.shape[1], detail.shape[0])
    wide = cv2.resize(base.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    wide = wide.reshape(*detail.shape[:2], -1)[..., :3][..., ::-1]
    exponent = low + (high - low) * wide / 65535.0 + detail[..., ::-1] / np.float32(25.5) - 5.0
    light = np.exp2(exponent)
    return (light / light.max() * 1024.0).astype(np.float16)


def fuse(light: FloatImage, stops: Sequence[float] = _TRUTH_STOPS) -> NDArray[np.uint8]:
    """Exposures of linear H×W×3 `light` by `stops` EV, fused (Mertens et al. 2007), 8 bits."""
    shots = [
        np.rint(255 * linear_to_srgb(np.minimum(light * np.float32(2.0**ev), 1.0))).astype(np.uint8)
        for ev in stops
    ]
    fused = cv2.createMergeMertens().process(shots)
    return np.rint(255 * np.clip(fused, 0.0, 1.0)).astype(np.uint8)


def photograph(
    image: HdrImage, random: np.random.Generator, *, under: float | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A dark photo of a part of `image`, and its truth: H×W×3 8-bit each.

    Args:
        image: What is photographed.
        random: Of the part, the exposure and the camera.
        under: How far under the exposure at which what is lit is right, in EV; the part is then
            the middle. By default both are drawn.
    """
    light = _part(image.light, random if under is None else None).astype(np.float32)
    lit = float(np.percentile(luma(light), _LIT))
    light *= np.float32(_RIGHT / max(lit, 1e-6))
    truth = fuse(light)
    if under is None:
        under = 0.0 if random.random() < _RIGHT_ALREADY else float(random.uniform(*_DARKER))
    darkness = camera_at(under, random)
    return record(light, darkness, random), truth


def camera_at(stops: float, random: np.random.Generator) -> Darkness:
    """A camera that exposes by `stops` EV too little."""
    drawn = draw_darkness(random, night=True)
    # Noise goes with the darkness: that of the exposure drawn, brought to this one.
    scale = 10.0 ** (0.12 * (stops - drawn.ev))
    return replace(
        drawn,
        ev=stops,
        shot=drawn.shot * scale,
        read=_scaled(drawn.read, scale),
        pedestal=_scaled(drawn.pedestal, scale),
    )


def _scaled(values: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    red, green, blue = values
    return (red * by, green * by, blue * by)


def _part(light: NDArray[Any], random: np.random.Generator | None) -> NDArray[Any]:
    """A part of a panorama such as a photo would show; without `random`, its middle at 4:3."""
    rows, columns = light.shape[:2]
    if random is None:
        width = min(columns, rows * 4 // 3)
        left = (columns - width) // 2
        return light[:, left : left + width]
    height = int(rows * random.uniform(*_SIDES))
    shape = np.exp(random.uniform(*np.log(_SHAPES)))
    width = int(np.clip(height * shape, min(_LEAST_SIDE, columns), columns))
    top, left = int(random.integers(rows - height + 1)), int(random.integers(columns - width + 1))
    return light[top : top + height, left : left + width]
