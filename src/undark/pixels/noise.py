"""Noise: measured on the photo at hand, and taken off where there is little else.

The photo is seen at several scales, each half as fine as the one before; its details at a scale
are what halving takes away. Where a neighbourhood's details vary no more than noise does, they are
noise; where they vary more, that much of them stays. Fast enough for the largest photos, and each
region depends on no more than a few pixels around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels.arrays import Floats, as_floats, low_quantile
from undark.pixels.colour import luma_weights

__all__ = ["ALIGNMENT", "HALO", "LEVELS", "Noise", "Tally", "clean", "measure_noise"]

HALO: Final = 48
"""Pixels around a region on which its cleaned result depends."""

ALIGNMENT: Final = 8
"""Regions of one photo are cleaned alike where they begin at multiples of this."""

LEVELS: Final = 256
"""Levels of brightness, black to white, that noise is given for."""

_LUMA_RADIUS: Final = 2
_COLOUR_RADIUS: Final = 3
_BINS: Final = 16
# Texture adds to the variance of noise: of those found at one level, a low one is the noise's ...
_QUIET: Final = 0.05
# ... and lacks this to their mean, in windows of this size and noise with some correlation.
_BIAS: Final = 3.0
# Coarse details are the image's more often than fine ones are.
_BY_SCALE: Final = np.array([[1.0], [0.5]], np.float32)
_SCALES: Final = len(_BY_SCALE)
# Less than this fraction of colour's finest details is not worth computing.
_NEGLIGIBLE: Final = 0.02
_TINY: Final = np.float32(1e-9)
_WEIGHTS: Final = luma_weights()


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Variance of noise by scale and by `LEVELS` of brightness.

    Attributes:
        luma: Of luma's details, full size first: 2×LEVELS.
        colour: Of colour's details, half size first: 2×LEVELS.
        finest: Fraction of noise in the variance of colour's details at full size, where it is
            judged by level alone: LEVELS; may be above 1.
    """

    luma: Floats
    colour: Floats
    finest: Floats

    def times(self, luma: float, colour: float, where: Floats | None = None) -> Noise:
        """As much noise as is to be taken off: a factor each, and a fraction in [0, 1] by level."""
        fraction = np.ones(LEVELS, np.float32) if where is None else where
        return Noise(
            self.luma * as_floats(luma * _BY_SCALE * fraction),
            self.colour * as_floats(colour * _BY_SCALE * fraction),
            self.finest * as_floats(colour * fraction),
        )


def measure_noise(pieces: Iterable[FloatImage]) -> Noise:
    """The noise of a photo, from a few `pieces` of it, each h×w×3 in [0, 1].

    At each scale and level of brightness a low quantile of the details' local variances counts:
    where a photo is flat, only noise varies (Liu et al., "Noise Estimation from a Single Image",
    CVPR 2006).
    """
    lumas = [Tally() for _ in range(_SCALES)]
    colours = [Tally() for _ in range(_SCALES + 1)]
    for piece in pieces:
        image = _padded(piece)
        grey = _luma(image)
        colour = _colour(image, grey)
        for scale in range(_SCALES + 1):
            small, less = _halve(grey), _halve(colour)
            level = _double(small)
            if scale < _SCALES:
                lumas[scale].add(level, _energy(grey - level, _LUMA_RADIUS))
            colours[scale].add(level, _energy(colour - _double(less), _COLOUR_RADIUS))
            grey, colour = small, less
    return Noise(
        np.stack([tally.noise() for tally in lumas]),
        np.stack([tally.noise() for tally in colours[1:]]),
        colours[0].noise() / colours[0].mean(),
    )


def clean(image: FloatImage, noise: Noise) -> FloatImage:
    """`image`, H×W×3 of any size, less `noise`; edges and texture stay.

    A region of a photo gives what the whole gives there, but for `HALO` pixels along its border,
    if it begins at a multiple of `ALIGNMENT` in both directions.
    """
    rows, columns = image.shape[:2]
    whole = _padded(image)
    grey = _luma(whole)
    small, level = _halve(whole), _halve(grey)
    fine = grey - _double(level)
    kept = _kept(_energy(fine, _LUMA_RADIUS), _double(_at(noise.luma[0], level)), _LUMA_RADIUS)
    calm = _shrink(level, level, noise.luma[1:], _LUMA_RADIUS)
    colour = _shrink(_colour(small, level), level, noise.colour, _COLOUR_RADIUS)
    red, blue = cv2.split(colour)
    green = (red * _WEIGHTS[0] + blue * _WEIGHTS[2]) / -_WEIGHTS[1]
    result = _double(_merge(calm + red, calm + green, calm + blue))
    keep = np.maximum(np.float32(1.0) - noise.finest, np.float32(0.0))
    if keep.max() > _NEGLIGIBLE:
        keep = _double(_at(keep, level))
        result += _merge(keep, keep, keep) * (whole - _double(small))
        kept = kept - keep
    fine = kept * fine
    result += _merge(fine, fine, fine)
    return result[:rows, :columns]


