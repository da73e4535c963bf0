"""GIF with one image, read only; animated ones are videos (`undark.io.video.animation`)."""

from __future__ import annotations

from typing import BinaryIO

from PIL import GifImagePlugin

from undark.io.formats.base import Decoded
from undark.io.formats.pillow import decoded, open_image

__all__ = ["read"]


def read(file: BinaryIO) -> Decoded:
    """Decode a GIF that is not animated."""
    return decoded(open_image(file, GifImagePlugin.GifImageFile))
