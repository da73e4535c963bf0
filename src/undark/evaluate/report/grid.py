"""Grids of images side by side, with labels: dark, output, truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from undark.errors import UsageError
from undark.evaluate.arrays import check_image
from undark.photo import from_float, to_float

__all__ = ["image_grid"]

_GAP = 4
_TEXT_HEIGHT = 22
_FONT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (20, 20, 20)


def image_grid(
    rows: Sequence[Sequence[NDArray[Any]]],
    *,
    labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    cell_width: int = 320,
) -> NDArray[np.uint8]:
    """Images on white paper, a row each, every one scaled to the same width.

    Each row is as high as its highest image; proportions are kept.

    Args:
        rows: Rows of H×W×3 RGB images, uint8, uint16 or float in [0, 1]; sizes may differ.
            Rows may be of unequal length.
        labels: One heading per column, drawn once at the top.
        captions: One line per row, drawn beneath it.
        cell_width: Width of each image in the grid, in pixels.

    Returns:
        H×W×3 uint8 RGB.

    Raises:
        UsageError: There is no image, or labels, captions and images do not fit together.
    """
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise UsageError("a grid needs at least one image")
    if labels is not None and len(labels) != columns:
        raise UsageError(f"{len(labels)} labels for {columns} columns of images")
    if captions is not None and len(captions) != len(rows):
        raise UsageError(f"{len(captions)} captions for {len(rows)} rows of images")

    cells = [[_fit(image, cell_width) for image in row] for row in rows]
    heights = [max((cell.shape[0] for cell in row), default=0) for row in cells]
    caption_height = _TEXT_HEIGHT if captions is not None else 0
    top = _GAP + (_TEXT_HEIGHT if labels is not None else 0)
    width = _GAP + columns * (cell_width + _GAP)
    height = top + sum(row + caption_height + _GAP for row in heights)

    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for column, label in enumerate(labels or ()):
        draw.text((_GAP + column * (cell_width + _GAP), _GAP), label, _INK, font)
    for index, row in enumerate(cells):
        for column, cell in enumerate(row):
            sheet.paste(Image.fromarray(cell), (_GAP + column * (cell_width + _GAP), top))
        top += heights[index]
        if captions is not None:
            draw.text((_GAP, top + 2), captions[index], _INK, font)
        top += caption_height + _GAP
    return np.asarray(sheet)


def _fit(image: NDArray[Any], width: int) -> NDArray[np.uint8]:
    check_image(image)
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinks = image.shape[1] > width
    scaled = cv2.resize(
        to_float(image),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return from_float(scaled.astype(np.float32), np.dtype(np.uint8))
