"""Light of photos that are not encoded for an SDR screen: PQ, HLG and linear, there and back.

Light is relative: 1.0 is reference white, 203 cd/m² for PQ and HLG (ITU-R BT.2408-7, section 2.1).
PQ and HLG are those of ITU-R BT.2100-2, tables 4 and 5; HLG is shown on a screen of 1000 cd/m².
Code points are those of ITU-T H.273, table 3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HLG_GAMMA",
    "HLG_PEAK",
    "LUMINANCE",
    "PQ_PEAK",
    "REFERENCE_WHITE",
    "decode",
    "encode",
    "peak_of",
    "tone_map",
]

REFERENCE_WHITE: Final = 203.0
"""Light of a white page under the scene's light, in cd/m²."""

_LINEAR, _PQ, _HLG = 8, 16, 18
PQ_PEAK: Final = 10000.0
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
HLG_PEAK: Final = 1000.0
HLG_GAMMA: Final = 1.2
_A: Final = 0.17883277
_B: Final = 1.0 - 4.0 * _A
_C: Final = 0.5 - _A * float(np.log(4.0 * _A))
LUMINANCE: Final = np.array([0.2627, 0.6780, 0.0593])
_EPSILON: Final = 1e-9
_PERCENTILE: Final = 99.99

Floats = NDArray[np.float64]


def decode(values: NDArray[np.floating], transfer: int) -> Floats:
    """Light of encoded H×W×3 RGB in [0, 1]; 1.0 is reference white, and PQ and HLG go beyond.

    Args:
        values: The samples.
        transfer: 8 (linear), 16 (PQ) or 18 (HLG).
    """
    values = np.clip(values.astype(np.float64), 0.0, 1.0)
    if transfer == _LINEAR:
        return values
    if transfer == _PQ:
        return _from_pq(values) * (PQ_PEAK / REFERENCE_WHITE)
    scene = np.where(values <= 0.5, values**2 / 3.0, (np.exp((values - _C) / _A) + _B) / 12.0)
    return scene * _ootf(scene @ LUMINANCE)


def encode(light: NDArray[np.floating], transfer: int) -> Floats:
    """Encoded RGB in [0, 1] of light as `decode` gives it; what goes beyond is clipped."""
    light = np.maximum(light.astype(np.float64), 0.0)
    if transfer == _LINEAR:
        return np.minimum(light, 1.0)
    if transfer == _PQ:
        return _to_pq(np.minimum(light * (REFERENCE_WHITE / PQ_PEAK), 1.0))
    # The system's gamma acts on luminance, so its inverse is exact: Y_display = scale · Y^gamma.
    scale = HLG_PEAK / REFERENCE_WHITE
    shown = light @ LUMINANCE / scale
    luminance = np.asarray(shown ** (1.0 / HLG_GAMMA), np.float64)
    scene = np.clip(light / _ootf(luminance), 0.0, 1.0)
    curve = _A * np.log(np.maximum(12.0 * scene - _B, _EPSILON)) + _C
    return np.where(scene <= 1.0 / 12.0, np.sqrt(3.0 * scene), np.clip(curve, 0.0, 1.0))


def _ootf(luminance: Floats) -> Floats:
    """What multiplies scene light of this luminance to give light on the screen, H×W×1."""
    gain = np.maximum(luminance, _EPSILON) ** (HLG_GAMMA - 1.0)
    return (gain * (HLG_PEAK / REFERENCE_WHITE))[..., None]


def _from_pq(values: Floats) -> Floats:
    root = values ** (1.0 / _M2)
    return (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1.0 / _M1)


def _to_pq(light: Floats) -> Floats:
    power = np.maximum(light, 0.0) ** _M1
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2


def peak_of(light: NDArray[np.floating]) -> float:
    """The brightest light that a photo must show, at least white; single hot pixels aside."""
    return max(1.0, float(np.percentile(light.max(axis=-1), _PERCENTILE)))


def tone_map(light: NDArray[np.floating], peak: float) -> Floats:
    """Light up to `peak` brought within [0, 1], hues kept: the EETF of ITU-R BT.2390-11, 5.4.

    Its curve acts in PQ on the largest channel of a pixel, and all three get that gain. What is
    well below white stays as it is; `peak` becomes white. Black stays black.

    Args:
        light: H×W×3 RGB, 1.0 being reference white.
        peak: As `peak_of` gives it for the whole photo.
    """
    light = np.maximum(light.astype(np.float64), 0.0)
    if peak < 1.001:
        return np.minimum(light, 1.0)
    scale = REFERENCE_WHITE / PQ_PEAK
    brightest = np.minimum(light.max(axis=-1, keepdims=True), peak)
    top = float(_to_pq(np.array(min(peak * scale, 1.0))))
    white = float(_to_pq(np.array(scale))) / top
    knee = 1.5 * white - 0.5
    level = _to_pq(np.minimum(brightest * scale, 1.0)) / top
    t = np.clip((level - knee) / (1.0 - knee), 0.0, 1.0)
    spline = (
        (2.0 * t**3 - 3.0 * t**2 + 1.0) * knee
        + (t**3 - 2.0 * t**2 + t) * (1.0 - knee)
        + (-2.0 * t**3 + 3.0 * t**2) * white
    )
    mapped = _from_pq(np.where(level < knee, level, spline) * top) / scale
    gain = np.where(level < knee, 1.0, mapped / np.maximum(brightest, _EPSILON))
    return np.asarray(np.clip(light * gain, 0.0, 1.0), np.float64)
