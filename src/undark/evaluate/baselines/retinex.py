"""Retinex, which divides a photo by its illumination: LIME and MSRCR, from their papers, on NumPy
and OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, Photo, from_float, to_float

__all__ = ["lime", "msrcr"]

Floats = NDArray[np.float32]

# LIME: weight of smoothness, exponent of the illumination, and the augmented Lagrangian's schedule.
_WEIGHT, _GAMMA = 0.15, 0.8
_PENALTY, _GROWTH, _STEPS, _ENOUGH = 0.05, 1.2, 60, 1e-3
_SPREAD, _TINY = 2.0, np.float32(1e-3)

# MSRCR: the surrounds' widths in pixels, colour restoration, the fraction clipped at either end.
_SURROUNDS = (15.0, 80.0, 250.0)
_RESTORE, _STRENGTH = 125.0, 46.0
_CLIPPED = 0.01
_NARROW = 8.0


def lime(photo: Photo) -> Photo:
    """LIME: divided by the illumination's 0.8th power; the illumination is the largest channel,
    smoothed so that its structure stays.

    Guo, Li and Ling, "LIME: Low-light image enhancement via illumination map estimation", TIP 2017:
    the exact solver (Algorithm 1) with weighting strategy III (relative total variation) and
    a weight of 0.15. Without the denoising (BM3D) that the paper recommends afterwards.
    """
    return _with(photo, _lime)


def msrcr(photo: Photo) -> Photo:
    """Multi-scale retinex with colour restoration.

    Jobson, Rahman and Woodell, "A multiscale retinex for bridging the gap between color images and
    the human observation of scenes", TIP 1997, with surrounds of 15, 80 and 250 pixels. The paper's
    fixed gain and offset belong to its own photos; as in Petro, Sbert and Morel, "Multiscale
    retinex", IPOL 2014, each channel is stretched instead so that 1 % of it clips at either end.
    """
    return _with(photo, _msrcr)


def _with(photo: Photo, change: Callable[[FloatImage], FloatImage]) -> Photo:
    return photo.with_pixels(from_float(change(to_float(photo.pixels)), photo.pixels.dtype))


def _lime(image: FloatImage) -> FloatImage:
    coarse = image.max(axis=2)
    illumination = np.maximum(_smooth_illumination(coarse), np.float32(1 / 255))
    return np.asarray(image / np.power(illumination, np.float32(_GAMMA))[..., None], np.float32)


def _smooth_illumination(coarse: Floats) -> Floats:
    """argmin ‖T − coarse‖² + 0.15 ‖W∘∇T‖₁ by alternating directions; ∇T wraps around."""
    weights = [np.float32(_WEIGHT) * _texture(axis, coarse) for axis in (0, 1)]
    rows, columns = coarse.shape
    # Eigenvalues of the squared differences, which the Fourier transform makes diagonal.
    down = _wave(rows, rows)
    across = _wave(columns // 2 + 1, columns)
    laplacian = np.asarray(down[:, None] + across[None], np.float32)
    slopes = [np.zeros_like(coarse) for _ in weights]
    multipliers = [np.zeros_like(coarse) for _ in weights]
    smooth, penalty = coarse, np.float32(_PENALTY)
    limit = _ENOUGH * float(np.linalg.norm(coarse))
    for _ in range(_STEPS):
        pulled = 2 * coarse
        for axis, (slope, multiplier) in enumerate(zip(slopes, multipliers, strict=True)):
            pulled += _backward(penalty * slope - multiplier, axis)
        spectrum = np.fft.rfft2(pulled) / (2 + penalty * laplacian)
        smooth = np.asarray(np.fft.irfft2(spectrum, s=coarse.shape), np.float32)
        rest = 0.0
        for axis, weight in enumerate(weights):
            slope = _forward(smooth, axis)
            raised = slope + multipliers[axis] / penalty
            shrunk = np.maximum(np.abs(raised) - weight / penalty, np.float32(0))
            slopes[axis] = np.asarray(np.sign(raised) * shrunk, np.float32)
            apart = slope - slopes[axis]
            multipliers[axis] = np.asarray(multipliers[axis] + penalty * apart, np.float32)
            rest += float(np.sum(apart * apart))
        if rest**0.5 <= limit:
            break
        penalty *= np.float32(_GROWTH)
    return smooth


def _wave(count: int, side: int) -> NDArray[np.float64]:
    """The first `count` eigenvalues of the squared differences around a ring of `side` samples."""
    return 2 - 2 * np.cos(2 * np.pi * np.arange(count) / side)


def _forward(values: Floats, axis: int) -> Floats:
    return np.roll(values, -1, axis) - values


def _backward(values: Floats, axis: int) -> Floats:
    """The transpose of `_forward`."""
    return np.roll(values, 1, axis) - values


def _texture(axis: int, coarse: Floats) -> Floats:
    """Strategy III: large where slopes cancel out nearby (texture), small at edges of structure."""
    slope = _forward(coarse, axis)
    size = (0, 0)
    mean = np.abs(np.asarray(cv2.GaussianBlur(slope, size, _SPREAD), np.float32))
    weight = np.asarray(cv2.GaussianBlur(1 / (mean + _TINY), size, _SPREAD), np.float32)
    return weight / (np.abs(slope) + _TINY)


def _msrcr(image: FloatImage) -> FloatImage:
    light = image * np.float32(255) + np.float32(1)
    contrast = np.zeros_like(light)
    for width in _SURROUNDS:
        contrast += np.log(light) - np.log(_surround(light, width))
    contrast /= len(_SURROUNDS)
    colour = np.log(np.float32(_RESTORE) * light) - np.log(light.sum(axis=2, keepdims=True))
    restored = np.float32(_STRENGTH) * colour * contrast
    low, high = np.quantile(restored, (_CLIPPED, 1 - _CLIPPED), axis=(0, 1))
    return np.asarray((restored - low) / np.maximum(high - low, 1e-6), np.float32)


def _surround(light: FloatImage, width: float) -> FloatImage:
    """Gaussian blur; a wide one is taken on a smaller image, where it is as exact and quick."""
    factor = max(1, int(width / _NARROW))
    rows, columns = light.shape[:2]
    size = (max(1, round(columns / factor)), max(1, round(rows / factor)))
    small = light if factor == 1 else cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    spread = width * size[0] / columns
    blurred = cv2.GaussianBlur(small, (0, 0), spread, borderType=cv2.BORDER_REFLECT)
    if factor > 1:
        blurred = cv2.resize(blurred, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.maximum(np.asarray(blurred, np.float32), np.float32(1))
