"""Synthetic darkness: what a camera would have recorded with far less light.

A physical model after Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019)
and Wei et al., "A Physics-Based Noise Formation Model for Extreme Low-Light Raw Denoising"
(CVPR 2020): back to linear light, less exposure, a drifting white balance, shot and read noise
that is partly correlated as demosaicking leaves it, a pedestal per channel whose negatives are
clipped, a tone curve, 8-bit levels and JPEG.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import DataError
from undark.photo import FloatImage, from_float, to_float
from undark.pixels.colour import linear_to_srgb, srgb_to_linear

__all__ = ["Darkness", "darken", "draw_darkness", "read_camera", "record"]


@dataclass(frozen=True, slots=True)
class Darkness:
    """One way for a photo to be dark.

    Attributes:
        ev: Exposure taken away, in EV (positive is darker).
        white_balance: Gain per channel in linear light.
        multipliers: Gain per channel that the camera gives its raw values, noise and all, to make
            greys grey: it is why black is purple where noise was clipped.
        shot: Variance of the shot noise per unit of linear signal.
        read: Standard deviation of the read noise per channel, in linear units.
        correlation: Standard deviation in pixels of the blur that correlates the noise.
        pedestal: Offset per channel in linear units; the sum is clipped at 0.
        gamma: Exponent of the camera's own tone curve, around 1, on encoded values.
        quality: JPEG quality, or 0 for none.
    """

    ev: float
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    multipliers: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shot: float = 0.0
    read: tuple[float, float, float] = (0.0, 0.0, 0.0)
    correlation: float = 0.0
    pedestal: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gamma: float = 1.0
    quality: int = 0


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def read_camera(path: Path) -> Darkness:
    """A camera's darkness, as ``undark train cyclegan`` leaves it in ``camera.json``.

    Raises:
        DataError: The file is missing or holds no camera.
    """
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
        }
        return Darkness(**values)
    except OSError as error:
        raise DataError(f"{path}: cannot read the camera: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a camera that cyclegan learned: {error}") from error


def draw_darkness(
    random: np.random.Generator, camera: Darkness | None = None, *, night: bool = False
) -> Darkness:
    """A plausible darkness: from a dim room to a nearly black night.

    With a `camera`, its noise, colour and tone, at another exposure and sensitivity each time.
    With `night`, from slightly too dark to darker than eyes see: down to half a percent of the
    light, the camera's own noise multiplied with its colours, black never quite black.
    """
    if camera is not None:
        sensitivity = float(np.exp(random.normal(0.0, 0.3)))
        return replace(
            camera,
            ev=float(random.uniform(1.5, 5.5)),
            shot=camera.shot * sensitivity**2,
            read=_triple(np.asarray(camera.read) * sensitivity),
        )
    red, blue = np.exp(random.normal(0.0, 0.08, 2))
    if night:
        ev = float(random.uniform(0.5, 7.5))
        # What is photographed in less light is photographed at a higher sensitivity.
        strength = 10.0 ** (random.uniform(-4.4, -3.0) + 0.12 * (ev - 4.0))
        return Darkness(
            ev=ev,
            white_balance=(float(red), 1.0, float(blue)),
            multipliers=(float(random.uniform(1.0, 2.4)), 1.0, float(random.uniform(1.0, 2.4))),
            shot=float(strength * 10.0 ** random.uniform(-0.3, 0.3)),
            read=_triple(strength * random.uniform(0.5, 3.0) * random.uniform(0.9, 1.1, 3)),
            correlation=float(random.uniform(0.4, 1.1)) if random.random() < 0.7 else 0.0,
            pedestal=_triple(
                strength * random.uniform(-1.5, 2.5) * random.uniform(0.5, 1.5, 3)
                + 0.3 * strength * random.normal(0.0, 1.0, 3)
            ),
            gamma=float(np.exp(random.normal(0.0, 0.08))),
            quality=int(random.integers(60, 98)) if random.random() < 0.5 else 0,
        )
    return Darkness(
        ev=float(random.uniform(1.5, 5.5)),
        white_balance=(float(red), 1.0, float(blue)),
        shot=float(10.0 ** random.uniform(-4.2, -2.6)),
        read=_triple(10.0 ** random.uniform(-3.9, -2.6) * random.uniform(0.8, 1.3, 3)),
        correlation=float(random.uniform(0.4, 0.9)) if random.random() < 0.6 else 0.0,
        pedestal=_triple(random.uniform(-0.001, 0.002) + random.normal(0.0, 0.0006, 3)),
        gamma=float(np.exp(random.normal(0.0, 0.06))),
        quality=int(random.integers(70, 97)) if random.random() < 0.5 else 0,
    )


def darken(image: FloatImage, darkness: Darkness, random: np.random.Generator) -> FloatImage:
    """`image` as a camera would have recorded it in `darkness`.

    Args:
        image: H×W×3 sRGB in [0, 1], well lit.
        darkness: What to do; see :func:`draw_darkness`.
        random: Of the noise.

    Returns:
        H×W×3 in [0, 1] on 8-bit levels.
    """
    return to_float(record(srgb_to_linear(image), darkness, random))


def record(light: FloatImage, darkness: Darkness, random: np.random.Generator) -> NDArray[np.uint8]:
    """Linear H×W×3 `light`, which may pass white, as a camera records it in `darkness`: 8 bits."""
    light = light * np.float32(2.0**-darkness.ev)
    light *= np.asarray(darkness.white_balance, np.float32)
    multipliers = np.asarray(darkness.multipliers, np.float32)
    read = multipliers * np.asarray(darkness.read, np.float32)
    deviation = np.sqrt(np.float32(darkness.shot) * multipliers * light + read * read)
    noise = random.standard_normal(light.shape, dtype=np.float32)
    if darkness.correlation > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), darkness.correlation)
        # Blurring weakens noise more than demosaicking does: give part of it back.
        noise /= np.float32(np.sqrt(max(float(noise.std()), 1e-3)))
    light += deviation * noise
    light += multipliers * np.asarray(darkness.pedestal, np.float32)
    encoded = linear_to_srgb(np.clip(light, 0.0, 1.0)) ** np.float32(darkness.gamma)
    levels = from_float(encoded.astype(np.float32), np.dtype(np.uint8))
    if darkness.quality:
        done, coded = cv2.imencode(
            ".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, darkness.quality]
        )
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR) if done else None
        if decoded is not None:
            levels = np.ascontiguousarray(decoded[:, :, ::-1])
    return levels.astype(np.uint8, copy=False)
