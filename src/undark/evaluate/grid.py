"""Grids of pictures side by side, with labels: dark, output, truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from undark.errors import UsageError
from undark.photo import from_float, to_float

__all__ = ["picture_grid"]

_GAP = 4
_TEXT_HEIGHT = 22
_FONT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (20, 20, 20)


def picture_grid(
    rows: Sequence[Sequence[NDArray[Any]]],
    *,
    labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    cell_width: int = 320,
) -> NDArray[np.uint8]:
    """Pictures on white paper, a row each, every one scaled to the same width.

    Each row is as high as its highest picture; proportions are kept.

    Args:
        rows: Rows of H×W×3 RGB pictures, uint8, uint16 or float in [0, 1]; sizes may differ.
            Rows may be of unequal length.
        labels: One heading per column, drawn once at the top.
        captions: One line per row, drawn beneath it.
        cell_width: Width of each picture in the grid, in pixels.

    Returns:
        H×W×3 uint8 RGB.

    Raises:
        UsageError: There is no picture, or labels, captions and pictures do not fit together.
    """
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise UsageError("a grid needs at least one picture")
    if labels is not None and len(labels) != columns:
        raise UsageError(f"{len(labels)} labels for {columns} columns of pictures")
    if captions is not None and len(captions) != len(rows):
        raise UsageError(f"{len(captions)} captions for {len(rows)} rows of pictures")

    cells = [[_fit(picture, cell_width) for picture in row] for row in rows]
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


def _fit(picture: NDArray[Any], width: int) -> NDArray[np.uint8]:
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise UsageError(f"pictures must be height×width×3, not {picture.shape}")
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    shrinks = picture.shape[1] > width
    scaled = cv2.resize(
        to_float(picture),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return from_float(scaled.astype(np.float32), np.dtype(np.uint8))
