"""Tone operations: pure functions on H×W×3 float32 RGB in [0, 1], encoded with the sRGB curve.

Every operation takes one signed amount whose neutral value is the exact identity, never leaves
[0, 1], and never turns a value that was neither black nor white into pure black or white by
clipping, but for `sharpen`, which overshoots on purpose. `OPERATIONS` lists them all, so that a
slider or a learning agent can act on a photo without knowing any of them by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.photo import FloatImage
from undark.pixels.arrays import as_floats
from undark.pixels.colour import linear_to_srgb, luma, luma_weights, srgb_to_linear
from undark.pixels.guided import guided_coefficients

__all__ = [
    "KNEE",
    "OPERATIONS",
    "Operation",
    "brightness",
    "contrast",
    "denoise",
    "exposure",
    "gamma",
    "saturation",
    "sharpen",
    "shoulder",
    "white_balance",
]

KNEE: Final = 0.4
"""Linear level up to which more exposure is a plain gain; above it the shoulder begins."""

_LUMA: Final = luma_weights()


def shoulder(linear: NDArray[np.float32], gain: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] times `gain`, with a shoulder where that would pass the knee.

    Up to `KNEE` the gain is exact; from there a rational curve with the same slope runs to
    (1, 1). So white stays white, nothing below it reaches it, and the result rises with the
    value and with the gain. Gains below 1 are plain multiplication.

    Args:
        linear: Of any shape.
        gain: One for all, or one for each value.
    """
    more = np.maximum(as_floats(gain), np.float32(1.0))
    lit = linear * more
    over = np.maximum(lit - np.float32(KNEE), np.float32(0.0))
    # Slope 1 at the knee, and (1, 1) at the end; for a gain of 1 a straight line.
    bend = np.float32(1.0 / (1.0 - KNEE)) - np.float32(1.0) / (more - np.float32(KNEE))
    np.minimum(lit, np.float32(KNEE), out=lit)
    lit += over / (over * bend + np.float32(1.0))
    np.minimum(lit, np.float32(1.0), out=lit)
    if np.min(gain) < 1.0:
        lit *= gain / more
    return lit


def _unit(values: NDArray[np.floating]) -> FloatImage:
    return np.clip(values, 0.0, 1.0).astype(np.float32, copy=False)


def exposure(image: FloatImage, amount: float) -> FloatImage:
    """More or less light, by `amount` EV, in linear light.

    +1 doubles the light of shadows and mid-tones; highlights roll off towards white, and only
    what was white is white. -1 halves the light everywhere. Monotone in the amount and in the
    value.
    """
    if amount == 0.0:
        return image.copy()
    return _unit(linear_to_srgb(shoulder(srgb_to_linear(image), 2.0**amount)))


def brightness(image: FloatImage, amount: float) -> FloatImage:
    """Mid-tones lifted (+) or lowered (-); black and white stay. ±1 moves 0.5 to 0.8 or 0.2."""
    if amount == 0.0:
        return image.copy()
    gain = np.float32(4.0**amount)
    return _unit(gain * image / (1.0 + (gain - np.float32(1.0)) * image))


def gamma(image: FloatImage, amount: float) -> FloatImage:
    """A power curve with exponent 2^-amount: + lifts the shadows, - deepens them."""
    if amount == 0.0:
        return image.copy()
    return _unit(np.power(image, np.float32(2.0**-amount)))


def contrast(image: FloatImage, amount: float) -> FloatImage:
    """An S curve through (0.5, 0.5) whose slope there is 2^amount; black and white stay."""
    if amount == 0.0:
        return image.copy()
    slope = np.float32(2.0**amount)
    up = np.power(image, slope)
    return _unit(up / (up + np.power(np.maximum(1.0 - image, 0.0), slope)))


def saturation(image: FloatImage, amount: float) -> FloatImage:
    """Colour turned up (+1 doubles it) or down (-1 is grey), with luma and hue kept.

    A pixel whose colour would leave [0, 1] gets as much as fits, so no channel clips.
    """
    if amount == 0.0:
        return image.copy()
    grey = luma(image)[..., None]
    colour = image - grey
    factor = np.full_like(grey, 1.0 + amount)
    if amount > 0.0:
        room = np.where(colour > 0.0, 1.0 - grey, grey) / np.maximum(np.abs(colour), 1e-6)
        factor = np.minimum(factor, np.maximum(room.min(axis=2, keepdims=True), 1.0))
    return _unit(grey + factor * colour)


