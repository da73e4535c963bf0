"""Flat shapes of any colour over a photo: what photos to learn from hold too little of.

The dead leaves model (Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001;
Achddou et al., "Fully Synthetic Training for Image Restoration Tasks", CVIU 2023): shapes whose
sizes follow a power law lie over one another. They teach a network that flat parts have no texture
and that pure colours occur; and, drawn on the dark photo as bright as on its truth, that a lamp of
such a colour keeps it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["lamps", "scatter"]

_SIZES = (0.03, 0.5)  # radius over the photo's shorter side
_SHIFT = 4  # binary digits after the point of corners that cv2 draws


def scatter(photo: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """`photo`, H×W×3, with some four to thirty flat or evenly shaded shapes over it."""
    image = photo.copy()
    for _ in range(int(random.integers(4, 31))):
        outline = _outline(photo.shape[:2], _radius(random), random)
        _paint(image, outline, _colour(random), _colour(random) if random.random() < 0.3 else None)
    return image


def lamps(
    dark: NDArray[np.uint8], truth: NDArray[np.uint8], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The dark photo and its truth, H×W×3, with one to four vivid lamps that are alike in both."""
    dark, truth = dark.copy(), truth.copy()
    for _ in range(int(random.integers(1, 5))):
        outline = _outline(dark.shape[:2], min(_radius(random), 0.12), random)
        colour = _vivid(random, least=0.6)
        for image in (dark, truth):
            _paint(image, outline, colour, None)
    return dark, truth


def _radius(random: np.random.Generator) -> float:
    """Sizes of which there are ever fewer: their density falls with the square of the radius."""
    small, large = (1.0 / size for size in _SIZES)
    return float(1.0 / random.uniform(large, small))


def _outline(
    size: tuple[int, int], radius: float, random: np.random.Generator
) -> NDArray[np.int32]:
    """Corners of an ellipse, a box or a polygon, turned; N×2 in parts of a pixel."""
    corners = int(random.choice((3, 4, 5, 7, 40)))
    spread = 0.0 if corners == 40 else 0.6
    angles = 2.0 * np.pi * (np.arange(corners) + spread * random.uniform(-0.5, 0.5, corners))
    angles /= corners
    points = np.stack((np.cos(angles), random.uniform(0.15, 1.0) * np.sin(angles)), axis=1)
    turn = random.uniform(0.0, np.pi)
    across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = random.uniform(0.0, 1.0, 2) * (size[1], size[0])
    placed = centre + radius * min(size) * points @ across
    return np.rint(placed * 2**_SHIFT).astype(np.int32)


def _paint(
    image: NDArray[np.uint8],
    outline: NDArray[np.int32],
    colour: NDArray[np.float32],
    other: NDArray[np.float32] | None,
) -> None:
    """Fill an outline in place, evenly, or shaded from left to right of the image to `other`."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, _SHIFT)
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cover = (mask[part].astype(np.float32) / 255.0)[..., None]
    fill = colour
    if other is not None:
        along = np.linspace(0.0, 1.0, cover.shape[1], dtype=np.float32)[:, None]
        fill = colour + along * (other - colour)
    image[part] = np.rint(image[part] + cover * (255.0 * fill - image[part])).astype(np.uint8)


def _colour(random: np.random.Generator) -> NDArray[np.float32]:
    """Half of them vivid, half near to grey; RGB in [0, 1]."""
    if random.random() < 0.5:
        return _vivid(random, least=0.15)
    grey, tint = random.uniform(0.03, 1.0), random.normal(0.0, 0.08, 3)
    return np.clip(grey * np.exp(tint), 0.0, 1.0).astype(np.float32)


def _vivid(random: np.random.Generator, *, least: float) -> NDArray[np.float32]:
    """A colour of any hue, its largest channel at `least` or more; RGB in [0, 1]."""
    hue = random.uniform(0.0, 3.0)
    rgb = np.clip(1.5 - np.abs((hue - np.arange(3) + 1.5) % 3.0 - 1.5), 0.0, 1.0)
    paler = random.uniform(0.0, 1.0) ** 3
    return (random.uniform(least, 1.0) * (rgb + paler * (1.0 - rgb))).astype(np.float32)
