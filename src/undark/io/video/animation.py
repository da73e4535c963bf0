"""Animated GIF and WebP: frames with their times, in and out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from undark.errors import DamagedError, UnreadableError, UnsupportedError
from undark.io.atomic import write_atomically
from undark.io.formats.base import converted
from undark.photo import Photo

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ANIMATIONS", "Animation", "is_animated", "read_animation"]

ANIMATIONS: Final = (".gif", ".webp")
"""Suffixes of files that may be animated."""

# Shorter times are what players make of none.
_LEAST_MS: Final = 20
_USUAL_MS: Final = 100
_QUALITY: Final = 85
_MAX_PIXELS: Final = 50_000_000


def is_animated(path: Path) -> bool:
    """Whether a GIF or WebP file holds more than one frame; what cannot be read holds none."""
    if path.suffix.lower() not in ANIMATIONS or not path.is_file():
        return False
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def read_animation(path: Path) -> Iterator[tuple[Photo, float, int]]:
    """The frames as they are seen: each whole, with the seconds it is shown and their number.

    Raises:
        InputError: It cannot be read.
    """
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise UnsupportedError(f"{path}: its frames are too large for an animation")
            count = int(getattr(image, "n_frames", 1))
            for frame in ImageSequence.Iterator(image):
                frame.load()  # a WebP tells its times only then
                shown = int(frame.info.get("duration") or 0)
                seconds = (shown if shown >= _LEAST_MS else _USUAL_MS) / 1000
                yield _photo(frame), seconds, count
    except FileNotFoundError as error:
        raise UnreadableError(f"{path}: cannot be read: there is no such file") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(f"{path}: is damaged or truncated: {reason}") from error


def _photo(frame: Image.Image) -> Photo:
    if not frame.has_transparency_data:
        return Photo(np.asarray(frame.convert("RGB")))
    samples = np.asarray(frame.convert("RGBA"))
    return Photo(np.ascontiguousarray(samples[..., :3]), alpha=samples[..., 3])


class Animation:
    """An animated file in the making; it is written whole when it ends.

    Args:
        path: Ends in ``.gif`` or ``.webp``.
        loop: Times that it is shown; 0 is for ever.
    """

    def __init__(self, path: Path, loop: int = 0) -> None:
        """Begin without frames."""
        self._path = path
        self._loop = loop
        self._frames: list[Image.Image] = []
        self._times: list[int] = []

    def add(self, photo: Photo, seconds: float) -> None:
        """Show `photo` next, for so long."""
        from PIL import Image

        pixels = converted(photo.pixels, np.uint8)
        if photo.alpha is not None:
            pixels = np.dstack([pixels, converted(photo.alpha, np.uint8)])
        image = Image.fromarray(pixels)
        if self._path.suffix.lower() == ".gif":
            image = _paletted(image)
        self._frames.append(image)
        self._times.append(max(round(seconds * 1000), _LEAST_MS))

    def close(self) -> None:
        """Write the file.

        Raises:
            OutputError: It could not be written.
        """
        first, *others = self._frames
        options: dict[str, Any] = {"duration": self._times, "loop": self._loop}
        if self._path.suffix.lower() == ".gif":
            options |= {"format": "GIF", "disposal": 2 if first.info.get("seen") else 1}
        else:
            options |= {"format": "WEBP", "quality": _QUALITY, "method": 2}

        def save(file: BinaryIO) -> None:
            first.save(file, save_all=True, append_images=others, **options)

        write_atomically(self._path, save)


def _paletted(image: Image.Image) -> Image.Image:
    """At most 256 colours of its own, dithered; what is nearly transparent is so wholly."""
    from PIL import Image

    solid = image.convert("RGB")
    if image.mode == "RGB":
        return solid.quantize(256, Image.Quantize.MEDIANCUT)
    result = solid.quantize(255, Image.Quantize.MEDIANCUT)
    result.paste(255, mask=image.getchannel("A").point([255] * 128 + [0] * 128))
    result.info["transparency"] = 255
    result.info["seen"] = True
    return result