def white_balance(image: FloatImage, *, temperature: float = 0.0, tint: float = 0.0) -> FloatImage:
    """Channel gains in linear light.

    Args:
        image: H×W×3 RGB in [0, 1].
        temperature: + is warmer; at 1 red has one EV more than before against blue.
        tint: + is more magenta, - is greener; at 1 green has one EV less against red and blue.
    """
    if temperature == 0.0 and tint == 0.0:
        return image.copy()
    stops = np.array(
        [temperature / 2 + tint / 3, -tint * 2 / 3, -temperature / 2 + tint / 3], dtype=np.float64
    )
    # A neutral grey keeps its luminance: only the colour moves.
    gains = 2.0**stops
    gains /= float(gains @ _LUMA)
    linear = srgb_to_linear(image)
    balanced = np.stack([shoulder(linear[..., i], float(gains[i])) for i in range(3)], axis=-1)
    return _unit(linear_to_srgb(balanced))


def _temperature(image: FloatImage, amount: float) -> FloatImage:
    return white_balance(image, temperature=amount)


def _tint(image: FloatImage, amount: float) -> FloatImage:
    return white_balance(image, tint=amount)


def sharpen(image: FloatImage, amount: float) -> FloatImage:
    """Unsharp mask on luma (Gaussian of 1 pixel): + sharpens, - softens. Colours do not fringe."""
    if amount == 0.0:
        return image.copy()
    grey = luma(image)
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), dtype=np.float32)
    return _unit(image + np.float32(amount) * (grey - soft)[..., None])


def denoise(image: FloatImage, amount: float) -> FloatImage:
    """Less noise, edges kept: guided filters, on colour wider and stronger than on luma.

    Colour noise is filtered with luma as its guide, so that colours do not run over edges.
    0 leaves the image as it is, 1 is the full filter, between is a blend.
    """
    if amount == 0.0:
        return image.copy()
    grey = luma(image)
    a, b = guided_coefficients(grey, grey, radius=2, epsilon=0.03**2)
    calm = a * grey + b
    colour = image - grey[..., None]
    guide = np.repeat(calm[..., None], 3, axis=2)
    a, b = guided_coefficients(guide, colour, radius=6, epsilon=0.06**2)
    clean = calm[..., None] + a * guide + b
    return _unit(image + np.float32(amount) * (clean - image))


@dataclass(frozen=True, slots=True)
class Operation:
    """One tone operation and what a slider or an agent must know of it.

    Calling it checks the amount, then applies the function.

    Attributes:
        function: Takes H×W×3 float32 RGB in [0, 1] and the amount; gives back the same kind.
        low: Smallest amount.
        high: Largest amount.
        unit: What the amount counts.
        meaning: One line for a person.
        neutral: The amount that changes nothing.
    """

    function: Callable[[FloatImage, float], FloatImage]
    low: float
    high: float
    unit: str
    meaning: str
    neutral: float = 0.0

    def __call__(self, image: FloatImage, amount: float) -> FloatImage:
        """Apply the operation.

        Raises:
            UsageError: The amount is not a finite number in [low, high].
        """
        if not (math.isfinite(amount) and self.low <= amount <= self.high):
            raise UsageError(f"amount must be between {self.low:g} and {self.high:g}, not {amount}")
        return self.function(image, amount)


OPERATIONS: Final[dict[str, Operation]] = {
    "exposure": Operation(exposure, -4.0, 4.0, "EV", "more or less light, highlights kept"),
    "brightness": Operation(brightness, -1.0, 1.0, "fraction", "lighter or darker mid-tones"),
    "gamma": Operation(gamma, -2.0, 2.0, "log2 of the exponent", "lifts or deepens shadows"),
    "contrast": Operation(contrast, -1.0, 1.0, "log2 of the slope", "steeper or flatter tones"),
    "saturation": Operation(saturation, -1.0, 1.0, "fraction", "stronger or weaker colours"),
    "temperature": Operation(_temperature, -1.0, 1.0, "EV of red over blue", "warmer or cooler"),
    "tint": Operation(_tint, -1.0, 1.0, "EV of magenta over green", "more magenta or green"),
    "sharpen": Operation(sharpen, -1.0, 2.0, "fraction", "crisper or softer detail"),
    "denoise": Operation(denoise, 0.0, 1.0, "fraction", "less grain and colour noise"),
}