def _shrink(values: Floats, grey: Floats, noise: Floats, radius: int) -> Floats:
    """`values`, H×W or H×W×2, less noise of variance `noise` by scale and by level of `grey`."""
    small, level = _halve(values), _halve(grey)
    details = values - _double(small)
    kept = _kept(_energy(details, radius), _double(_at(noise[0], level)), radius)
    if len(noise) > 1:
        small = _shrink(small, level, noise[1:], radius)
    if details.ndim == 3:
        kept = _merge(kept, kept)
    return as_floats(_double(small) + kept * details)


def _kept(energy: Floats, noise: Floats, radius: int) -> Floats:
    """Fraction of the details that is no noise: the local Wiener filter's (Lee, TPAMI 1980)."""
    kept = np.float32(1.0) - noise / energy
    return _mean(np.maximum(kept, np.float32(0.0)), radius)


def _energy(details: Floats, radius: int) -> Floats:
    """Local mean square, over two channels too; a running sum may fall a little below zero."""
    square = details * details
    if square.ndim == 3:
        square = (square[..., 0] + square[..., 1]) * np.float32(0.5)
    return np.maximum(_mean(square, radius), _TINY)


def _mean(values: Floats, radius: int) -> Floats:
    side = 2 * radius + 1
    return as_floats(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))


def _halve(values: Floats) -> Floats:
    size = (values.shape[1] // 2, values.shape[0] // 2)
    return as_floats(cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def _double(values: Floats) -> Floats:
    size = (values.shape[1] * 2, values.shape[0] * 2)
    return as_floats(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR))


def _at(table: Floats, level: Floats) -> Floats:
    """The entries of a table of `LEVELS` for levels in [0, 1]."""
    return as_floats(cv2.LUT(cv2.convertScaleAbs(level, alpha=LEVELS - 1), table[None]))


def _luma(image: FloatImage) -> Floats:
    return as_floats(cv2.transform(image, _WEIGHTS[None]))


def _colour(image: FloatImage, grey: Floats) -> Floats:
    """Red and blue against luma."""
    red, _, blue = cv2.split(image)
    return _merge(as_floats(red) - grey, as_floats(blue) - grey)


def _merge(*channels: Any) -> Floats:
    return as_floats(cv2.merge([*channels]))


def _padded(image: FloatImage) -> FloatImage:
    """`image` reflected below and to the right, to a multiple of `ALIGNMENT`."""
    rows, columns = (max(side + (-side) % ALIGNMENT, 2 * ALIGNMENT) for side in image.shape[:2])
    below, right = rows - image.shape[0], columns - image.shape[1]
    if not (below or right):
        return image
    return as_floats(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT))


class Tally:
    """Local variances by level of brightness, gathered from several pieces."""

    def __init__(self) -> None:
        """Begin with nothing gathered."""
        self._bins: list[NDArray[np.intp]] = []
        self._values: list[Floats] = []

    def add(self, level: Floats, energy: Floats) -> None:
        """One piece: levels in [0, 1], and the variances there."""
        # Neighbours say nearly the same, so every other row and column will do.
        bins = np.clip(level[::2, ::2] * np.float32(_BINS), 0, _BINS - 1).astype(np.intp)
        self._bins.append(bins.ravel())
        self._values.append(energy[::2, ::2].ravel())

    def noise(self) -> Floats:
        """The variance of noise alone, at each level."""
        return self._by_level(lambda values: _BIAS * low_quantile(values, _QUIET))

    def mean(self) -> Floats:
        """The mean variance at each level."""
        return self._by_level(lambda values: float(values.mean()))

    def _by_level(self, summary: Callable[[Floats], float]) -> Floats:
        bins, values = np.concatenate(self._bins), np.concatenate(self._values)
        # A level that is hardly there says nothing by itself, and takes after its neighbours.
        enough = max(values.size // 500, min(values.size // _BINS, 50))
        counts = np.bincount(bins, minlength=_BINS)
        known = np.flatnonzero(counts >= max(enough, 1))
        found = [summary(values[bins == index]) for index in known]
        middles = (known + 0.5) * (LEVELS / _BINS)
        return np.interp(np.arange(LEVELS) + 0.5, middles, found).astype(np.float32)
