"""GIF with one image, read only; animated ones are videos (`undark.io.video.animation`)."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from PIL import GifImagePlugin

from undark.io.formats.base import Decoded
from undark.io.formats.pillow import decoded, open_image
from undark.io.formats.texts import decoded_text
from undark.photo import Text

__all__ = ["read"]


def read(file: BinaryIO) -> Decoded:
    """Decode a GIF that is not animated."""
    image = open_image(file, GifImagePlugin.GifImageFile)
    comment: bytes = image.info.get("comment", b"")
    texts = (Text("Comment", decoded_text(comment)),) if comment.strip(b"\0 ") else ()
    return replace(decoded(image), texts=texts)
