"""Metrics of a photo, as a receipt keeps them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from undark.adjust import Adjust
from undark.engine.enhancer import Enhancer
from undark.errors import DataError
from undark.evaluate.metrics import measure
from undark.evaluate.protocol import protocol
from undark.io.photo import read_photo

__all__ = ["digest", "measured"]


def measured(editor: Enhancer, dark: Path, truth: Path | None, adjust: Adjust) -> tuple[str, str]:
    """The metrics of what a model makes of a photo: as JSON, and that text's sha256.

    What is not defined on the photo (it is too small, or flat) is null. The protocol is ``plain``.

    Args:
        editor: The model.
        dark: The photo.
        truth: Its truth, of the same size, or None.
        adjust: What is asked of the model.

    Raises:
        InputError: One of them cannot be read.
        DataError: They are of different sizes.
        MissingExtraError: The extra ``evaluate`` is not installed.
    """
    photo = read_photo(dark)
    wanted = None if truth is None else read_photo(truth).pixels
    if wanted is not None and wanted.shape != photo.pixels.shape:
        raise DataError(f"{dark.name} and its truth are of different sizes; a pair must be of one")
    output = protocol("plain").prepare(editor.enhance(photo, adjust=adjust).pixels, wanted)
    found = measure(output, wanted)
    finite = {name: float(value) if math.isfinite(value) else None for name, value in found.items()}
    text = json.dumps(finite, sort_keys=True, allow_nan=False)
    return text, digest(text)


def digest(text: str) -> str:
    """The sha256 of metrics as JSON, in hex."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()
